import { mib, type Run, runEvents } from './events.ts';
import { packaged } from './packaged.ts';
import { median, table } from './table.ts';

const services = 10_000;
/** Three events each: a run has a dozen slowest ones, and a collection of the heap or two are not all of them. */
const cycles = 400;
/** Runs of each column; the table has the medians. */
const turns = 5;

/**
 * What it costs to be looked at: events of the packaged daemon, with nobody who asks, and with `/metrics` and `/status`
 * asked every second, and with a live page open as well. They take turns, so that all meet the same machine.
 */
export async function watched(): Promise<string> {
  using made = await packaged();
  const { program } = made;
  const looks = [undefined, 'questions', 'page'] as const;
  const rounds = Array.from({ length: turns }, () =>
    looks.map((look) => runEvents({ services, cycles, program, samples: [], timeout: 300_000, look })),
  );
  const row = (label: string, value: (run: Run) => number, text: (n: number) => string) => [
    label,
    ...looks.map((_, i) => text(median(rounds.flatMap((runs) => runs[i] ?? []).map(value)))),
  ];
  const ms = (time: number): string => `${time.toFixed(2)} ms`;
  return [
    `being looked at, at ${services.toLocaleString('en')} Services: medians of ${turns} runs each, in turn`,
    table([
      ['', 'nobody asks', 'metrics and status each second', 'and a page open'],
      row('API server -> kernel: median', ({ events }) => median(events), ms),
      row('99 %', ({ events }) => share(events, 0.99), ms),
      [
        '99 %, of the best and of the worst run',
        ...looks.map((_, i) => {
          const all = rounds.flatMap((runs) => runs[i] ?? []).map(({ events }) => share(events, 0.99));
          return `${ms(Math.min(...all))} to ${ms(Math.max(...all))}`;
        }),
      ],
      row('processor time of an event, with what is asked meanwhile', ({ work }) => work, ms),
      row('resident after the events (aim: 10 MiB more)', ({ memory }) => memory.at(-1)?.rss ?? 0, mib),
      row('own', ({ memory }) => memory.at(-1)?.anon ?? 0, mib),
    ]),
  ].join('\n');
}

function share(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}
