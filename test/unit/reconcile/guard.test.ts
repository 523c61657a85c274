import { expect } from 'chai';
import type { DeleteLimits } from '../../../src/model/delete-limits.ts';
import { type Change, changeObject, type KernelObject, keyOf } from '../../../src/model/object.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { type GuardInputs, guard } from '../../../src/reconcile/guard.ts';
import type { PlannedChange } from '../../../src/reconcile/report.ts';
import { nothingWithdrawn } from '../../../src/reconcile/withdrawals.ts';
import { listing } from '../../scene.ts';
import { adding, deleting, group, nexthop, replacing, route, say } from './objects.ts';

const limits: DeleteLimits = { share: 0.5, window: 1000, always: 1, hold: 1000 };
const until = 5000;

function held(
  due: readonly PlannedChange[],
  have: readonly KernelObject[],
  rest: Partial<GuardInputs> = {},
): readonly string[] {
  const guarded = guard(due, {
    actual: new Actual(listing(have)),
    complete: true,
    limits,
    agreed: false,
    holdUntil: until,
    withdrawn: nothingWithdrawn,
    released: new Map(),
    isEvident: () => false,
    isDecided: () => false,
    ...rest,
  });
  expect([...guarded.go, ...guarded.held].map(say).sort(), 'nothing is lost').to.deep.equal(
    due.map(say).sort(),
  );
  return guarded.held.map((one) => `${say(one)}: ${one.reason}${one.until === until ? ', for a time' : ''}`);
}

/** Ten EIPs on one group of four nodes, and an unreachable route. */
const nodes = [1, 2, 3, 4].map(nexthop);
const all = group(9, [1, 2, 3, 4]);
const routes = Array.from({ length: 10 }, (_, i) => route(i + 1, 9));
const pool = route(99, undefined);
const have: readonly KernelObject[] = [...nodes, all, ...routes, pool];

describe('the guard, by routes,', () => {
  const gone = (count: number) => routes.slice(0, count).map(deleting);

  it('lets the share itself go, and holds one more', () => {
    expect(held(gone(5), have)).to.deep.equal([]);
    expect(held(gone(6), have)).to.deep.equal(
      gone(6).map((one) => `${say(one)}: too many at once, for a time`),
    );
  });

  it('never holds up to the number that always goes', () => {
    const two = routes.slice(0, 2);
    expect(held(two.map(deleting), two)).to.have.length(2);
    expect(held(two.map(deleting), two, { limits: { ...limits, always: 2 } })).to.deep.equal([]);
    expect(held(gone(1), routes.slice(0, 1))).to.deep.equal([]);
  });

  it('holds nothing with a share of 1, and all with a share of 0 but what always goes', () => {
    expect(held(gone(10), have, { limits: { ...limits, share: 1 } })).to.deep.equal([]);
    expect(held(gone(2), have, { limits: { ...limits, share: 0 } })).to.have.length(2);
    expect(held(gone(1), have, { limits: { ...limits, share: 0 } })).to.deep.equal([]);
  });

  it('counts one that a person let go once, be it still there', () => {
    const released = new Map([[keyOf(routes[0] ?? pool), 'a']]);
    expect(held(gone(5), have, { released })).to.deep.equal([]);
  });

  it('counts neither unreachable routes nor those that move', () => {
    expect(held([deleting(pool)], [pool], { limits: { ...limits, share: 0, always: 0 } })).to.deep.equal([]);
    const moves = routes.map((one) => replacing(one, { ...one, nhid: 1 }));
    expect(held(moves, have)).to.deep.equal([]);
  });

  it('counts what went within the window, against what there was before it', () => {
    const left = have.filter((one) => !gone(4).some((change) => changeObject(change) === one));
    const withdrawn = {
      routes: new Map(gone(4).map((change) => [keyOf(changeObject(change)), 'a'])),
      nexthops: new Set<string>(),
    };
    const next = (count: number) => routes.slice(4, 4 + count).map(deleting);
    expect(held(next(1), left, { withdrawn })).to.deep.equal([]);
    expect(held(next(2), left, { withdrawn })).to.have.length(2);
    expect(held(next(2), left)).to.deep.equal([]);
    expect(held([], left, { withdrawn })).to.deep.equal([]);
  });

  it('neither counts nor holds what the cluster shows the reason of', () => {
    const isEvident = (change: Change) => gone(6).some((one) => changeObject(one) === changeObject(change));
    expect(held(gone(10), have, { isEvident })).to.deep.equal([]);
    expect(held(gone(6), have, { isEvident, limits: { ...limits, share: 0 } })).to.deep.equal([]);
    const strict = { isEvident, limits: { ...limits, share: 0.3 } };
    expect(held(gone(10), have, strict).map((line) => line.split(':')[0])).to.deep.equal(
      routes.slice(6).map((one) => say(deleting(one))),
    );
  });

  it('lets everything else of the round go', () => {
    const rest = [adding(route(50, 9)), deleting(pool), replacing(all, group(9, [1, 2, 3]))];
    expect(held([...rest, ...gone(10)], have)).to.have.length(10);
  });
});

