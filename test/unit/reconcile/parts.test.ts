import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Kernel, KernelError } from '../../../src/kernel/kernel.ts';
import { type Desire, DesiredTable } from '../../../src/model/desired.ts';
import { changeObject, type KernelObject, keyOf, type Sysctl } from '../../../src/model/object.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { backoff } from '../../../src/reconcile/backoff.ts';
import { Drift } from '../../../src/reconcile/drift.ts';
import { Execution } from '../../../src/reconcile/execution.ts';
import { Fights } from '../../../src/reconcile/fights.ts';
import { OverlayMap } from '../../../src/reconcile/overlay-map.ts';
import type { Reason } from '../../../src/reconcile/report.ts';
import { RoundSignal } from '../../../src/reconcile/round-signal.ts';
import { listing } from '../../scene.ts';
import { adding, deleting, group, nexthop, replacing, route } from './objects.ts';

describe('the drift', () => {
  it('has the keys that differ, of those that were written', () => {
    const table = new DesiredTable();
    const desire: Desire = { table, update: () => expect.fail() };
    const actual = new Actual(listing([route(1, 7), route(2, 7)]));
    const drift = new Drift();
    const written = (...objects: readonly KernelObject[]): readonly string[] => {
      for (const object of objects) table.set(object, { text: 'a test' });
      drift.follow(desire, actual);
      return [...drift.changes.keys()];
    };
    expect(written(route(1, 7), route(2, 7))).to.deep.equal([]);
    expect(written(route(1, 7), route(2, 8), route(3, 8))).to.deep.equal(
      [route(2, 8), route(3, 8)].map(keyOf),
    );
    expect(written(route(2, 7), route(1, 9))).to.deep.equal([route(3, 8), route(1, 9)].map(keyOf));
    // What is written later is not what was taken over.
    table.set(route(4, 9), { text: 'a test' });
    expect(drift.changes.has(keyOf(route(4, 9)))).to.equal(false);
  });

  it('has what the last of several writes to a key wants', () => {
    const table = new DesiredTable();
    const desire: Desire = { table, update: () => expect.fail() };
    const actual = new Actual(listing([route(1, 7)]));
    const drift = new Drift();
    drift.follow(desire, actual);
    const why = { text: 'a test' };
    for (const one of [route(1, 8), route(1, 9), route(2, 7), route(3, 7)]) table.set(one, why);
    table.delete(keyOf(route(2, 7)));
    table.delete(keyOf(route(3, 7)));
    table.set(route(3, 8), why);
    drift.follow(desire, actual);
    expect([...drift.changes.values()].map(changeObject)).to.have.deep.members([route(1, 9), route(3, 8)]);
    table.delete(keyOf(route(1, 9)));
    drift.follow(desire, actual);
    expect([...drift.changes.values()].map(changeObject)).to.have.deep.members([route(1, 7), route(3, 8)]);
  });
});

describe('an execution', () => {
  it('notes what the kernel has answered, also when it cannot be written further', async () => {
    const table = new DesiredTable();
    const actual = new Actual(listing([]));
    const drift = new Drift();
    for (const object of [route(1, 7), route(2, 7), route(3, 7)]) table.set(object, { text: 'a test' });
    drift.follow({ table, update: () => expect.fail() }, actual);
    const { signal } = new AbortController();
    const broken = new KernelError('ENOBUFS', '');
    const kernel: Pick<Kernel, 'apply'> = {
      apply: async (_changes, _signal, answered) => {
        answered?.(1, [undefined]);
        expect([...actual.objects.keys()], 'at once').to.deep.equal([keyOf(route(1, 7))]);
        answered?.(2, [undefined, new KernelError('EPERM', '')]);
        throw broken;
      },
    };
    const execution = new Execution({ kernel, actual, drift, signal });
    const failure = await execution
      .build({ builds: [...drift.changes.values()], deletes: [] }, new Set())
      .catch((error: unknown) => error);
    expect(failure).to.equal(broken);
    expect([...actual.objects.keys()]).to.deep.equal([keyOf(route(1, 7))]);
    expect([...actual.refused.keys()]).to.deep.equal([keyOf(route(2, 7))]);
    expect([...drift.changes.keys()]).to.deep.equal([route(2, 7), route(3, 7)].map(keyOf));
  });
});

