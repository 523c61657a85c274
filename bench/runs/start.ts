import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { memoryOf, peakOf } from './memory-of.ts';
import { apiOptions, asUnit, setUpLinks, synced, workOf, writeConfig } from './world.ts';

// Run in a fresh network namespace: node bench/runs/start.ts FOLDER SERVICES PROGRAM [INFORMERS]
// A gateway starts on a router without routes, is stopped, and starts again: the routes are in the kernel, and its last
// known state is on disk. The API server is a process of its own, and is first read by a client that does nothing with
// the lists, and by the program of bench/informers where there is one. Prints {"read":{...},"informers":{...},
// "first":{...},"again":{...},"memory":{...}}: what read.ts prints; of the informers and of both starts the ms until all is
// in the caches or in the kernel, the processor time until then, and the most memory until then, of a daemon until 15 s
// later; and the memory that the first one has then.

const [folder = '.', services = '0', program = 'bin/eiproute', informers] = process.argv.slice(2);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const stop = new AbortController();
setUpLinks();
// They end with us, however we end.
const child = (...words: readonly string[]) =>
  spawn('setpriv', ['--pdeathsig', 'KILL', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
const api = child(process.execPath, ...apiOptions, here('api.ts'), folder, services);
await once(createInterface({ input: api.stdout }), 'line');
const read = await promisify(execFile)(process.execPath, [here('read.ts'), join(folder, 'kubeconfig')]);
const peer = informers === undefined ? undefined : await startInformers(informers);
const file = writeConfig(folder);

const first = await startGateway();
const memory = memoryOf(first.daemon);
await stopped(first.daemon);
const again = await startGateway();
await stopped(again.daemon);
api.kill();
const figures = ({ ms, work, peak }: Start): Figures => ({ ms, work, peak });
process.stdout.write(
  `${JSON.stringify({ read: JSON.parse(read.stdout), informers: peer, first: figures(first), again: figures(again), memory })}\n`,
);

interface Figures {
  readonly ms: number;
  readonly work: number;
  readonly peak: number;
}

interface Start extends Figures {
  readonly daemon: ChildProcess;
}

async function startInformers(path: string): Promise<Figures> {
  const started = performance.now();
  const process = child(path, join(folder, 'kubeconfig'));
  await once(createInterface({ input: process.stdout }), 'line');
  const ms = performance.now() - started;
  const found = { ms, work: workOf(process), peak: peakOf(process) };
  await stopped(process);
  return found;
}

async function startGateway(): Promise<Start> {
  const started = performance.now();
  const daemon = child(...asUnit(program, '--config', file, '--log-level', 'error', 'gateway'));
  await synced(folder, stop.signal);
  const ms = performance.now() - started;
  const work = workOf(daemon);
  // Until the last known state is saved, and V8 has collected what the start left.
  await setTimeout(15_000);
  return { daemon, ms, work, peak: peakOf(daemon) };
}

async function stopped(process: ChildProcess): Promise<void> {
  const ended = once(process, 'exit');
  process.kill();
  await ended;
}
