import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from './run.ts';
import type { Said } from './tarball.ts';

const scripts = ['postinst', 'prerm', 'postrm'];

/** How hard to compress: what people download, or what a test installs once. */
export type Squeeze = 'release' | 'draft';

/** Adds DEBIAN/ to the tree, and makes the package of both. */
export async function writeDeb(root: string, said: Said, folder: string, squeeze: Squeeze): Promise<string> {
  const control = join(root, 'DEBIAN');
  await mkdir(control);
  const size = (await output(['du', '-k', '-s', '--apparent-size', '--exclude=DEBIAN', root])).split('\t')[0];
  await writeFile(join(control, 'control'), controlFile(said, size ?? '0'));
  // dpkg asks before it overwrites what an operator has changed; that is what makes them conffiles.
  const kept = await filesBelow(join(root, 'etc'));
  await writeFile(join(control, 'conffiles'), kept.map((file) => `/etc/${file}\n`).join(''));
  for (const name of scripts) {
    await copyFile(join('package/debian', name), join(control, name));
    await chmod(join(control, name), 0o755);
  }
  const file = join(folder, `eiproute_${said.version}_${said.architecture}.deb`);
  // xz cuts its input into as many blocks as there are threads.
  const how = squeeze === 'release' ? ['-Zxz', '-z6', '--threads-max=1'] : ['-Zgzip', '-z1'];
  await output(['dpkg-deb', '--root-owner-group', ...how, '--build', root, file]);
  return file;
}

function controlFile({ version, architecture }: Said, size: string): string {
  return `Package: eiproute
Version: ${version}
Architecture: ${architecture}
Maintainer: eiproute
Installed-Size: ${size}
Section: net
Priority: optional
Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6, systemd | systemd-sysusers
Recommends: iproute2, nftables
Description: external addresses for Kubernetes on plain Linux routers
 A daemon on a Linux gateway watches Kubernetes, and keeps routes from the
 external addresses of Services to nodes, and the settings that forwarding
 needs, in the kernel of that host. A second one prepares a node for them.
 .
 Brings its own Node.js. Starts nothing by itself: see eiproute(8).
`;
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
