import { type Absent, type Contender, contenders, race } from './contender.ts';
import type { Deeds, Times } from './runs/run.ts';
import { median, table } from './table.ts';

/** nhid 2 is the group that the stage of a race makes. */
const task = { count: 100_000, nhid: 2, table: 254, protocol: 86 };
const rounds = 7;
/** Rounds of those who take much longer than the others. */
const slowRounds = 2;
const deeds = ['add', 'dump', 'delete'] as const;

/** 100,000 routes added, dumped and deleted: medians of runs that take turns, and what they are in ratio. */
export function routes(): string {
  const all = contenders();
  const runs = new Map<Contender, Times[]>();
  for (const one of all) if (isPresent(one)) runs.set(one, []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [contender, times] of runs) {
      if (contender.share === 1 || round < slowRounds) times.push(race(contender, task));
    }
  }
  const medians = new Map([...runs].map(([{ name }, times]) => [name, medianOf(times)]));
  const c = medians.get('C');
  const ours = medians.get('eiproute');
  const started = medians.get('eiproute, just started');
  const iproute2 = medians.get('ip -batch');
  if (!c || !ours || !started || !iproute2) throw new Error('C, eiproute and ip are always in the race');
  const rows = all.map((one) => {
    if (!isPresent(one)) return [one.name, one.why];
    const times = medians.get(one.name) ?? c;
    const note = one.share > 1 ? `1 route in ${one.share}, times ${one.share}` : '';
    return [one.name, ...cells(times, c), note];
  });
  const work = [...medians].flatMap(([name, { work }]) =>
    work && c.work ? [[`  ${name}`, ...cells(work, c.work)]] : [],
  );
  return [
    `${task.count.toLocaleString('en')} routes over one nexthop group, medians of ${rounds} runs (ms, times C)`,
    table([['', ...deeds], ...rows, ['processor time', '', '', ''], ...work]),
    `add: ${ratio(ours.add, c.add)} times C (aim: 1.1; just started ${ratio(started.add, c.add)}), ${ratio(iproute2.add, ours.add)} times faster than ip -batch (aim: 3)`,
    `delete: ${ratio(ours.delete, c.delete)} times C, ${ratio(iproute2.delete, ours.delete)} times faster than ip -batch`,
    `dump: ${ratio(ours.dump, c.dump)} times C (which keeps nothing), ${ratio(iproute2.dump, ours.dump)} times faster than ip route show`,
  ].join('\n');
}

function isPresent(one: Contender | Absent): one is Contender {
  return 'program' in one;
}

function medianOf(times: readonly Times[]): Times {
  const work = times.flatMap((one) => one.work ?? []);
  return work.length === 0 ? mediansOf(times) : { ...mediansOf(times), work: mediansOf(work) };
}

function mediansOf(all: readonly Deeds[]): Deeds {
  const of = (deed: keyof Deeds) => median(all.map((one) => one[deed]));
  return { add: of('add'), dump: of('dump'), delete: of('delete') };
}

function cells(ms: Deeds, c: Deeds): readonly string[] {
  return deeds.map((deed) => `${ms[deed].toFixed(0)} (${ratio(ms[deed], c[deed])})`);
}

function ratio(a: number, b: number): string {
  return (a / b).toFixed(2);
}
