import { expect } from 'chai';
import { family, type Ip, parseIp } from '../../../src/model/ip.ts';
import { schedule, siblings } from '../../../src/probe/schedule.ts';
import type { Target } from '../../../src/probe/targets.ts';

function v4(i: number): Ip {
  return parseIp(`10.0.${i >> 8}.${i & 255}`);
}

function v6(i: number): Ip {
  return parseIp(`2001:db8:10::1:${i.toString(16)}`);
}

/** Nodes with an address of each family, from 1. */
function nodesOf(count: number): readonly Target[] {
  return Array.from({ length: count }, (_, at) => at + 1).flatMap((i) => [
    { node: `n${i}`, ip: v4(i) },
    { node: `n${i}`, ip: v6(i) },
  ]);
}

describe('the schedule of the probe', () => {
  const nodes = nodesOf(501);
  const all = nodes.map(({ ip }) => ip);

  it('has everybody asked in every turn where there are few addresses', () => {
    const few = nodesOf(500);
    const ips = few.map(({ ip }) => ip);
    const { always, seldom } = schedule(ips, few, new Set());
    expect(always).to.deep.equal(ips);
    expect(seldom.flat()).to.deep.equal([]);
  });

  it('has IPv6 addresses asked once in ten turns while the same node answers by IPv4, evenly', () => {
    const { always, seldom } = schedule(all, nodes, new Set());
    expect(always.filter((ip) => family(ip) === 6)).to.deep.equal([]);
    expect(always).to.have.lengthOf(501);
    expect(seldom.flat()).to.have.members(all.filter((ip) => family(ip) === 6));
    expect(seldom.map(({ length }) => length)).to.deep.equal([51, ...Array.from({ length: 9 }, () => 50)]);
  });

  it('has an address asked in every turn when it, or the other one of its node, is silent', () => {
    const { always } = schedule(all, nodes, new Set([v4(7), v6(9)]));
    expect(always.filter((ip) => family(ip) === 6)).to.deep.equal([v6(7), v6(9)]);
  });

  it('has an address asked in every turn where the node has none of IPv4 that may be asked', () => {
    const others = [...nodes, { node: 'six', ip: v6(900) }];
    const asked = others.map(({ ip }) => ip).filter((ip) => ip !== v4(3));
    const { always, seldom } = schedule(asked, others, new Set());
    expect(always.filter((ip) => family(ip) === 6)).to.deep.equal([v6(3), v6(900)]);
    expect([...always, ...seldom.flat()]).to.have.members(asked);
  });

  it('knows the other addresses of a node', () => {
    expect(siblings(new Set([v4(2)]), nodes)).to.deep.equal([v6(2)]);
    expect(siblings(new Set([v4(2), v6(2)]), nodes)).to.deep.equal([]);
  });
});
