import { expect } from 'chai';
import { nothingWithdrawn, Withdrawals } from '../../../src/reconcile/withdrawals.ts';
import { adding, deleting, nexthop, replacing, route } from './objects.ts';

const all = () => true;

describe('withdrawals', () => {
  it('are remembered for a window, by route and by address of the node', () => {
    const withdrawals = new Withdrawals();
    withdrawals.note([deleting(route(1, 9)), deleting(nexthop(3))], all, 1000);
    withdrawals.note([deleting(route(2, 9))], all, 1500);
    expect([...withdrawals.since(1000).routes.keys()]).to.have.length(2);
    expect([...withdrawals.since(1000).nexthops]).to.deep.equal(['10.0.0.13']);
    expect([...withdrawals.since(1001).routes.keys()]).to.deep.equal(['route 254 198.51.100.2/32 0']);
    expect(withdrawals.since(1001).nexthops.size).to.equal(0);
    withdrawals.since(1501);
    expect(withdrawals.since(0)).to.deep.equal(nothingWithdrawn);
  });

  it('end when the route or the node is back, under whatever id', () => {
    const withdrawals = new Withdrawals();
    withdrawals.note([deleting(route(1, 9)), deleting(nexthop(3))], all, 1000);
    withdrawals.note([replacing(route(1, 9), route(1, 8))], all, 1001);
    expect(withdrawals.since(0).routes.size).to.equal(1);
    withdrawals.note([adding(route(1, 7)), adding({ ...nexthop(4), via: nexthop(3).via })], all, 1002);
    expect(withdrawals.since(0)).to.deep.equal(nothingWithdrawn);
  });

  it('are none when the cluster shows why, and none after an operator agreed', () => {
    const withdrawals = new Withdrawals();
    const evident = deleting(route(1, 9));
    withdrawals.note([evident, deleting(route(2, 9))], (one) => one !== evident, 1000);
    expect([...withdrawals.since(0).routes.keys()]).to.deep.equal(['route 254 198.51.100.2/32 0']);
    withdrawals.forget();
    expect(withdrawals.since(0)).to.deep.equal(nothingWithdrawn);
  });
});
