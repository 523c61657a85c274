import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { ask } from '../../src/daemon/ask.ts';
import { synced, workOf } from './world.ts';

// Run in a fresh network namespace: node bench/runs/probe.ts NODES FAMILIES
// A gateway whose nodes all answer ARP and NDP, and say 200 on the port of kube-proxy's health check, and 400 on that of the kubelet: they are
// the addresses of one host in a namespace of its own. Prints {"share":percent of a core,"silent":n,"table":n}: what the
// daemon takes with nothing to do but to probe them, how many it believes to be dead, and neighbours in the table.

export interface Probe {
  readonly share: number;
  readonly silent: number;
  readonly table: number;
}

const count = Number(process.argv[2] ?? 0);
const families = process.argv[3] === '4' ? (['4'] as const) : (['4', '6'] as const);
const settled = 45_000;
const watched = 20_000;

const ip = (...words: readonly string[]): string => execFileSync('ip', words).toString();
/** Everything here ends with us, however we end. */
const tied = (...argv: readonly string[]) =>
  spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
// It closes no idle connection, as kube-proxy does not. The kubelet is asked once.
const server = `
  const { createServer } = require('node:http');
  createServer((_, response) => { response.statusCode = 400; response.end(); }).listen(10250, '::');
  createServer({ keepAliveTimeout: 0 }, (_, response) => response.end('{}')).listen(10256, '::', () => console.log('up'));
  setInterval(() => {}, 1e6);
`;
const addresses = (i: number): readonly string[] => [
  ...(families.some((each) => each === '4') ? [`10.0.${1 + (i >> 8)}.${i & 255}`] : []),
  ...(families.some((each) => each === '6') ? [`2001:db8:10::1:${i.toString(16)}`] : []),
];

const host = tied('unshare', '--net', process.execPath, '-e', server);
await new Promise((resolve) => host.stdout.once('data', resolve));
const within = (lines: readonly string[]): void => {
  const [file = '', ...words] = ['nsenter', `--net=/proc/${host.pid}/ns/net`, 'ip', '-batch', '-'];
  execFileSync(file, words, { input: lines.join('\n') });
};
ip('link', 'set', 'lo', 'up');
ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer0', 'netns', String(host.pid));
ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'peer1');
for (const name of ['eth0', 'eth1', 'peer1']) ip('link', 'set', name, 'up');
ip('address', 'add', '10.0.0.1/16', 'dev', 'eth0');
ip('address', 'add', '2001:db8:10::ffff/64', 'dev', 'eth0', 'nodad');
ip('address', 'add', '203.0.113.1/24', 'dev', 'eth1');
const all = Array.from({ length: count }, (_, i) => i + 1);
within([
  'link set peer0 up',
  ...all.flatMap((i) =>
    addresses(i).map((each) =>
      each.includes(':') ? `address add ${each}/64 dev peer0 nodad` : `address add ${each}/16 dev peer0`,
    ),
  ),
]);

const folder = mkdtempSync(join(tmpdir(), 'eip-probe-'));
const items = [
  ...all.map((i) => rawNode(`n${i}`, { addresses: [...addresses(i)] })),
  rawService('web', { eips: ['198.51.100.10'] }),
  rawSlice('web', [{ ip: '10.244.1.1', node: 'n1', ready: true }]),
];
writeFileSync(join(folder, 'cluster.json'), JSON.stringify({ kind: 'List', items }));
const config = join(folder, 'gateway.yaml');
writeFileSync(
  config,
  `source: { file: cluster.json }
lan: eth0
uplink: eth1
pools: [{ name: bench, addresses: [198.51.100.0/24${families.length > 1 ? ', "2001:db8:e::/64"' : ''}] }]
stateDirectory: state
runtimeDirectory: run
`,
);
const daemon = tied('bin/eiproute', '--config', config, '--log-level', 'error', 'gateway');
const never = new AbortController().signal;
await synced(folder, never);
await sleep(settled);
const before = workOf(daemon);
const start = performance.now();
await sleep(watched);
const share = ((workOf(daemon) - before) / (performance.now() - start)) * 100;
const status: { readonly nodes: readonly { readonly answers: string; readonly traffic?: string }[] } =
  JSON.parse(await ask(join(folder, 'run'), 'gateway', 'GET', '/status', never));
const silent = status.nodes.filter(({ traffic }) => traffic === 'silent').length;
const table = ip('neigh', 'show', 'dev', 'eth0').trim().split('\n').length;
process.stdout.write(JSON.stringify({ share, silent, table } satisfies Probe));
daemon.kill('SIGKILL');
host.kill('SIGKILL');
rmSync(folder, { recursive: true, force: true });