describe('the desired objects', () => {
  const why = (...services: readonly string[]) => ({ text: 'a test', services });

  it('stay the same, and are not written, when they are desired as before', () => {
    const table = new DesiredTable();
    table.set(route(1, 7), why('default/web'));
    const [first] = table.takeWritten();
    table.set(route(1, 7), why('default/web'));
    expect(table.takeWritten()).to.deep.equal([]);
    expect(table.get(keyOf(route(1, 7)))).to.equal(first);
    expect(table.counts.route).to.equal(1);
  });

  it('are written when they are others, or are desired for other reasons', () => {
    const table = new DesiredTable();
    table.set(route(1, 7), why('default/web'));
    table.set(route(1, 8), why('default/web'));
    table.set(route(1, 8), why('default/api'));
    table.set(route(1, 8), { ...why('default/api'), text: 'another test' });
    expect(table.takeWritten()).to.have.length(4);
    expect(table.get(keyOf(route(1, 7)))).to.deep.equal({
      key: keyOf(route(1, 7)),
      object: route(1, 8),
      why: { ...why('default/api'), text: 'another test' },
    });
    expect(table.counts.route).to.equal(1);
  });
});

describe('the actual objects', () => {
  const setting = (value: string): Sysctl => ({ kind: 'sysctl', name: 'net/ipv4/ip_forward', value });
  const name = 'net/ipv4/ip_forward';

  function taught(have: readonly KernelObject[], ...dues: readonly ReturnType<typeof adding>[]): Actual {
    const actual = new Actual(listing(have));
    for (const one of dues) actual.acknowledge(one);
    return actual;
  }

  it('follows what the kernel took', () => {
    const [old, next] = [route(1, 7), route(1, 8)];
    const key = 'route 254 198.51.100.1/32 0';
    expect(taught([], adding(old)).objects.get(key)).to.equal(old);
    expect(taught([old], replacing(old, next)).objects.get(key)).to.equal(next);
    expect(taught([old], deleting(old)).objects.has(key)).to.equal(false);
  });

  it('remembers the first former value of a setting, and no later one', () => {
    const actual = taught(
      [setting('0')],
      replacing(setting('0'), setting('1')),
      replacing(setting('1'), setting('2')),
    );
    expect([...actual.formerSysctls]).to.deep.equal([[name, '0']]);
    expect(actual.objects.get(`sysctl ${name}`)).to.deep.equal(setting('2'));
  });

  it('gives a setting back with a delete, and owes it no more', () => {
    const actual = taught([setting('0')], replacing(setting('0'), setting('1')), deleting(setting('1')));
    expect([...actual.formerSysctls]).to.deep.equal([]);
    expect(actual.objects.get(`sysctl ${name}`)).to.deep.equal(setting('0'));
    expect(actual.objects.size).to.equal(1);
  });

  it('does not write into the listing that it was made from', () => {
    const first = listing([route(1, 7)]);
    new Actual(first).acknowledge(deleting(route(1, 7)));
    expect(first.objects.size).to.equal(1);
  });

  it('knows what a new dump shows otherwise, and what it did not know of', () => {
    const actual = new Actual(listing([route(1, 7), route(2, 7), group(7, [1]), nexthop(1)]));
    const now = listing([route(2, 8), group(7, [1]), nexthop(1), nexthop(2)]);
    const { changed, appeared } = actual.refresh(now);
    expect([...changed]).to.deep.equal(['route 254 198.51.100.1/32 0', 'route 254 198.51.100.2/32 0']);
    expect([...appeared]).to.deep.equal(['nexthop 2']);
    expect([...actual.objects]).to.deep.equal([...now.objects]);
  });

  it('finds nothing changed when a dump confirms our own writes', () => {
    const actual = taught([route(1, 7), nexthop(1)], deleting(route(1, 7)), adding(route(2, 7)));
    const { changed, appeared } = actual.refresh(listing([nexthop(1), route(2, 7)]));
    expect([...changed, ...appeared]).to.deep.equal([]);
  });

  it('counts the routes that carry traffic, and the nexthops', () => {
    const actual = taught(
      [route(1, 7), route(9, undefined), nexthop(1)],
      adding(route(2, 7)),
      deleting(nexthop(1)),
      replacing(route(1, 7), route(1, undefined)),
    );
    expect([actual.carrying, actual.nexthops]).to.deep.equal([1, 0]);
    actual.refresh(listing([route(1, 7), route(2, 7), nexthop(3)]));
    expect([actual.carrying, actual.nexthops]).to.deep.equal([2, 1]);
  });

  it('raises its counters when refusals or stuck groups change, and only then', () => {
    const actual = new Actual(listing([]));
    const seen: number[] = [];
    const note = (): number => seen.push(actual.refusals);
    note();
    const failed = { change: adding(nexthop(1)), code: 'EPERM', message: 'EPERM' };
    actual.refuse('nexthop 1', failed);
    note();
    actual.setStuck(new Map());
    note();
    expect(actual.setStuck(new Map([['nexthop 7', 'held']]))).to.equal(true);
    note();
    expect(actual.setStuck(new Map([['nexthop 7', 'held']]))).to.equal(false);
    expect(actual.setStuck(new Map([['nexthop 7', 'refused']]))).to.equal(true);
    note();
    actual.forgetRefused(() => false);
    note();
    actual.forgetRefused();
    note();
    expect(seen).to.deep.equal([1, 2, 2, 3, 4, 4, 5]);
    expect(actual.refused.size).to.equal(0);
  });
});