describe('the guard, by nexthops,', () => {
  const shrunk = (members: readonly number[]) => [
    replacing(all, group(9, members)),
    ...nodes.filter(({ id }) => !members.includes(id)).map(deleting),
  ];

  it('lets the share itself go, and holds one more together with what takes traffic off it', () => {
    expect(held(shrunk([1, 2]), have)).to.deep.equal([]);
    expect(held(shrunk([1]), have)).to.deep.equal(
      shrunk([1]).map((one) => `${say(one)}: too many at once, for a time`),
    );
  });

  it('lets those go within the share while too many routes wait', () => {
    const six = routes.slice(0, 6).map(deleting);
    expect(held([...shrunk([1, 2, 3]), ...six], have)).to.have.length(6);
  });

  it('never holds up to the number that always goes', () => {
    expect(held(shrunk([1]), have, { limits: { ...limits, always: 3 } })).to.deep.equal([]);
    expect(held(shrunk([1]), have, { limits: { ...limits, always: 2 } })).to.have.length(4);
  });

  it('counts those that went within the window against what there was before it', () => {
    const withdrawn = { routes: new Map(), nexthops: new Set(['10.0.0.8', '10.0.0.9']) };
    expect(held(shrunk([1, 2]), have, { withdrawn })).to.have.length(3);
  });

  it('holds a route that moves to another group just the same', () => {
    const small = group(8, [1]);
    const moves = routes.map((one) => replacing(one, { ...one, nhid: 8 }));
    const gone = [2, 3, 4].map((id) => deleting(nexthop(id)));
    const found = held([adding(small), ...moves, deleting(all), ...gone], have);
    expect(found).to.have.length(moves.length + gone.length);
    // Also one that a person let go: its delete.
    const released = new Map([[keyOf(routes[0] ?? pool), 'a']]);
    expect(held([adding(small), ...moves, deleting(all), ...gone], have, { released })).to.deep.equal(found);
  });

  it('counts those that went within the window', () => {
    const [, , third, fourth] = nodes;
    const withdrawn = { routes: new Map(), nexthops: new Set(['10.0.0.2']) };
    const left = have.filter((one) => one !== nodes[1]);
    const now = group(9, [1, 3, 4]);
    if (third === undefined || fourth === undefined) throw new Error('four nodes');
    const two = [replacing(now, group(9, [1])), deleting(third), deleting(fourth)];
    const present = left.map((one) => (one === all ? now : one));
    expect(held(two, present, { withdrawn })).to.have.length(3);
    const one = [replacing(now, group(9, [1, 3])), deleting(fourth)];
    expect(held(one, present, { withdrawn })).to.deep.equal([]);
  });

  it('holds the routes that lead to them, but for those whose move the cluster shows', () => {
    const small = group(8, [1]);
    const [first, second, ...others] = routes;
    if (first === undefined || second === undefined) throw new Error('ten routes');
    const moves = [second, ...others].map((one) => replacing(one, { ...one, nhid: 8 }));
    const gone = [2, 3, 4].map((id) => deleting(nexthop(id)));
    const isEvident = (change: Change) =>
      changeObject(change).kind === 'route' && keyOf(changeObject(change)) === keyOf(second);
    const found = held([adding(small), deleting(first), ...moves, ...gone], have, { isEvident });
    expect(found).to.have.length(1 + moves.length - 1 + gone.length);
    expect(found.join()).not.to.include(say(replacing(second, second)).replace('replace ', ''));
  });

  it('keeps a group as it is to which a held route leads, when only the endpoints of others have moved', () => {
    const present = [...have, nexthop(5)];
    const moved = replacing(all, group(9, [5]));
    const few = [moved, deleting(routes[0] ?? pool)];
    const evident = { isEvident: (change: Change) => changeObject(change).kind === 'group' };
    const strict = { limits: { ...limits, share: 0, always: 0 } };
    expect(held(few, present, { ...strict, ...evident })).to.have.length(2);
    expect(held(few, present, strict)).to.have.length(1);
    expect(held([moved], present, { ...strict, ...evident })).to.deep.equal([]);
  });

  it('does not count them where the cluster shows that no EIP uses them', () => {
    const isEvident = (change: Change) => change.verb === 'delete' && change.have.kind === 'nexthop';
    expect(held(shrunk([1]), have, { isEvident })).to.deep.equal([]);
    const moved = (change: Change) => change.verb === 'replace';
    expect(held(shrunk([1]), have, { isEvident: moved })).to.deep.equal([]);
  });

  it('counts only what still leads somewhere: nexthops without users go', () => {
    const unused = [5, 6, 7, 8].map(nexthop);
    expect(held(unused.map(deleting), [...have, ...unused])).to.deep.equal([]);
  });

  it('follows a route that names a nexthop itself', () => {
    const direct = nodes.map(({ id }) => route(20 + id, id));
    const due = [...direct.map((one) => replacing(one, { ...one, nhid: 5 })), ...nodes.map(deleting)];
    expect(held(due, [...nodes, ...direct])).to.have.length(8);
  });
});

