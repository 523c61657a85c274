import { chmod, copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Bundle, licences } from './bundle.ts';
import { type Architecture, architectures, unpacked } from './parts.ts';
import { output } from './run.ts';
import { unedited } from './unedited.ts';
import { yamlManual } from './yaml-manual.ts';

/** Where each file of ours goes; all are text. */
const files: Readonly<Record<string, string>> = {
  'usr/lib/systemd/system/eiproute-gateway.service': 'systemd/eiproute-gateway.service',
  'usr/lib/systemd/system/eiproute-node.service': 'systemd/eiproute-node.service',
  'usr/lib/sysusers.d/eiproute.conf': 'systemd/sysusers.conf',
  'usr/lib/systemd/networkd.conf.d/50-eiproute.conf': 'systemd/networkd.conf',
  'usr/lib/systemd/catalog/eiproute.catalog': 'systemd/eiproute.catalog',
  'usr/share/eiproute/sysctl.conf': 'systemd/sysctl.conf',
  'usr/share/eiproute/layer2.conf': 'systemd/layer2.conf',
  'etc/iproute2/rt_protos.d/eiproute.conf': 'systemd/rt_protos.conf',
  'etc/iproute2/rt_tables.d/eiproute.conf': 'systemd/rt_tables.conf',
  'usr/lib/eiproute/node-options.sh': 'bin/node-options.sh',
  'usr/share/doc/eiproute/gateway.example.yaml': 'docs/gateway.example.yaml',
  'usr/share/doc/eiproute/node.example.yaml': 'docs/node.example.yaml',
  'usr/share/bash-completion/completions/eiproute': 'package/completion.bash',
  'usr/share/zsh/vendor-completions/_eiproute': 'package/completion.zsh',
  'usr/share/doc/eiproute/README.md': 'README.md',
  'usr/share/doc/eiproute/rbac.yaml': 'docs/rbac.yaml',
  'usr/share/doc/eiproute/rbac-node.yaml': 'docs/rbac-node.yaml',
  'usr/share/doc/eiproute/allocation.md': 'docs/allocation.md',
  'usr/share/doc/eiproute/choosing-a-mode.md': 'docs/choosing-a-mode.md',
  'usr/share/doc/eiproute/high-availability.md': 'docs/high-availability.md',
  'usr/share/doc/eiproute/performance.md': 'docs/performance.md',
  'usr/share/doc/eiproute/node.md': 'docs/node.md',
  'usr/share/doc/eiproute/configuration.md': 'docs/configuration.md',
  'usr/share/doc/eiproute/exit-codes.md': 'docs/exit-codes.md',
  'usr/share/doc/eiproute/operations.md': 'docs/operations.md',
  'usr/share/doc/eiproute/status.md': 'docs/status.md',
  'usr/share/doc/eiproute/doctor.md': 'docs/doctor.md',
  'usr/share/doc/eiproute/events.md': 'docs/events.md',
  'usr/share/doc/eiproute/plan.md': 'docs/plan.md',
  'usr/share/doc/eiproute/trace.md': 'docs/trace.md',
  'usr/share/doc/eiproute/status.schema.json': 'docs/status.schema.json',
  'usr/share/doc/eiproute/problems.md': 'docs/problems.md',
  'usr/share/doc/eiproute/errors.md': 'docs/errors.md',
  'usr/share/doc/eiproute/metrics.md': 'docs/metrics.md',
  'usr/share/doc/eiproute/runbooks.md': 'docs/runbooks.md',
  'usr/share/eiproute/monitoring/eiproute.rules.yml': 'monitoring/eiproute.rules.yml',
  'usr/share/eiproute/monitoring/eiproute.rules.test.yml': 'monitoring/eiproute.rules.test.yml',
  'usr/share/eiproute/monitoring/grafana-dashboard.json': 'monitoring/grafana-dashboard.json',
  'usr/share/eiproute/monitoring/prometheus.example.yml': 'monitoring/prometheus.example.yml',
};

/**
 * The examples, with every key as a comment, for postinst to copy once. None of them is in etc/eiproute: as a
 * conffile it would have dpkg ask at every upgrade that changes the example, and stop where nobody answers; and tar
 * overwrites what an operator has written.
 */
const toEdit: Readonly<Record<string, string>> = {
  'usr/share/eiproute/gateway.yaml': 'docs/gateway.example.yaml',
  'usr/share/eiproute/node.yaml': 'docs/node.example.yaml',
};

const compressed: Readonly<Record<string, string>> = {
  'usr/share/man/man8/eiproute.8.gz': 'package/eiproute.8',
  'usr/share/doc/eiproute/changelog.gz': 'CHANGELOG.md',
};

/** Where the texts of ours go, as they are. */
export const texts: readonly string[] = [...Object.keys(files), ...Object.keys(toEdit)];

/**
 * `/usr/bin/eiproute`.
 *
 * @param home where Node, the program and the options of Node for it are
 */
export function startScript(home: string): string {
  return `#!/bin/sh
. ${home}/node-options.sh
# shellcheck disable=SC2086 # a list of words
exec ${home}/node $options ${home}/eiproute.mjs "$@"
`;
}

/** Lays out below `root` what is to be installed on a host. */
export async function plant(root: string, architecture: Architecture, code: Bundle): Promise<void> {
  const at = async (path: string): Promise<string> => {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    return file;
  };
  for (const [to, from] of Object.entries(files)) await copyFile(from, await at(to));
  for (const [to, from] of Object.entries(toEdit)) {
    await writeFile(await at(to), unedited(await readFile(from, 'utf8')));
  }
  for (const [to, from] of Object.entries(compressed)) {
    await writeFile(await at(to), gzipSync(await readFile(from), { level: 9 }));
  }
  const manual = yamlManual({
    page: await readFile('docs/configuration.md', 'utf8'),
    gatewayExample: await readFile('docs/gateway.example.yaml', 'utf8'),
    nodeExample: await readFile('docs/node.example.yaml', 'utf8'),
  });
  await writeFile(await at('usr/share/man/man5/eiproute.yaml.5.gz'), gzipSync(manual, { level: 9 }));
  await writeFile(await at('usr/bin/eiproute'), startScript('/usr/lib/eiproute'));
  await chmod(join(root, 'usr/bin/eiproute'), 0o755);

  const { node, koffi, koffiFolder, strip } = architectures[architecture];
  const [runtime, native] = [await unpacked(node), await unpacked(koffi)];
  const home = join(root, 'usr/lib/eiproute');
  await cp(code.folder, home, { recursive: true });
  await output([strip, '-o', join(home, 'node'), join(runtime, 'bin/node')]);
  await chmod(join(home, 'node'), 0o755);
  await copyFile(join(native, koffiFolder, 'koffi.node'), join(home, 'koffi.node'));
  await chmod(join(home, 'koffi.node'), 0o644);

  const rule = `\n${'='.repeat(78)}\n\n`;
  const rights = [
    `eiproute\n\n${await readFile('LICENSE', 'utf8')}`,
    `Bundled with it:\n\n${await licences(code.packages)}`,
    `Node.js ${node.version}\n\n${await readFile(join(runtime, 'LICENSE'), 'utf8')}`,
  ];
  await writeFile(await at('usr/share/doc/eiproute/copyright'), rights.join(rule));
}
