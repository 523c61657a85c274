import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startApiServer } from '../../lab/cluster/api-server.ts';
import { DatagramReceiver } from '../../lab/process/datagram-receiver.ts';
import { Batch, departureOf } from './departure.ts';
import { memoryOf } from './memory-of.ts';
import { listen, onlookers } from './onlookers.ts';
import { Witness } from './witness.ts';
import {
  addressOf,
  asUnit,
  createNode,
  eipOf,
  fill,
  nodeKind,
  nodesOf,
  setUpLinks,
  slice,
  sliceKind,
  synced,
  workOf,
  writeConfig,
} from './world.ts';

// Run in a fresh network namespace: node bench/runs/event.ts FOLDER SERVICES CYCLES PROGRAM [CYCLE ...]
// The daemon as its own process, an API server over TLS in this one, and this one in the place of systemd. A cycle is
// three events: an EndpointSlice loses its endpoints, has them again, and the endpoints of a Local Service move to
// other nodes. Prints {"start":ms,"startWork":ms,"events":[ms,...],"work":ms,"node":[ms,...],"path":[ms,...],
// "ip":[ms,...],"memory":[...]}: the start-up until all is in the kernel, the time of each event from
// the API server's store to the kernel's own notification (witness.ts), the daemon's processor time for the start and for one
// event, the times in which a node leaves, what an event takes from the API server's store to a process that only watches, by
// its own clock, the times in which an `ip -batch` that waits for it makes what the daemon has to make when the same nodes
// leave (none for EIP_BENCH_FORMER), and the daemon's memory, and the processor time of all
// events until then, after the start, after the cycles that are named, and after the last one.

const [folder = '.', services = '0', cycles = '0', program = 'bin/eiproute', ...samples] =
  process.argv.slice(2);
const watchScript = fileURLToPath(new URL('watch.ts', import.meta.url));
const nodeEvents = 10;
/** ms: longer than the daemon's `probe.wait`, after which a node that came back has its EIPs. */
const returnTime = 5000;
/** The 30 slowest are one in a hundred. */
const pathEvents = 3000;

setUpLinks();

const stop = new AbortController();
await using api = await startApiServer();
fill(api, Number(services));
writeFileSync(join(String(folder), 'kubeconfig'), api.kubeconfig(), { mode: 0o600 });
// EIP_BENCH_LOOK=questions or page: somebody looks on all the time.
const wanted = process.env['EIP_BENCH_LOOK'];
const look = wanted === 'questions' || wanted === 'page' ? wanted : undefined;
// EIP_BENCH_FORMER: a version that knew no probe, and had other ids.
const isFormer = process.env['EIP_BENCH_FORMER'] !== undefined;
const file = writeConfig(String(folder), {
  ...(look ? { metrics: { listen } } : {}),
  ...(isFormer ? { probe: undefined } : {}),
});
const ids = isFormer ? { nexthop: '860', group: '861' } : { nexthop: '25', group: '26' };

// As under systemd the daemon puts its state into a sentence after each round. Its datagrams are read with each event.
using systemd = new DatagramReceiver();

const command = [program, '--config', file, '--log-level', 'error', 'gateway'] as const;
const started = performance.now();
// It ends with us, however we end.
const daemon = spawn('setpriv', ['--pdeathsig', 'KILL', ...(isFormer ? command : asUnit(...command))], {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, NOTIFY_SOCKET: systemd.path },
});
const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
const endedEarly = ended.then(() => {
  throw new Error(`${program} ended before all was in the kernel`);
});
// Later it is ended by us.
endedEarly.catch(() => undefined);
await Promise.race([synced(String(folder), stop.signal), endedEarly]);
const start = performance.now() - started;
const looking = look ? onlookers(look, join(String(folder), 'run'), stop.signal) : undefined;
// What the start leaves to be done, such as saving the whole state for the next start, is part of the start.
await rested(12_000);
const startWork = workOf(daemon);
const memory = [{ events: 0, work: 0, ...memoryOf(daemon) }];
using witness = await Witness.listening();

/**
 * Until the daemon has had nothing to do for three seconds. The probe takes up to 20 ms
 * a second, and a profiler (--cpu-prof) as much again: with a limit of 20 ms a profile never ended.
 *
 * @param least ms from now
 */
async function rested(least: number): Promise<void> {
  const earliest = performance.now() + least;
  for (let idle = 0, before = workOf(daemon); idle < 3 || performance.now() < earliest; ) {
    await setTimeout(1000);
    systemd.drain();
    const now = workOf(daemon);
    idle = now - before < 50 ? idle + 1 : 0;
    before = now;
  }
}

