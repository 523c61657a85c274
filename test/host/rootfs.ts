import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { run } from '../../lab/process/run.ts';

/** A Debian as small as systemd, ssh and Ansible's Python allow; what an operator has on any host. */
const packages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'iproute2',
  'nftables',
  'conntrack',
  'procps',
  'kmod',
  'python3',
  'openssh-server',
  'bird2',
];

/** Programs that drop what is forwarded; a test starts them. */
export const firewalls = ['ufw', 'firewalld', 'docker.io', 'iptables'] as const;

const cache = '.cache/host';

/**
 * The file system that the containers share; made once, from the sources that the machine's own apt has.
 *
 * @param more packages
 * @returns an absolute path
 */
export async function rootfs(more: readonly string[] = []): Promise<string> {
  const sources = await aptSources();
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  if (suite === undefined)
    throw new Error('/etc/os-release names no VERSION_CODENAME; the lab needs a Debian');
  const wanted = [...packages, ...more];
  const key = createHash('sha256')
    .update(JSON.stringify([wanted, suite]))
    .digest('hex')
    .slice(0, 12);
  const root = resolve(cache, `rootfs-${key}`);
  if (await exists(root)) return root;
  const fresh = `${root}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await run({
    argv: [
      'mmdebstrap',
      '--quiet',
      '--variant=minbase',
      `--include=${wanted.join(',')}`,
      suite,
      fresh,
      ...sources,
    ],
  });
  // Each container makes its own.
  await writeFile(join(fresh, 'etc/machine-id'), '');
  // What mmdebstrap has from this machine; without it a container is called by its own name.
  await rm(join(fresh, 'etc/hostname'), { force: true });
  // The tests that announce EIPs start BIRD, and that of firewalls its own.
  const units = join(fresh, 'etc/systemd/system');
  await rm(join(units, 'multi-user.target.wants/bird.service'));
  if (more.length > 0)
    for (const name of ['ufw.service', 'firewalld.service', 'docker.service', 'containerd.service'])
      await rm(join(units, 'multi-user.target.wants', name), { force: true });
  await rm(join(units, 'sockets.target.wants/docker.socket'), { force: true });
  // Root comes by key only, which Debian's own default allows.
  await mkdir(join(fresh, 'root/.ssh'), { recursive: true, mode: 0o700 });
  await rename(fresh, root);
  return root;
}

async function aptSources(): Promise<readonly string[]> {
  const folder = '/etc/apt/sources.list.d';
  const found = (await readdir(folder)).filter((name) => /\.(list|sources)$/.test(name)).sort();
  const files = found.map((name) => join(folder, name));
  if (await exists('/etc/apt/sources.list')) files.unshift('/etc/apt/sources.list');
  if (files.length === 0) throw new Error('this machine has no apt sources, so the lab cannot make a Debian');
  return files;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
