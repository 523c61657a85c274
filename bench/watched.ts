import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mib, runEvents } from './events.ts';
import { packaged } from './packaged.ts';
import { median, table } from './table.ts';

const services = 10_000;
const cycles = 150;
/** Pairs of runs; the table has the medians. */
const pairs = 3;

/**
 * What it costs to be looked at: events of the packaged daemon, with nobody who asks, and with `/metrics` and `/status`
 * asked every second and a live page open. The two take turns, so that both meet the same machine.
 */
export async function watched(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'eip-bench-'));
  try {
    const lib = join(folder, 'lib');
    mkdirSync(lib);
    const program = await packaged(lib);
    const measure = (asked: boolean) =>
      runEvents({ services, cycles, program, samples: [], timeout: 300_000, asked });
    const runs = Array.from({ length: pairs }, () => ({ quiet: measure(false), asked: measure(true) }));
    const row = (
      label: string,
      value: (run: ReturnType<typeof measure>) => number,
      text: (n: number) => string,
    ) => {
      const quiet = median(runs.map((each) => value(each.quiet)));
      const asked = median(runs.map((each) => value(each.asked)));
      return [label, text(quiet), text(asked), text(asked - quiet)];
    };
    const ms = (time: number): string => `${time.toFixed(2)} ms`;
    return [
      `being looked at, at ${services.toLocaleString('en')} Services: medians of ${pairs} runs each, in turn`,
      table([
        ['', 'nobody asks', 'asked each second, page open', 'more'],
        row('API server -> kernel: median', ({ events }) => median(events), ms),
        row('99 %', ({ events }) => share(events, 0.99), ms),
        row('processor time of an event, with what is asked meanwhile', ({ work }) => work, ms),
        row('resident after the events (aim: 10 MiB more)', ({ memory }) => memory.at(-1)?.rss ?? 0, mib),
        row('own', ({ memory }) => memory.at(-1)?.anon ?? 0, mib),
      ]),
    ].join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function share(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}
