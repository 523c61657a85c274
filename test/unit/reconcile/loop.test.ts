import { expect } from 'chai';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { noCounts } from '../../../src/model/object.ts';
import type { Pace } from '../../../src/model/pace.ts';
import { type KernelUnreadable, rounds } from '../../../src/reconcile/loop.ts';
import type { Reconciler, Refresh } from '../../../src/reconcile/reconciler.ts';
import type { Failed, Reason, Report } from '../../../src/reconcile/report.ts';
import { RoundSignal } from '../../../src/reconcile/round-signal.ts';
import { snapshot, TestRole } from '../../scene.ts';
import { adding, route } from './objects.ts';

const none = noCounts;
const failure: Failed = { change: adding(route(1, 7)), code: 'EPERM', message: 'EPERM' };

/** What a round does: takes this long (ms), and ends so. */
interface Act {
  readonly takes?: number;
  readonly failed?: boolean;
  readonly unreadable?: boolean;
  /** ms from the beginning of the round */
  readonly again?: number;
  readonly bug?: Error;
}

/** What a round was asked for: `dump: start`, `cached: cluster cluster`. */
type Asked = string;

/**
 * The loop with rounds by a script. Its clock is moved by the rounds and by hand, and stands besides: nothing
 * that is due later comes by itself, so that a test waits for nothing.
 */
class Bench {
  readonly roundSignal = new RoundSignal();
  readonly asked: Asked[] = [];
  readonly looks: { readonly reasons: readonly Reason[]; readonly refresh: Refresh }[] = [];
  readonly #stop = new AbortController();
  readonly #rounds: AsyncGenerator<Report | KernelUnreadable>;
  now = 0;

  constructor(acts: readonly Act[], pace: Partial<Pace> = {}) {
    const script = [...acts];
    const reconciler: Pick<Reconciler, 'round'> = {
      round: async (_role, reasons, refresh) => {
        this.asked.push(`${refresh}: ${reasons.map(({ text }) => text).join(' ')}`);
        this.looks.push({ reasons, refresh });
        const act = script.shift() ?? {};
        const at = this.now;
        this.now += act.takes ?? 0;
        if (act.bug) throw act.bug;
        if (act.unreadable) throw new KernelError('EIO', '');
        return report(reasons, at, act);
      },
    };
    const role = new TestRole(() => snapshot([], []));
    this.#rounds = rounds(
      {
        reconciler,
        roundSignal: this.roundSignal,
        role: () => role,
        pace: () => ({ settle: 0, resync: 10_000, retryFirst: 100, retryLongest: 400, ...pace }),
        clock: () => this.now,
      },
      this.#stop.signal,
    );
  }

  notify(...kinds: readonly Reason['kind'][]): void {
    for (const kind of kinds) this.roundSignal.notify({ kind, text: kind });
  }

  /** The next round; the loop must be due. */
  async next(): Promise<Report | KernelUnreadable> {
    const { value, done } = await this.#rounds.next();
    if (done) throw new Error('the loop ended');
    return value;
  }

  /** A round at a later time. */
  at(now: number): Promise<Report | KernelUnreadable> {
    this.now = now;
    return this.next();
  }

  abort(reason: Error): void {
    this.#stop.abort(reason);
  }
}

function report(reasons: readonly Reason[], at: number, { failed, again }: Act): Report {
  return {
    round: 1,
    reasons,
    dumped: true,
    at,
    duration: 0,
    done: [],
    repaired: new Set(),
    failed: failed ? [failure] : [],
    conflicts: [],
    held: [],
    problems: [],
    missing: [],
    lacking: 0,
    installed: none,
    wanted: none,
    complete: true,
    again: again === undefined ? undefined : at + again,
  };
}