describe('an overlay map', () => {
  it('is a map, whatever was set and deleted over its base', () => {
    const anyStep = fc.record({ key: fc.nat(5), value: fc.option(fc.nat(9)) });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(9))), fc.array(anyStep), (entries, steps) => {
        const base = new Map(entries);
        const before = [...base];
        const overlay = new OverlayMap(base);
        const model = new Map(base);
        for (const { key, value } of steps) {
          if (value === null) overlay.delete(key);
          else overlay.set(key, value);
          if (value === null) model.delete(key);
          else model.set(key, value);
          expect(overlay.size).to.equal(model.size);
          expect(new Map(overlay)).to.deep.equal(model);
          for (const each of [0, 1, 2, 3, 4, 5]) {
            expect([overlay.has(each), overlay.get(each)]).to.deep.equal([model.has(each), model.get(each)]);
          }
        }
        expect([...overlay.keys()].sort()).to.deep.equal([...model.keys()].sort());
        expect([...overlay.values()].sort()).to.deep.equal([...model.values()].sort());
        expect([...base]).to.deep.equal(before);
      }),
    );
  });
});

describe('fights', () => {
  const minute = 60_000;

  it('begin with the fifth repair in five minutes', () => {
    const fights = new Fights();
    for (let i = 1; i <= 4; i += 1) fights.repaired(['a'], i * minute);
    expect([...fights.ongoing(4 * minute)]).to.deep.equal([]);
    fights.repaired(['a'], 5 * minute);
    expect([...fights.ongoing(5 * minute)]).to.deep.equal([['a', { repairs: 5, until: 5 * minute + 5000 }]]);
  });

  it('do not begin when the repairs are far apart', () => {
    const fights = new Fights();
    for (let i = 1; i <= 20; i += 1) fights.repaired(['a'], i * 1.3 * minute);
    expect([...fights.ongoing(26 * minute)]).to.deep.equal([]);
  });

  it('are fought more and more slowly, a minute apart at most', () => {
    const fights = new Fights();
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 11; i += 1) {
      fights.repaired(['a'], now);
      const wait = (fights.ongoing(now).get('a')?.until ?? now) - now;
      waits.push(wait);
      now += Math.max(wait, 1);
    }
    expect(waits).to.deep.equal([0, 0, 0, 0, 5000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it('are over after a while without a repair', () => {
    const fights = new Fights();
    for (let i = 0; i < 6; i += 1) fights.repaired(['a'], i);
    expect(fights.ongoing(5 * minute).size).to.equal(1);
    expect(fights.ongoing(5 * minute + 2).size).to.equal(0);
  });

  it('are about one object each', () => {
    const fights = new Fights();
    for (let i = 0; i < 5; i += 1) fights.repaired(i < 4 ? ['a', 'b'] : ['a'], i);
    expect([...fights.ongoing(5).keys()]).to.deep.equal(['a']);
  });
});

describe('the wait before another try', () => {
  it('doubles up to the longest, between half and one and a half times as long', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7].map((failures) => backoff(failures, 100, 3000, 0.5));
    expect(waits).to.deep.equal([100, 200, 400, 800, 1600, 3000, 3000]);
    expect([0, 1].map((random) => backoff(3, 100, 3000, random))).to.deep.equal([200, 600]);
  });

  it('is never nothing, and never for ever', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, random) => {
          const wait = backoff(failures, 100, 3000, random);
          expect(wait).to.be.within(50, 4500);
        },
      ),
    );
  });
});

