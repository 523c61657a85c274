import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mib } from './events.ts';
import { packaged } from './packaged.ts';
import type { Memory } from './runs/memory-of.ts';
import { median, table } from './table.ts';

const sizes: readonly number[] = [10_000, 50_000, 100_000];
/** Runs of each column; the table has the medians. */
const rounds = 3;

/** What one run of runs/start.ts prints: ms and bytes. */
interface Run {
  readonly read: { readonly time: number; readonly work: number; readonly bytes: number };
  readonly first: Start;
  readonly again: Start;
  readonly memory: Memory;
}

interface Start {
  readonly ms: number;
  readonly work: number;
  readonly peak: number;
}

/** The start of a gateway of the package, until all is in the kernel, and its restart. */
export async function starts(): Promise<string> {
  using made = await packaged();
  const folder = mkdtempSync(join(tmpdir(), 'eip-bench-'));
  try {
    const columns = sizes.map((services) => {
      const runs = Array.from({ length: rounds }, () => run(folder, services, made.program));
      const middle = (field: (one: Run) => number): number => median(runs.map(field));
      return [
        services.toLocaleString('en'),
        `${(middle(({ read }) => read.bytes) / 1e6).toFixed(1)} MB`,
        seconds(middle(({ read }) => read.time)),
        seconds(middle(({ read }) => read.work)),
        seconds(middle(({ first }) => first.ms)),
        seconds(middle(({ first }) => first.work)),
        mib(middle(({ first }) => first.peak)),
        mib(middle(({ memory }) => memory.rss)),
        mib(middle(({ memory }) => memory.anon)),
        seconds(middle(({ again }) => again.ms)),
        seconds(middle(({ again }) => again.work)),
        mib(middle(({ again }) => again.peak)),
      ];
    });
    const labels = [
      'Services',
      'lists',
      'a client that only reads them',
      'its processor time',
      'start -> all in the kernel (aim at 100,000: 3 s)',
      'processor time of the daemon until then',
      'most resident until 15 s later',
      'resident 15 s later',
      'own',
      'restart -> all in the kernel, as it was',
      'processor time of the daemon until then',
      'most resident until 15 s later',
    ];
    return [
      `the start of a gateway of the package, the API server in a process of its own; medians of ${rounds}`,
      table(labels.map((label, i) => [label, ...columns.map((column) => column[i] ?? '')])),
    ].join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(folder: string, services: number, program: string): Run {
  const place = mkdtempSync(join(folder, 'run-'));
  const script = fileURLToPath(new URL('runs/start.ts', import.meta.url));
  const words = [process.execPath, script, place, String(services), program];
  const out = execFileSync('unshare', ['--net', ...words], {
    timeout: 600_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(out.toString());
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
