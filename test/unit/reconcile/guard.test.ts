import { expect } from 'chai';
import type { DeleteLimits } from '../../../src/model/delete-limits.ts';
import type { KernelObject } from '../../../src/model/object.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { guard } from '../../../src/reconcile/guard.ts';
import type { PlannedChange } from '../../../src/reconcile/report.ts';
import { listing } from '../../scene.ts';
import { adding, deleting, group, nexthop, replacing, route, say } from './objects.ts';

const limits: DeleteLimits = { share: 0.5, always: 1, hold: 1000 };
const until = 5000;

function held(
  due: readonly PlannedChange[],
  have: readonly KernelObject[],
  rest: { readonly complete?: boolean; readonly limits?: DeleteLimits; readonly agreed?: boolean } = {},
): readonly string[] {
  const guarded = guard(due, {
    actual: new Actual(listing(have)),
    complete: rest.complete ?? true,
    limits: rest.limits ?? limits,
    agreed: rest.agreed ?? false,
    holdUntil: until,
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

  it('counts neither unreachable routes nor those that move', () => {
    expect(held([deleting(pool)], [pool], { limits: { share: 0, always: 0, hold: 0 } })).to.deep.equal([]);
    const moves = routes.map((one) => replacing(one, { ...one, nhid: 1 }));
    expect(held(moves, have)).to.deep.equal([]);
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

  it('holds a route that moves to another group just the same', () => {
    const small = group(8, [1]);
    const moves = routes.map((one) => replacing(one, { ...one, nhid: 8 }));
    const gone = [2, 3, 4].map((id) => deleting(nexthop(id)));
    const found = held([adding(small), ...moves, deleting(all), ...gone], have);
    expect(found).to.have.length(moves.length + gone.length);
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
