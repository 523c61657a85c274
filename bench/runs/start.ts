import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { memoryOf } from './memory-of.ts';
import { setUpLinks, synced, workOf, writeConfig } from './world.ts';

// Run in a fresh network namespace: node bench/runs/start.ts FOLDER SERVICES PROGRAM
// A gateway starts on a router without routes; the API server is a process of its own, and is first read by a client
// that does nothing with the lists. Prints {"read":{...},"start":ms,"work":ms,"memory":{...}}: what read.ts prints, the
// time from the start of the process until all is in the kernel, the daemon's processor time until then, and its memory
// 15 s later.

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

const started = performance.now();
const daemon = child(program, '--config', file, '--log-level', 'error', 'gateway');
const ended = once(daemon, 'exit');
await synced(folder, stop.signal);
const start = performance.now() - started;
const work = workOf(daemon);
// Until the last known state is saved, and V8 has collected what the start left.
await setTimeout(15_000);
const memory = memoryOf(daemon);
daemon.kill();
await ended;
api.kill();
process.stdout.write(`${JSON.stringify({ read: JSON.parse(read.stdout), start, work, memory })}\n`);
