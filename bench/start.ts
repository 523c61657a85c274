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
  readonly informers?: Start;
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
    const informers = buildInformers(folder);
    const columns = sizes.map((services) => {
      const runs = Array.from({ length: rounds }, () => run(folder, services, made.program, informers));
      const middle = (field: (one: Run) => number): number => median(runs.map(field));
      return [
        services.toLocaleString('en'),
        `${(middle(({ read }) => read.bytes) / 1e6).toFixed(1)} MB`,
        seconds(middle(({ read }) => read.time)),
        seconds(middle(({ read }) => read.work)),
        ...peer(runs),
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
      "client-go's informers alone, until they have them",
      'their processor time',
      'their most resident',
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
      informers ? '' : 'there is no Go here: nothing to compare with\n',
    ].join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The program of bench/informers; undefined: there is no Go. */
function buildInformers(folder: string): string | undefined {
  const program = join(folder, 'informers');
  const cwd = fileURLToPath(new URL('informers', import.meta.url));
  try {
    execFileSync('go', ['build', '-o', program, '.'], { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
    return program;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function peer(runs: readonly Run[]): readonly string[] {
  const found = runs.flatMap(({ informers }) => informers ?? []);
  if (found.length === 0) return ['', '', ''];
  const middle = (field: keyof Start): number => median(found.map((one) => one[field]));
  return [seconds(middle('ms')), seconds(middle('work')), mib(middle('peak'))];
}

function run(folder: string, services: number, program: string, informers: string | undefined): Run {
  const place = mkdtempSync(join(folder, 'run-'));
  const script = fileURLToPath(new URL('runs/start.ts', import.meta.url));
  const words = [
    process.execPath,
    script,
    place,
    String(services),
    program,
    ...(informers ? [informers] : []),
  ];
  const out = execFileSync('unshare', ['--net', ...words], {
    timeout: 600_000,
    stdio: ['ignore', 'pipe', 'inherit'],
    // The API server of the lab knows no list by watch, and would leave its client waiting.
    env: { ...process.env, KUBE_FEATURE_WatchListClient: 'false' },
  });
  return JSON.parse(out.toString());
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
