import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { memoryOf, peakOf } from './memory-of.ts';
import { asUnit, setUpLinks, synced, workOf, writeConfig } from './world.ts';

// Run in a fresh network namespace: node bench/runs/start.ts FOLDER SERVICES PROGRAM
// A gateway starts on a router without routes, is stopped, and starts again: the routes are in the kernel, and its last
// known state is on disk. The API server is a process of its own, and is first read by a client that does nothing with
// the lists. Prints {"read":{...},"first":{...},"again":{...},"memory":{...}}: what read.ts prints; of both starts the ms
// until all is in the kernel, the daemon's processor time until then, and the most memory that it has had 15 s later; and
// the memory that the first one has then.

const [folder = '.', services = '0', program = 'bin/eiproute'] = process.argv.slice(2);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const stop = new AbortController();
setUpLinks();
// They end with us, however we end.
const child = (...words: readonly string[]) =>
  spawn('setpriv', ['--pdeathsig', 'KILL', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
const api = child(process.execPath, here('api.ts'), folder, services);
await once(createInterface({ input: api.stdout }), 'line');
const read = await promisify(execFile)(process.execPath, [here('read.ts'), join(folder, 'kubeconfig')]);
const file = writeConfig(folder);

const first = await startGateway();
const memory = memoryOf(first.daemon);
await stopped(first.daemon);
const again = await startGateway();
await stopped(again.daemon);
api.kill();
const figures = ({ ms, work, peak }: Start) => ({ ms, work, peak });
process.stdout.write(
  `${JSON.stringify({ read: JSON.parse(read.stdout), first: figures(first), again: figures(again), memory })}\n`,
);

interface Start {
  readonly daemon: ChildProcess;
  readonly ms: number;
  readonly work: number;
  readonly peak: number;
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

async function stopped(daemon: ChildProcess): Promise<void> {
  const ended = once(daemon, 'exit');
  daemon.kill();
  await ended;
}