describe('the round signal', () => {
  const reason = (kind: Reason['kind'], text: string = kind): Reason => ({ kind, text });
  const never = (): AbortSignal => new AbortController().signal;

  it('keeps reasons that arrive between two waits', async () => {
    const roundSignal = new RoundSignal();
    roundSignal.notify(reason('cluster'));
    expect(await roundSignal.wait(Number.POSITIVE_INFINITY, never())).to.equal(true);
    expect(roundSignal.take()).to.deep.equal([reason('cluster')]);
    expect(roundSignal.take()).to.deep.equal([]);
  });

  it('ends a wait, and keeps every reason', async () => {
    const roundSignal = new RoundSignal();
    const waiting = roundSignal.wait(Number.POSITIVE_INFINITY, never());
    for (let i = 0; i < 3; i += 1) roundSignal.notify(reason('cluster', String(i)));
    expect(await waiting).to.equal(true);
    expect(roundSignal.take().map(({ text }) => text)).to.deep.equal(['0', '1', '2']);
  });

  it('is not rung by what was taken', async () => {
    const roundSignal = new RoundSignal();
    roundSignal.notify(reason('cluster'));
    roundSignal.take();
    expect(await roundSignal.wait(0, never())).to.equal(false);
  });

  it('keeps a handful of a storm, and the one word that is not of it', () => {
    const roundSignal = new RoundSignal();
    for (let i = 0; i < 1000; i += 1) roundSignal.notify(reason('route', String(i)));
    roundSignal.notify(reason('operator'));
    roundSignal.notify(reason('config'));
    const kept = roundSignal.take();
    expect(kept).to.have.length(18);
    expect(kept.slice(-2).map(({ kind }) => kind)).to.deep.equal(['operator', 'config']);
  });

  it('says when the time was over first, though it was over before', async () => {
    expect(await new RoundSignal().wait(1, never())).to.equal(false);
    expect(await new RoundSignal().wait(-5, never())).to.equal(false);
  });

  it('does not end at once when the time is longer than a timer can be', async () => {
    const roundSignal = new RoundSignal();
    const waiting = roundSignal.wait(1e12, never());
    const turn = new Promise<string>((resolve) => setTimeout(() => resolve('still waiting'), 5));
    expect(await Promise.race([waiting, turn])).to.equal('still waiting');
    roundSignal.notify(reason('cluster'));
    expect(await waiting).to.equal(true);
  });

  it('throws the reason when it is aborted, before and while it waits', async () => {
    const reason = new Error('enough');
    const stop = new AbortController();
    const waiting = new RoundSignal().wait(Number.POSITIVE_INFINITY, stop.signal);
    stop.abort(reason);
    expect(await waiting.catch((error: unknown) => error)).to.equal(reason);
    const late = (async () => new RoundSignal().wait(1, stop.signal))();
    expect(await late.catch((error: unknown) => error)).to.equal(reason);
  });

  it('leaves no listener on the signal', async () => {
    const stop = new AbortController();
    const roundSignal = new RoundSignal();
    for (let i = 0; i < 50; i += 1) await roundSignal.wait(0, stop.signal);
    expect(getEventListeners(stop.signal, 'abort')).to.have.length(0);
  });
});