/** When the kernel announces a change whose text matches, in ms since the epoch. */
async function announced(text: RegExp): Promise<number> {
  while (true) {
    const notification = await witness.next();
    if (text.test(notification.text)) return notification.at;
  }
}

/** ms from a change in the API server's store to the kernel's announcement. */
async function timed(change: () => void, text: RegExp): Promise<number> {
  const before = now();
  change();
  const time = (await announced(text)) - before;
  systemd.drain();
  return time;
}

/** ms since the epoch */
function now(): number {
  return performance.timeOrigin + performance.now();
}

const times: number[] = [];
/** How often the Local Service at a place has moved. */
const moves = new Map<number, number>();
for (let i = 0; i < Number(cycles); i += 1) {
  const at = ((i * 37) % Number(services)) & ~1;
  const to = `${eipOf(at)} `.replaceAll('.', '\\.');
  const lose = (): unknown => api.objects.update(sliceKind, slice(at, []));
  times.push(await timed(lose, new RegExp(`^route deleted: ${to}`)));
  const back = (): unknown => api.objects.update(sliceKind, slice(at, nodesOf(at)));
  times.push(await timed(back, new RegExp(`^route set: ${to}`)));
  // A Local Service: every fourth is one. Its group is changed in place, or its route leads to another group.
  const local = ((i * 41) % Number(services)) & ~3;
  const step = (moves.get(local) ?? 0) + 1;
  moves.set(local, step);
  const move = (): unknown => api.objects.update(sliceKind, slice(local, nodesOf(local, step)));
  const eip = `${eipOf(local)} `.replaceAll('.', '\\.');
  times.push(await timed(move, new RegExp(`^(nexthop replaced: id ${ids.group}|route set: ${eip})`)));
  if (samples.includes(String(i + 1)) || i + 1 === Number(cycles))
    memory.push({ events: times.length, work: workOf(daemon) - startWork, ...memoryOf(daemon) });
}
const work = (workOf(daemon) - startWork) / times.length;

// The node's nexthop is the last to go: by then all its EIPs have moved.
const node: number[] = [];
for (let i = 1; i <= nodeEvents; i += 1) {
  const leave = (): unknown => api.objects.delete(nodeKind, '', `n${i}`);
  node.push(await timed(leave, new RegExp(`^nexthop deleted: id ${ids.nexthop}`)));
  createNode(api, i);
  await announced(new RegExp(`^nexthop (added|replaced): id ${ids.nexthop}`));
  // Its EIPs come back after it.
  await setTimeout(200);
}
await rested(returnTime);
stop.abort();
await looking;
daemon.kill();
await ended;

// What the daemon left in the kernel, by iproute2.
const ip: number[] = [];
for (let i = 1; i <= nodeEvents && !isFormer; i += 1) {
  const { leave, back } = departureOf(addressOf(i));
  const batch = new Batch();
  // It starts meanwhile.
  await setTimeout(100);
  ip.push(await timed(() => batch.run(leave), new RegExp(`^nexthop deleted: id ${ids.nexthop}`)));
  await batch.ended;
  const undoing = new Batch();
  undoing.run(back);
  await undoing.ended;
}

// The same way without the daemon.
const watcher = spawn(process.execPath, [watchScript, join(String(folder), 'kubeconfig')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const lines = createInterface({ input: watcher.stdout })[Symbol.asyncIterator]();
/** When it said so, in ms since the epoch. */
async function said(text: string): Promise<number> {
  while (true) {
    const { done, value } = await lines.next();
    if (done) throw new Error('the watcher ended');
    const [at, ...words] = value.split(' ');
    if (words.join(' ') === text) return Number(at);
  }
}
await said('complete');
const path: number[] = [];
const visits = new Map<number, number>();
for (let i = 0; i < pathEvents; i += 1) {
  const at = (i * 37) % Number(services);
  // Fewer Services than events: a slice that stays as it is would be no event.
  const visit = (visits.get(at) ?? 0) + 1;
  visits.set(at, visit);
  const before = now();
  api.objects.update(sliceKind, slice(at, [1 + (visit % 2)]));
  path.push((await said(`default/s${at}`)) - before);
}
watcher.kill();
process.stdout.write(
  `${JSON.stringify({ start, startWork, events: times, work, node, path, ip, memory })}\n`,
);
