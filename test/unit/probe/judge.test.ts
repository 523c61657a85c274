import { expect } from 'chai';
import fc from 'fast-check';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import { doubtFor, judge, nobodyDoubted, type Signal } from '../../../src/probe/judge.ts';

/** `a 5` is silent since 5 ms, `a 5 back` was and answers again, `a` answers. Names of v6 addresses are capital letters. */
function signals(text: string): readonly Signal[] {
  return text.split(', ').map((one) => {
    const [name = '', since, back] = one.split(' ');
    const silentSince = since === undefined ? undefined : Number(since);
    return { ip: address(name), silentSince, isBack: back !== undefined };
  });
}

function address(name: string) {
  const nth = name.toLowerCase().charCodeAt(0) - 96;
  return parseIp(name === name.toLowerCase() ? `10.0.0.${nth}` : `2001:db8:10::${nth}`);
}

describe('the verdict over the nodes', () => {
  const cases: readonly {
    readonly name: string;
    readonly seen: string;
    readonly now?: number;
    readonly share?: number;
    readonly silent?: string;
    readonly doubts?: readonly string[];
  }[] = [
    { name: 'is that all answer', seen: 'a, b, c' },
    { name: 'is that a node is dead that does not answer', seen: 'a, b 0, c', silent: 'b' },
    { name: 'is that one of two is dead: just half is not more than the share', seen: 'a, b 0', silent: 'b' },
    {
      name: 'is that nobody is dead when nobody answers',
      seen: 'a 0, b 5000, c 9000',
      doubts: ['4 all 3/3'],
    },
    {
      name: 'is that nobody is dead when nobody answers, however long',
      seen: 'a 0, b 0',
      now: 1_000_000,
      doubts: ['4 all 2/2'],
    },
    {
      name: 'is that a node stays dead that was silent for ten seconds when the last one fell silent',
      seen: 'a 0, b 1, c 10000',
      now: 11_000,
      silent: 'a',
      doubts: ['4 all 2/3'],
    },
    { name: 'is that the only node is not dead', seen: 'a 0', now: 60_000, doubts: ['4 all 1/1'] },
    {
      name: 'doubts that more than the share went within a second',
      seen: 'a 0, b 900, c, d 100, e',
      now: 1000,
      doubts: ['4 too many at once 3/5'],
    },
    {
      name: 'believes as many that went one by one',
      seen: 'a 0, b 1100, c, d 2200, e',
      now: 2300,
      silent: 'a b d',
    },
    {
      name: 'doubts a burst, and not the node that went long before',
      seen: 'a 0, b 5000, c 5100, d 5200, e',
      now: 5300,
      silent: 'a',
      doubts: ['4 too many at once 3/5'],
    },
    {
      name: 'doubts whoever is within a second of enough others, on either side',
      seen: 'a 0, b 800, c 1600, d, e',
      share: 0.3,
      now: 1700,
      doubts: ['4 too many at once 3/5'],
    },
    {
      name: 'believes a burst that has been silent for ten seconds while others answered',
      seen: 'a 0, b 900, c, d 100, e',
      now: 10_900,
      silent: 'a b d',
    },
    {
      name: 'doubts it until then',
      seen: 'a 0, b 900, c, d 100, e',
      now: 10_899,
      doubts: ['4 too many at once 3/5'],
    },
    { name: 'believes any burst with a share of 1', seen: 'a 0, b 0, c 0, d', share: 1, silent: 'a b c' },
    {
      name: 'doubts every node with a share of 0',
      seen: 'a 0, b, c',
      share: 0,
      doubts: ['4 too many at once 1/3'],
    },
    {
      name: 'judges each family by itself',
      seen: 'a, b 0, c, A 0, B 0, C 0',
      silent: 'b',
      doubts: ['6 all 3/3'],
    },
  ];
  for (const { name, seen, now = 9000, share = 0.5, silent = '', doubts = [] } of cases) {
    it(name, () => {
      const verdict = judge(signals(seen), { share, now }, nobodyDoubted);
      const names = silent === '' ? [] : silent.split(' ').map(address);
      expect([...verdict.silent]).to.have.members(names);
      expect(
        verdict.doubts.map(({ of, kind, silent: mute, asked }) => `${of} ${kind} ${mute.length}/${asked}`),
      ).to.deep.equal(doubts);
    });
  }
});

interface Moment {
  readonly now: number;
  readonly seen: readonly Signal[];
}

const share = 0.5;
const together = 1000;
const names: readonly string[] = ['a', 'b', 'c', 'd', 'e'];

/** From all that was ever seen, without a memory: who is believed to be dead at the end. */
function deadAfter(history: readonly Moment[]): readonly Ip[] {
  const last = history.at(-1);
  return (last?.seen ?? []).flatMap(({ ip, silentSince }) => {
    if (last === undefined || silentSince === undefined) return [];
    const before = history.findLastIndex(({ seen }) => seen.some((one) => one.ip === ip && isAnswer(one)));
    const counted = countedFrom(history.slice(before + 1), ip);
    return counted === undefined || last.now - counted >= doubtFor ? [ip] : [];
  });
}

function isAnswer({ silentSince }: Signal): boolean {
  return silentSince === undefined;
}

