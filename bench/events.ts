import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { table } from './table.ts';

const services = 10_000;
const events = 500;

/** What one run of runs/event.ts prints: ms and bytes. */
interface Run {
  readonly start: number;
  readonly startWork: number;
  readonly events: readonly number[];
  readonly work: number;
  readonly rss: number;
  readonly rssIdle: number;
}

/** One event at 10,000 Services, and what the daemon takes: the real daemon, a real API over TLS, a real kernel. */
export function latency(): string {
  const folder = mkdtempSync(join(tmpdir(), 'eip-bench-'));
  try {
    const run = fileURLToPath(new URL('runs/event.ts', import.meta.url));
    const words = ['--net', process.execPath, run, folder, String(services), String(events)];
    const found: Run = JSON.parse(
      execFileSync('unshare', words, { timeout: 180_000, stdio: ['ignore', 'pipe', 'inherit'] }).toString(),
    );
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
        ['memory (resident), after the start', mib(found.rss)],
        ['memory (resident), after the events', mib(found.rssIdle)],
      ]),
    ].join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
