import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Memory } from './runs/memory-of.ts';
import { table } from './table.ts';

const services = 10_000;
const cycles = 500;

/** What one run of runs/event.ts prints: ms and bytes. */
export interface Run {
  readonly start: number;
  readonly startWork: number;
  readonly events: readonly number[];
  readonly work: number;
  /** After the start, and after some of the events. */
  readonly memory: readonly (Memory & { readonly events: number })[];
}

/** One event at 10,000 Services, and what the daemon takes: the real daemon, a real API over TLS, a real kernel. */
export function latency(): string {
  const found = runEvents({ services, cycles, program: 'bin/eiproute', samples: [], timeout: 180_000 });
  const sorted = found.events.toSorted((a, b) => a - b);
  const at = (share: number): string => `${sorted[Math.floor((sorted.length - 1) * share)]?.toFixed(1)} ms`;
  return [
    `${services.toLocaleString('en')} Services over 100 nodes, a quarter of them Local; ${sorted.length} events`,
    table([
      ['one event, API server -> kernel: median', at(0.5)],
      ['90 %', at(0.9)],
      ['99 % (aim: 10)', at(0.99)],
      ['slowest', at(1)],
      ['processor time of the daemon for one event', `${found.work.toFixed(1)} ms`],
      ['start of the process -> all in the kernel', `${(found.start / 1000).toFixed(2)} s`],
      ['processor time of the start', `${(found.startWork / 1000).toFixed(2)} s`],
      ...found.memory.map(({ events, rss }) => [
        `memory (resident), after ${events === 0 ? 'the start' : 'the events'}`,
        mib(rss),
      ]),
    ]),
  ].join('\n');
}

/** @param run `samples` are cycles after which memory is measured; `timeout` is in ms */
export function runEvents(run: {
  readonly services: number;
  /** Two events each. */
  readonly cycles: number;
  readonly program: string;
  readonly samples: readonly number[];
  readonly timeout: number;
}): Run {
  const folder = mkdtempSync(join(tmpdir(), 'eip-bench-'));
  try {
    const script = fileURLToPath(new URL('runs/event.ts', import.meta.url));
    const words = [folder, run.services, run.cycles, run.program, ...run.samples].map(String);
    const out = execFileSync('unshare', ['--net', process.execPath, script, ...words], {
      timeout: run.timeout,
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return JSON.parse(out.toString());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
