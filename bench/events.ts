import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packaged } from './packaged.ts';
import type { Memory } from './runs/memory-of.ts';
import type { Look } from './runs/onlookers.ts';
import { apiOptions } from './runs/world.ts';
import { table } from './table.ts';

/** The last commit whose events cost what the whole cluster weighs. */
const before = '254b249';
const root = fileURLToPath(new URL('..', import.meta.url));

const sizes: readonly number[] = [1000, 10_000, 50_000];
/** Of which a node is taken away at another size. */
const most = 100_000;
/** Of three events each. While V8 compiles, an event costs twice of what it does later: the first half has rows of its own. */
const cycles = 2000;
/** Of the version before, whose events take up to 80 ms. */
const formerCycles = 200;
/** Before a node is taken away at {@link most}: what the code needs to be compiled. */
const firstCycles = 600;

/** What one run of runs/event.ts prints: ms and bytes. */
export interface Run {
  readonly start: number;
  readonly startWork: number;
  readonly events: readonly number[];
  readonly work: number;
  readonly node: readonly number[];
  readonly path: readonly number[];
  /** What iproute2 takes for what a node that goes has the daemon write; empty for {@link before}. */
  readonly ip: readonly number[];
  /** After the start, and after some of the events; `work` is the processor time of all until then. */
  readonly memory: readonly (Memory & { readonly events: number; readonly work: number })[];
}

/**
 * One event, and what the daemon takes, at three sizes: the package, a real API over TLS, a real kernel, the status
 * sentence of systemd counted. The version before is measured in the same run as a checkout, where git has it.
 */
export async function latency(): Promise<string> {
  using made = await packaged();
  using former = checkout(before);
  const programs = [{ name: 'now', program: made.program }, ...(former ? [former] : [])];
  const columns = sizes.flatMap((services) =>
    programs.map(({ name, program }) => {
      const isFormer = name === 'before';
      const found = runEvents({
        services,
        cycles: isFormer ? formerCycles : cycles,
        program,
        isFormer,
        samples: isFormer ? [] : [cycles / 2],
        timeout: 600_000,
      });
      return {
        head: services.toLocaleString('en'),
        name,
        cells: cellsOf(found),
        work: halves(found).first.work,
      };
    }),
  );
  const full = runEvents({
    services: most,
    cycles: firstCycles,
    program: made.program,
    samples: [],
    timeout: 600_000,
  });
  const [first] = columns;
  const rows = (first?.cells ?? []).map(([label], i) => [
    label,
    ...columns.map(({ cells }) => cells[i]?.[1] ?? ''),
  ]);
  const works = columns.filter(({ name }) => name === 'now').map(({ work }) => work);
  const ratio = (works.at(-1) ?? 0) / (works[0] ?? 1);
  return [
    `one of the first ${1.5 * cycles} events after a start, and of the ${1.5 * cycles} that follow (before: ${3 * formerCycles}): Services over 100 nodes, a quarter of them Local; endpoints go, come and move; now: the package, before: a checkout`,
    table([
      ['Services', ...columns.map(({ head }) => head)],
      ['', ...columns.map(({ name }) => name)],
      ...rows,
    ]),
    `processor time of an event at 50,000 Services: ${ratio.toFixed(2)} times that at 1,000 (aim: 1.5)`,
    `a node goes at ${most.toLocaleString('en')} Services, after ${3 * firstCycles} events: ${ms(at(sorted(full.node), 0.5))} ms (aim: 10); the same by ip -batch, times that: ${byIp(full)}`,
    former ? '' : `git has no commit ${before} here: nothing to compare with\n`,
  ].join('\n');
}

