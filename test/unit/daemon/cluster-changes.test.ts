import { expect } from 'chai';
import { GrowingDelta } from '../../../src/cluster/delta.ts';
import { ClusterChanges } from '../../../src/daemon/cluster-changes.ts';
import type { Delta } from '../../../src/model/cluster.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { noCounts } from '../../../src/model/object.ts';
import type { Held, PlannedChange, Report } from '../../../src/reconcile/report.ts';

const only: ReadonlySet<undefined> = new Set([undefined]);

const change: PlannedChange = {
  verb: 'delete',
  key: 'nexthop 1',
  have: { kind: 'nexthop', id: 1, via: parseIp('10.0.0.1'), link: 2, protocol: 86 },
  why: { text: 'a test' },
};
const doubted: Held = { ...change, reason: 'too many at once', until: undefined };

function report(parts: Partial<Report>): Report {
  return {
    round: 1,
    reasons: [],
    dumped: false,
    at: 0,
    duration: 0,
    done: [],
    repaired: new Set(),
    failed: [],
    conflicts: [],
    held: [],
    problems: [],
    missing: [],
    lacking: 0,
    installed: noCounts,
    wanted: noCounts,
    complete: true,
    again: undefined,
    ...parts,
  };
}

function deltaOf(...services: readonly string[]): Delta {
  const delta = new GrowingDelta();
  for (const key of services) delta.service(key, 'event');
  return delta;
}

/** What is saved until the test is over. */
function saving(changes: ClusterChanges, signal: AbortSignal) {
  const saved: (readonly string[] | 'all')[] = [];
  let wake = (): void => {};
  const clusters = {
    save: ({ services }: Delta): Promise<void> => {
      saved.push(services === 'all' ? services : [...services]);
      wake();
      return Promise.resolve();
    },
  };
  const over = changes.saveApplied(clusters, signal);
  const next = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  return { saved, over, next };
}

describe('changes of the cluster', () => {
  it('wait for a round, which takes each once', () => {
    const changes = new ClusterChanges();
    changes.add(deltaOf('a/1'));
    changes.add(deltaOf('a/2'));
    expect([...changes.take(only).services]).to.deep.equal(['a/1', 'a/2']);
    expect([...changes.take(only).services]).to.deep.equal([]);
  });

  it('are saved once a round has acted on them, with those of its other passes, and not with those of a round that did nothing', async () => {
    const changes = new ClusterChanges();
    const stop = new AbortController();
    const { saved, over, next } = saving(changes, stop.signal);
    changes.add(deltaOf('a/idle'));
    changes.take(only);
    changes.rounded(report({}));
    const first = next();
    changes.add(deltaOf('a/1'));
    changes.take(only);
    changes.add(deltaOf('a/2'));
    changes.take(only);
    changes.add(deltaOf('a/later'));
    changes.rounded(report({ done: [change] }));
    await first;
    expect(saved).to.deep.equal([['a/1', 'a/2']]);
    stop.abort();
    await over.catch(() => {});
  });

  it('make a cluster believed once a round has seen its lists, and doubts nothing', () => {
    const changes = new ClusterChanges();
    expect(changes.believed(undefined)).to.equal(false);
    changes.take(only);
    expect(changes.believed(undefined), 'while the round is under way').to.equal(false);
    changes.rounded(report({}));
    expect(changes.believed(undefined)).to.equal(true);
    expect(changes.believed('another')).to.equal(false);
    changes.rounded(report({ held: [doubted] }));
    expect(changes.believed(undefined)).to.equal(false);
  });

  it('tell when the first round with all lists is over, once', async () => {
    const changes = new ClusterChanges();
    const stop = new AbortController();
    let told = 0;
    const listening = (async () => {
      for await (const _ of changes.listed.listen(stop.signal)) told += 1;
    })();
    for (const complete of [false, true, true]) {
      changes.rounded(report({ complete }));
      await new Promise((resolve) => setImmediate(resolve));
      expect(told).to.equal(complete ? 1 : 0);
    }
    stop.abort();
    await listening;
  });
});
