import { expect } from 'chai';
import { type Kernel, KernelError } from '../../../src/kernel/kernel.ts';
import { type Desire, DesiredTable } from '../../../src/model/desired.ts';
import { parseIp } from '../../../src/model/ip.ts';
import {
  changeObject,
  type KernelObject,
  type NatGroup,
  type NexthopGroup,
} from '../../../src/model/object.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { inOrder, isDelete } from '../../../src/reconcile/diff.ts';
import { Drift } from '../../../src/reconcile/drift.ts';
import { Execution } from '../../../src/reconcile/execution.ts';
import type { PlannedChange } from '../../../src/reconcile/report.ts';
import { shrinking } from '../../../src/reconcile/shrinking.ts';
import { listing } from '../../scene.ts';
import { adding, group, nexthop, replacing, route, say } from './objects.ts';

describe('what deletes of nexthops make by the way', () => {
  const found = (builds: readonly PlannedChange[], ...gone: readonly number[]): readonly string[] =>
    [...shrinking(builds, new Set(gone))].map(([id, groups]) => `${id}: ${groups.map(say).join(', ')}`);
  const weighed = (one: NexthopGroup, ...weights: readonly number[]): NexthopGroup => ({
    ...one,
    members: one.members.map(({ id }, i) => ({ id, weight: weights[i] ?? 1 })),
  });
  const table = { buckets: 128, idleTimer: 60, unbalancedTimer: 0 };

  it('is each group that loses one of them, and keeps all else', () => {
    const builds = [
      replacing(group(7, [1, 2]), group(7, [2])),
      replacing(group(8, [1, 2, 3]), group(8, [1, 3])),
      replacing(group(9, [2, 1]), group(9, [2])),
      replacing(weighed(group(10, [1, 2, 3]), 4, 5, 6), weighed(group(10, [2, 3]), 5, 6)),
    ];
    expect(found(builds, 1, 2)).to.deep.equal([
      '1: replace nexthop 7, replace nexthop 9, replace nexthop 10',
      '2: replace nexthop 8',
    ]);
    expect(found(builds)).to.deep.equal([]);
    expect(found(builds, 3)).to.deep.equal([]);
  });

  it('is no group that becomes another one than that', () => {
    const builds = [
      // The others cover for it.
      replacing(group(7, [1, 2, 3]), weighed(group(7, [2, 3]), 3, 2)),
      replacing(group(8, [1, 2, 3]), group(8, [3, 2])),
      replacing(group(9, [1, 2]), group(9, [3])),
      replacing(group(10, [1, 2, 3]), group(10, [2])),
      replacing(group(11, [1, 2]), { ...group(11, [2]), protocol: 4 }),
      replacing(group(12, [1, 2]), { ...group(12, [2]), resilience: table }),
      replacing(group(13, [1, 2]), group(13, [1, 2, 3])),
      replacing(nexthop(14), group(14, [2])),
      adding(group(15, [2])),
    ];
    expect(found(builds, 1)).to.deep.equal([]);
  });

  it('is a resilient group as well', () => {
    const of = (members: readonly number[]): NexthopGroup => ({ ...group(7, members), resilience: table });
    expect(found([replacing(of([1, 2]), of([2]))], 1)).to.deep.equal(['1: replace nexthop 7']);
  });

  it('is no group to which a route or NAT is led: it has to be as desired by then', () => {
    const shrinks = replacing(group(7, [1, 2]), group(7, [2]));
    const nat: NatGroup = {
      kind: 'nat-group',
      id: 7,
      protocol: 86,
      family: 4,
      buckets: [parseIp('10.0.0.12')],
      seed: 1,
      intact: true,
    };
    expect(found([shrinks, adding(route(1, 7))], 1)).to.deep.equal([]);
    expect(found([shrinks, replacing(route(1, 8), route(1, 7))], 1)).to.deep.equal([]);
    expect(found([shrinks, replacing(nat, nat)], 1)).to.deep.equal([]);
    expect(found([shrinks, adding(route(1, 8))], 1)).to.deep.equal(['1: replace nexthop 7']);
  });
});