describe('the loop', () => {
  it('dumps at the start, trusts the last dump after a signal, and dumps at each resync', async () => {
    const bench = new Bench([]);
    await bench.next();
    bench.notify('cluster');
    await bench.next();
    await bench.at(10_000);
    await bench.at(20_000);
    expect(bench.asked).to.deep.equal(['dump: start', 'cached: cluster', 'dump: resync', 'dump: resync']);
  });

  it('takes the reasons from before the start along', async () => {
    const bench = new Bench([]);
    bench.notify('cluster', 'cluster');
    await bench.next();
    expect(bench.asked).to.deep.equal(['dump: cluster cluster start']);
  });

  it('makes one round of a burst: it waits for more after the first reason', async () => {
    const bench = new Bench([], { settle: 2 });
    await bench.next();
    bench.notify('cluster');
    setImmediate(() => bench.notify('cluster'));
    await bench.next();
    expect(bench.asked.slice(1)).to.deep.equal(['cached: cluster cluster']);
  });

  it('keeps reasons that arrive during a round for the next', async () => {
    const bench = new Bench([{}]);
    const first = bench.next();
    await first;
    bench.notify('cluster');
    bench.notify('route');
    await bench.next();
    expect(bench.asked.slice(1)).to.deep.equal(['dump: cluster route']);
  });

  it('dumps for a hint, a new configuration, and an operator', async () => {
    const bench = new Bench([]);
    await bench.next();
    for (const kind of ['route', 'link', 'overrun', 'netconf', 'config', 'operator'] as const) {
      bench.notify(kind);
      await bench.next();
    }
    expect(bench.asked.slice(1)).to.deep.equal([
      'dump: route',
      'dump: link',
      'dump: overrun',
      'dump: netconf',
      'dump: config',
      'dump: operator',
    ]);
  });

  it('rests from hints for four times as long as the last dump took, not from anything else', async () => {
    const bench = new Bench([{ takes: 50 }]);
    await bench.next();
    bench.notify('route');
    bench.notify('cluster');
    await bench.next();
    expect(bench.asked.slice(1)).to.deep.equal(['cached: cluster']);
    bench.now = 249;
    bench.notify('cluster');
    await bench.next();
    await bench.at(250);
    expect(bench.asked.slice(2)).to.deep.equal(['cached: cluster', 'dump: route']);
  });

  it('reads the addresses at once when one comes or goes, and dumps after the rest', async () => {
    const bench = new Bench([{ takes: 50 }]);
    await bench.next();
    bench.notify('route', 'address', 'cluster');
    await bench.next();
    await bench.at(250);
    expect(bench.asked.slice(1)).to.deep.equal(['links: cluster address', 'dump: route address']);
  });

  it('reads the addresses first where a dump may follow at once', async () => {
    const bench = new Bench([]);
    await bench.next();
    bench.notify('address');
    await bench.next();
    await bench.next();
    expect(bench.asked.slice(1)).to.deep.equal(['links: address', 'dump: address']);
  });

  it('does not put a dump off for addresses that go on changing', async () => {
    const bench = new Bench([]);
    await bench.next();
    for (let i = 0; i < 4; i += 1) {
      bench.notify('address');
      await bench.next();
    }
    expect(bench.asked.slice(1)).to.deep.equal([
      'links: address',
      'dump: address address',
      'links: address',
      'dump: address address',
    ]);
  });

  it('dumps alone when a person has asked for it while an address came', async () => {
    const bench = new Bench([]);
    await bench.next();
    bench.notify('address', 'config');
    await bench.next();
    expect(bench.asked.slice(1)).to.deep.equal(['dump: config address']);
  });

  it('dumps once for all hints of a rest', async () => {
    const bench = new Bench([{ takes: 50 }]);
    await bench.next();
    for (let i = 0; i < 3; i += 1) {
      bench.notify('route', 'cluster');
      await bench.next();
    }
    await bench.at(250);
    expect(bench.asked.slice(1)).to.deep.equal([
      'cached: cluster',
      'cached: cluster',
      'cached: cluster',
      'dump: route route route',
    ]);
  });

  it('keeps a handful of the hints of a long rest', async () => {
    const bench = new Bench([{ takes: 1000 }]);
    await bench.next();
    for (let i = 0; i < 10; i += 1) {
      bench.notify('route', 'route', 'route', 'cluster');
      await bench.next();
    }
    await bench.at(5000);
    expect(bench.looks.at(-1)?.reasons).to.have.length(16);
  });

  it('tries again after a failure, later and later, until it is over', async () => {
    const bench = new Bench([{ failed: true }, { failed: true }, { failed: true }, {}, {}]);
    await bench.next();
    // Jittered between half and one and a half times 100, 200, 400 ms.
    await bench.at(150);
    await bench.at(450);
    await bench.at(1050);
    bench.notify('cluster');
    await bench.at(9000);
    expect(bench.asked).to.deep.equal([
      'dump: start',
      'dump: retry after a failure',
      'dump: retry after a failure',
      'dump: retry after a failure',
      'cached: cluster',
    ]);
  });

  it('does not put a retry off because of a cached round', async () => {
    const bench = new Bench([{}, { failed: true }, { failed: true }, {}]);
    await bench.next();
    for (const now of [0, 49]) {
      bench.notify('cluster');
      await bench.at(now);
    }
    await bench.at(150);
    expect(bench.asked.at(-1)).to.equal('dump: retry after a failure');
  });

  it('goes on when the kernel cannot be read, reports it, and counts', async () => {
    const bench = new Bench([{ unreadable: true }, { unreadable: true }, {}]);
    const first = await bench.next();
    if (!('error' in first)) throw new Error('the kernel was to be unreadable');
    expect(first.failures).to.equal(1);
    expect(first.retryIn).to.be.within(50, 150);
    const second = await bench.at(150);
    expect('error' in second && second.failures).to.equal(2);
    const third = await bench.at(450);
    expect('error' in third).to.equal(false);
    expect(bench.asked).to.deep.equal([
      'dump: start',
      'dump: retry after a failure',
      'dump: retry after a failure',
    ]);
  });

  it('comes back when a report says so', async () => {
    const bench = new Bench([{ again: 600 }, {}]);
    await bench.next();
    await bench.at(600);
    expect(bench.asked.slice(1)).to.deep.equal(['cached: a hold is over']);
  });

  it('does not spin on a hold that is over while the kernel cannot be read', async () => {
    const bench = new Bench([{ again: 600 }, { unreadable: true }, {}]);
    await bench.next();
    await bench.at(600);
    bench.notify('cluster');
    await bench.next();
    expect(bench.asked.slice(1)).to.deep.equal(['cached: a hold is over', 'cached: cluster']);
  });

  it('ends on an abort, while it waits and between two rounds', async () => {
    const reason = new Error('enough');
    const bench = new Bench([]);
    await bench.next();
    const waiting = bench.next();
    bench.abort(reason);
    expect(await waiting.catch((error: unknown) => error)).to.equal(reason);
    const other = new Bench([]);
    other.abort(reason);
    expect(await other.next().catch((error: unknown) => error)).to.equal(reason);
    expect(other.asked).to.deep.equal([]);
  });

  it('does not survive a bug', async () => {
    const bug = new TypeError('a bug');
    const bench = new Bench([{ bug }]);
    expect(await bench.next().catch((error: unknown) => error)).to.equal(bug);
  });
});
