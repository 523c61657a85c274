import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ask } from '../../src/daemon/ask.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { ownerOf } from '../../src/model/owner.ts';
import type { Status } from '../../src/status/status.ts';
import { type Memory, memoryOf } from './memory-of.ts';

// Run in a fresh network namespace: node bench/runs/agent.ts FOLDER PROGRAM [follow]
// A node agent as its own process, with two gateways and both families, which its file names; with `follow` it watches an API
// server as well, for what gateways publish. Prints {"start":ms,"memory":[{...},...],
// "after":{...},"repairs":[ms,...]}: the start of the process until it is in sync, its memory after each of thirty resyncs
// (a heap grows until it is collected) and again after its policy rules were deleted one by one, and the time that each
// took from our delete to its return.

const [folder = '.', program = 'bin/eiproute', follow] = process.argv.slice(2);
const ip = (command: string): string => execFileSync('ip', command.split(' ')).toString();
const protocol = 86;

ip('link set lo up');
ip('link add eth0 type veth peer name peer0');
for (const name of ['eth0', 'peer0']) ip(`link set ${name} up`);
ip('address add 10.0.0.11/24 dev eth0');
ip('address add 2001:db8:10::11/64 dev eth0 nodad');
// Nobody is at the other end; an agent without a gateway that answers is DEGRADED.
const gateways = ['10.0.0.1', '10.0.0.2', '2001:db8:10::1', '2001:db8:10::2'];
for (const [i, gateway] of gateways.entries())
  ip(`neighbour add ${gateway} lladdr 02:00:00:00:00:0${i} dev eth0 nud permanent`);

// They end with us, however we end.
const tied = ['--pdeathsig', 'KILL'];
const api = follow === undefined ? undefined : await startApi();

async function startApi(): Promise<ChildProcess> {
  const words = [...tied, process.execPath, fileURLToPath(new URL('api.ts', import.meta.url)), folder, '0'];
  const server = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(createInterface({ input: server.stdout }), 'line');
  return server;
}

const file = join(folder, 'node.json');
writeFileSync(
  file,
  JSON.stringify({
    eips: ['198.51.100.0/24', '2001:db8:e::/64'],
    gateways,
    ...(api === undefined ? {} : { follow: { kubeconfig: 'kubeconfig', node: 'n0' } }),
    stateDirectory: 'state',
    runtimeDirectory: 'run',
    namesDirectory: 'names',
    pace: { resync: '1s' },
  }),
);

const stop = new AbortController();
await using kernel = await LinuxKernel.open(join(folder, 'witness'));
await kernel.list(
  { owner: ownerOf(protocol), tables: [100, 101, 102], sysctls: [], nftTables: [], neighbours: [] },
  stop.signal,
);
const hints = kernel.hints(stop.signal)[Symbol.asyncIterator]();

// Node would parse the authorities that this machine names beside its own, which no unit of systemd names.
const { NODE_EXTRA_CA_CERTS: _extra, SSL_CERT_FILE: _file, ...env } = process.env;

const started = performance.now();
const agent = spawn('setpriv', [...tied, program, '--config', file, '--log-level', 'error', 'node'], {
  stdio: ['ignore', 'inherit', 'inherit'],
  env,
});
const ended = new Promise<void>((resolve) => agent.once('exit', () => resolve()));
await promisify(execFile)(program, ['--config', file, 'status', '--wait-synced']);
const start = performance.now() - started;
await resynced();
const memory: Memory[] = [];
while (memory.length < 30) {
  await resynced();
  memory.push(memoryOf(agent));
}

/** Until the agent has compared everything once more, and given free pages back. */
async function resynced(): Promise<void> {
  const first = await rounds();
  while ((await rounds()) === first) await sleep(250);
}

async function rounds(): Promise<number> {
  const text = await ask(join(folder, 'run'), 'node', 'GET', '/status', stop.signal);
  const { round }: Status = JSON.parse(text);
  return round?.number ?? 0;
}

/** Until the kernel announces a change. */
async function announced(words: string): Promise<void> {
  while (true) {
    const { done, value } = await hints.next();
    if (done) throw new Error('the kernel fell silent');
    if (value.text.startsWith(words)) return;
  }
}

const repairs: number[] = [];
for (const family of ['-4', '-6']) {
  for (const [, priority = ''] of ip(`${family} rule show`).matchAll(/^(\d+):.*proto (?:eiproute|86)\b/gm)) {
    const before = performance.now();
    ip(`${family} rule delete priority ${priority} protocol ${protocol}`);
    await announced('rule added: ');
    repairs.push(performance.now() - before);
  }
}
const after = memoryOf(agent);
stop.abort();
agent.kill();
await ended;
api?.kill();
process.stdout.write(`${JSON.stringify({ start, memory, after, repairs })}\n`);