describe('the guard', () => {
  const due = [
    adding(route(50, 9)),
    replacing(all, group(9, [1])),
    ...routes.map(deleting),
    ...nodes.map(deleting),
  ];

  it('lets no delete go while a list is missing, and everything else', () => {
    expect(held(due, have, { complete: false })).to.deep.equal(
      [...routes, ...nodes].map((one) => `${say(deleting(one))}: lists incomplete`),
    );
  });

  it('keeps the group of a route that waits for a list from more nodes, and no other group', () => {
    const other = group(8, [1]);
    const grown = [group(9, [1, 2, 3, 4, 5]), group(8, [1, 5])].map((want) =>
      replacing(want.id === 9 ? all : other, want),
    );
    const [first, second] = grown;
    if (first === undefined || second === undefined) throw new Error('two groups');
    const waits = deleting(routes[0] ?? pool);
    const present = [...have, other, nexthop(5)];
    const found = held([first, second, waits], present, { complete: false });
    expect(found).to.deep.equal([first, waits].map((one) => `${say(one)}: lists incomplete`));
  });

  it('lets no delete go while a list is missing, though a person agrees', () => {
    expect(held(due, have, { complete: false, agreed: true })).to.have.length(14);
  });

  it('lets everything go when a person agrees', () => {
    expect(held(due, have, { agreed: true })).to.deep.equal([]);
  });

  it('holds nothing on an empty kernel', () => {
    expect(held([adding(all)], [])).to.deep.equal([]);
  });
});

describe('the guard, while a list is missing,', () => {
  const [first = all, second = all] = routes;
  const ofFirst: Partial<GuardInputs> = {
    complete: false,
    isDecided: (change) => changeObject(change) === first,
  };

  it('lets go what the other lists decide, and holds the rest', () => {
    expect(held([deleting(first), deleting(second)], have, ofFirst)).to.deep.equal([
      `${say(deleting(second))}: lists incomplete`,
    ]);
  });

  it('counts what they decide as ever', () => {
    const some = routes.slice(0, 6);
    const decided = { complete: false, isDecided: () => true };
    expect(held(some.map(deleting), have, decided)).to.deep.equal(
      some.map((one) => `${say(deleting(one))}: too many at once, for a time`),
    );
    expect(held(some.slice(0, 5).map(deleting), have, decided)).to.deep.equal([]);
  });

  it('leads a group to no further node while a route that waits leads to it', () => {
    const further = replacing(all, group(9, [1, 2, 3, 5]));
    const fewer = replacing(all, group(9, [1, 2]));
    const waits = `${say(deleting(second))}: lists incomplete`;
    expect(held([further, deleting(second)], have, ofFirst)).to.deep.equal([
      `${say(further)}: lists incomplete`,
      waits,
    ]);
    expect(held([fewer, deleting(second)], have, ofFirst)).to.deep.equal([waits]);
    expect(held([further], have, ofFirst)).to.deep.equal([]);
  });
});