describe('a nexthop that is in groups', () => {
  /** Of nexthop 1, which goes: two groups have it, and one of them becomes what the kernel does not make of it. */
  const before = [nexthop(1), nexthop(2), nexthop(3), nexthop(4), group(7, [1, 2]), group(8, [1, 2, 3])];
  const after = [nexthop(2), nexthop(3), nexthop(4), group(7, [2]), group(8, [2, 4])];

  /**
   * Brings a kernel from one to the other that refuses some changes: what it was asked, and what remained due.
   *
   * @param passes whether each plans the delete, or knows only that it comes
   */
  async function made(refuses: (change: string) => boolean, ...passes: readonly ('delete' | 'retiring')[]) {
    const table = new DesiredTable();
    const actual = new Actual(listing(before));
    const drift = new Drift();
    const desire: Desire = { table, update: () => expect.fail() };
    for (const object of after satisfies readonly KernelObject[]) table.set(object, { text: 'a test' });
    drift.follow(desire, actual);
    const asked: string[] = [];
    const kernel: Pick<Kernel, 'apply'> = {
      apply: async (changes) =>
        changes.map((change) => {
          const said = `${change.verb} ${changeObject(change).kind}`;
          asked.push(said);
          return refuses(said) ? new KernelError('EPERM', '') : undefined;
        }),
    };
    const execution = new Execution({ kernel, actual, drift, signal: new AbortController().signal });
    for (const [i, pass] of passes.entries()) {
      const due = inOrder(drift.changes.values());
      const builds = due.filter((one) => !isDelete(one));
      const deletes = pass === 'delete' ? due.filter(isDelete) : [];
      const refused = await execution.build({ builds, deletes }, new Set(pass === 'retiring' ? [1] : []));
      if (i + 1 === passes.length && refused.length === 0) await execution.withdraw(deletes);
    }
    return { asked, done: execution.done.map(say), due: [...drift.changes.values()].map(say) };
  }

  it('is taken out of them with its delete', async () => {
    expect(await made(() => false, 'delete')).to.deep.equal({
      asked: ['replace group', 'delete nexthop'],
      done: ['replace nexthop 8', 'replace nexthop 7', 'delete nexthop 1'],
      due: [],
    });
  });

  it('is taken out of them with its delete, when that comes with the next pass', async () => {
    expect(await made(() => false, 'retiring', 'delete')).to.deep.equal({
      asked: ['replace group', 'delete nexthop'],
      done: ['replace nexthop 8', 'replace nexthop 7', 'delete nexthop 1'],
      due: [],
    });
  });

  it('is taken out of each by a message of its own when its delete does not come after all', async () => {
    expect(await made(() => false, 'retiring')).to.deep.equal({
      asked: ['replace group', 'replace group'],
      done: ['replace nexthop 8', 'replace nexthop 7'],
      due: ['delete nexthop 1'],
    });
  });

  it('is taken out of each by a message of its own when its delete is refused', async () => {
    expect(await made((change) => change === 'delete nexthop', 'delete')).to.deep.equal({
      asked: ['replace group', 'delete nexthop', 'replace group'],
      done: ['replace nexthop 8', 'replace nexthop 7'],
      due: ['delete nexthop 1'],
    });
  });

  it('is taken out of each by a message of its own when its delete has to wait for a change that is refused', async () => {
    let first = true;
    const once = (change: string): boolean => {
      const refuses = first && change === 'replace group';
      first = false;
      return refuses;
    };
    expect(await made(once, 'delete')).to.deep.equal({
      asked: ['replace group', 'replace group'],
      done: ['replace nexthop 7'],
      due: ['replace nexthop 8', 'delete nexthop 1'],
    });
  });
});