function cellsOf(run: Run): readonly (readonly [label: string, value: string])[] {
  const { first, second } = halves(run);
  const path = sorted(run.path);
  const node = sorted(run.node);
  const start = run.memory[0];
  const end = run.memory.at(-1);
  const above = ({ events }: Half): string => ms(at(events, 0.99) - at(path, 0.99));
  return [
    ['API server -> kernel, ms: median', ms(at(first.events, 0.5))],
    ['the events that follow', second ? ms(at(second.events, 0.5)) : ''],
    ['99 %', ms(at(first.events, 0.99))],
    ['the events that follow', second ? ms(at(second.events, 0.99)) : ''],
    ['the API path alone, ms: median', ms(at(path, 0.5))],
    ['99 %', ms(at(path, 0.99))],
    ['99 % above the API path (aim: 2)', above(first)],
    ['the events that follow', second ? above(second) : ''],
    ['processor time of an event, ms (aim: 1)', first.work.toFixed(2)],
    ['the events that follow', second ? second.work.toFixed(2) : ''],
    ['a node goes -> its nexthop has gone, ms: median', ms(at(node, 0.5))],
    ['the same by ip -batch, ms: median (times that)', byIp(run)],
    ['start -> all in the kernel, s', (run.start / 1000).toFixed(2)],
    ['processor time of the start, s', (run.startWork / 1000).toFixed(2)],
    ['resident after the start, MiB', start ? mebibytes(start.rss) : ''],
    ['resident after the events, MiB', end ? mebibytes(end.rss) : ''],
  ];
}

/** The median in ms, and how often that goes into ours. */
function byIp({ node, ip }: Run): string {
  if (ip.length === 0) return '';
  const time = at(sorted(ip), 0.5);
  return `${ms(time)} (${(at(sorted(node), 0.5) / time).toFixed(1)})`;
}

/** Some of the events of a run, sorted by their times, and the processor time of one, in ms. */
interface Half {
  readonly events: readonly number[];
  readonly work: number;
}

/** @returns without a second half: there is no sample between */
function halves(run: Run): { readonly first: Half; readonly second: Half | undefined } {
  const [, middle] = run.memory.slice(0, -1);
  if (middle === undefined)
    return { first: { events: sorted(run.events), work: run.work }, second: undefined };
  const { events, work } = middle;
  const rest = run.events.length - events;
  return {
    first: { events: sorted(run.events.slice(0, events)), work: work / events },
    second: { events: sorted(run.events.slice(events)), work: (run.work * run.events.length - work) / rest },
  };
}

function sorted(times: readonly number[]): readonly number[] {
  return times.toSorted((a, b) => a - b);
}

function at(times: readonly number[], share: number): number {
  return times[Math.floor((times.length - 1) * share)] ?? Number.NaN;
}

function ms(time: number): string {
  return time.toFixed(1);
}

/** Another version of the program, in a folder of its own; undefined: git does not have it (a shallow clone). */
function checkout(
  commit: string,
): (Disposable & { readonly name: string; readonly program: string }) | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'eip-before-'));
  const git = (...words: readonly string[]): void => {
    execFileSync('git', ['-C', root, ...words], { stdio: 'ignore' });
  };
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
    git('worktree', 'prune');
  };
  try {
    git('worktree', 'add', '--detach', '--force', folder, commit);
  } catch {
    // The caller says that there is nothing to compare with.
    remove();
    return undefined;
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return { name: 'before', program: join(folder, 'bin/eiproute'), [Symbol.dispose]: remove };
}

/** @param run `samples` are cycles after which memory is measured; `timeout` is in ms */
export function runEvents(run: {
  readonly services: number;
  /** Three events each. */
  readonly cycles: number;
  readonly program: string;
  /** It is the version of {@link before}. */
  readonly isFormer?: boolean;
  readonly samples: readonly number[];
  readonly timeout: number;
  /** What somebody looks at meanwhile. */
  readonly look?: Look | undefined;
}): Run {
  const folder = mkdtempSync(join(tmpdir(), 'eip-bench-'));
  try {
    const script = fileURLToPath(new URL('runs/event.ts', import.meta.url));
    const words = [folder, run.services, run.cycles, run.program, ...run.samples].map(String);
    const out = execFileSync('unshare', ['--net', process.execPath, ...apiOptions, script, ...words], {
      timeout: run.timeout,
      maxBuffer: 1 << 26,
      env: {
        ...process.env,
        EIP_BENCH_LOOK: run.look ?? '',
        ...(run.isFormer ? { EIP_BENCH_FORMER: '1' } : {}),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return JSON.parse(out.toString());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function mib(bytes: number): string {
  return `${mebibytes(bytes)} MiB`;
}

function mebibytes(bytes: number): string {
  return String(Math.round(bytes / 2 ** 20));
}