/** @param silence the looks at which this one was silent; undefined: nothing of it is doubted */
function countedFrom(silence: readonly Moment[], ip: Ip): number | undefined {
  let from: number | undefined;
  let isDoubted = false;
  for (const { now, seen } of silence) {
    from = countedAt(seen, now, ip, from);
    if (isDoubted && seen.some((one) => one.ip === ip && one.isBack === true)) from = now;
    isDoubted = from !== undefined && now - from < doubtFor;
  }
  return from;
}

function countedAt(
  seen: readonly Signal[],
  now: number,
  ip: Ip,
  before: number | undefined,
): number | undefined {
  const times = seen.flatMap(({ silentSince }) => (silentSince === undefined ? [] : [silentSince]));
  const since = seen.find((one) => one.ip === ip)?.silentSince ?? 0;
  if (times.length === seen.length) return Math.max(...times) - (before ?? since) < doubtFor ? now : before;
  let from = before;
  for (const start of times) {
    const burst = times.filter((time) => time >= start && time <= start + together);
    if (burst.length > share * seen.length && since >= start && since <= start + together)
      from = Math.max(from ?? 0, ...burst);
  }
  return from;
}

describe('the verdicts one after the other', () => {
  it('doubt the silence of those that have not come back yet, and for ten seconds from the first answer', () => {
    const all = judge(signals('a 0, b 0, c 0'), { share, now: 60_000 }, nobodyDoubted);
    for (const [seen, now, silent] of [
      ['a, b 0, c 0', 60_100, ''],
      ['a, b, c 0', 60_200, ''],
      ['a, b, c 0', 69_999, ''],
      ['a, b, c 0', 70_000, 'c'],
    ] as const) {
      const verdict = judge(signals(seen), { share, now }, all.doubted);
      expect([...verdict.silent], seen).to.deep.equal(silent === '' ? [] : [address(silent)]);
    }
  });

  it('go on doubting one that answers again, until it is trusted or silent for ten seconds more', () => {
    let { doubted } = judge(signals('a 0, b 0, c 0'), { share, now: 60_000 }, nobodyDoubted);
    for (const [seen, now, silent] of [
      ['a, b 0, c 0', 69_000, ''],
      ['a, b 0 back, c 0', 69_500, ''],
      ['a, b 0 back, c 0', 75_000, 'c'],
      ['a, b 0, c 0', 84_999, 'c'],
      ['a, b 0, c 0', 85_000, 'b c'],
      ['a, b 0 back, c 0', 86_000, 'b c'],
    ] as const) {
      const verdict = judge(signals(seen), { share, now }, doubted);
      ({ doubted } = verdict);
      expect([...verdict.silent], `${now} ${seen}`).to.have.members(
        silent === '' ? [] : silent.split(' ').map(address),
      );
    }
  });

  it('doubt the rest of those that went together, when some are back', () => {
    const many = judge(signals('a 0, b 0, c 0, d, e'), { share, now: 1000 }, nobodyDoubted);
    for (const [now, silent] of [
      [9999, []],
      [10_000, [address('c')]],
    ] as const)
      expect([...judge(signals('a, b, c 0, d, e'), { share, now }, many.doubted).silent]).to.deep.equal(
        silent,
      );
  });

  it('doubt as long as nobody answers again, while they do', () => {
    const all = judge(signals('a 0, b 0, c 0'), { share, now: 60_000 }, nobodyDoubted);
    const back = judge(signals('a 0, b, c 0'), { share, now: 60_100 }, all.doubted);
    const again = judge(signals('a 0, b 65000, c 0'), { share, now: 65_000 }, back.doubted);
    const long = judge(signals('a 0, b 65000, c 0'), { share, now: 95_000 }, again.doubted);
    expect(long.doubts.map(({ kind, silent }) => `${kind} ${silent.length}`)).to.deep.equal(['all 3']);
  });

  it('believe a silence that began when others were back', () => {
    const all = judge(signals('a 0, b 0, c 0'), { share, now: 60_000 }, nobodyDoubted);
    const back = judge(signals('a, b, c 0'), { share, now: 60_100 }, all.doubted);
    const next = judge(signals('a 60200, b, c 0'), { share, now: 60_200 }, back.doubted);
    expect([...next.silent]).to.deep.equal([address('a')]);
  });

  it('are those of the whole history, in random ones', () => {
    const step = fc.record({
      ms: fc.constantFrom(100, 100, 500, 1000, 5000, 20_000),
      returning: fc.subarray([...names]),
      answering: fc.oneof(fc.subarray([...names]), fc.constant(names), fc.constant<readonly string[]>([])),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 40 }), (count, steps) => {
        const since = new Map<string, number | undefined>(
          names.slice(0, count).map((name) => [name, undefined]),
        );
        const history: Moment[] = [];
        let now = 0;
        let doubted = nobodyDoubted;
        for (const { ms, answering, returning } of steps) {
          now += ms;
          for (const [name, before] of since)
            since.set(name, answering.includes(name) ? undefined : (before ?? now));
          const seen = [...since].map(([name, silentSince]) => ({
            ip: address(name),
            silentSince,
            isBack: silentSince !== undefined && silentSince < now && returning.includes(name),
          }));
          history.push({ now, seen });
          const verdict = judge(seen, { share, now, together }, doubted);
          doubted = verdict.doubted;
          expect([...verdict.silent]).to.have.members(deadAfter(history));
          expect([...doubted.keys()]).to.have.members(verdict.doubts.flatMap(({ silent }) => silent));
        }
      }),
      { numRuns: 500 },
    );
  });
});
