import { expect } from 'chai';
import { parsePrefix } from '../../../src/model/ip.ts';
import { changeObject, familyOf, keyOf } from '../../../src/model/object.ts';
import { group, hop, nexthop, proxyNeighbour, route, rule, sysctl } from '../../contract/objects.ts';

describe('keyOf', () => {
  it('is shared by nexthops and groups', () => {
    expect(keyOf(nexthop(7, '10.0.0.11', 2))).to.equal(keyOf(group(7, [1])));
  });

  it('is table, destination and metric for routes of any protocol', () => {
    const one = route('192.0.2.1', { nhid: 1 });
    expect(keyOf({ ...one, protocol: 99, nhid: 2, type: 'blackhole' })).to.equal(keyOf(one));
    expect(keyOf({ ...one, metric: 1 })).not.to.equal(keyOf(one));
    expect(keyOf({ ...one, table: 100 })).not.to.equal(keyOf(one));
  });

  it('is everything for rules', () => {
    const one = rule(4, 1000, 100);
    const others = [
      rule(6, 1000, 100),
      rule(4, 1001, 100),
      rule(4, 1000, 101),
      rule(4, 1000, 100, { protocol: 99 }),
      rule(4, 1000, 100, { from: parsePrefix('192.0.2.0/24') }),
      rule(4, 1000, 100, { to: parsePrefix('192.0.2.0/24') }),
      rule(4, 1000, 100, { mark: { value: 1, mask: 1 } }),
      rule(4, 1000, 100, { mark: { value: 1, mask: 3 } }),
      rule(4, 1000, 100, { iif: 'eth0' }),
    ];
    expect(new Set([one, ...others].map(keyOf)).size).to.equal(others.length + 1);
  });

  it('keeps the value out for sysctls, and the protocol for neighbours', () => {
    expect(keyOf(sysctl('net/ipv4/ip_forward', '0'))).to.equal(keyOf(sysctl('net/ipv4/ip_forward', '1')));
    expect(keyOf(proxyNeighbour('192.0.2.1', 2, 99))).to.equal(keyOf(proxyNeighbour('192.0.2.1', 2)));
    expect(keyOf(proxyNeighbour('192.0.2.1', 3))).not.to.equal(keyOf(proxyNeighbour('192.0.2.1', 2)));
  });
});

describe('changeObject', () => {
  it('is what will be, or what was', () => {
    const [want, have] = [sysctl('net/ipv4/ip_forward', '1'), sysctl('net/ipv4/ip_forward', '0')];
    expect(changeObject({ verb: 'add', want })).to.equal(want);
    expect(changeObject({ verb: 'replace', want, have })).to.equal(want);
    expect(changeObject({ verb: 'delete', have })).to.equal(have);
  });
});

describe('familyOf', () => {
  it('is that of the destination, not of the gateway', () => {
    expect(familyOf(route('192.0.2.1', { hops: [hop('2001:db8:10::11', 2)] }))).to.equal(4);
    expect(familyOf(nexthop(1, '2001:db8:10::11', 2))).to.equal(6);
    expect(familyOf(group(1, [2]))).to.equal(undefined);
  });
});
