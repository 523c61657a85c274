import { expect } from 'chai';
import fc from 'fast-check';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { changeObject, equal, familyOf, type KernelObject, keyOf } from '../../../src/model/object.ts';
import { group, hop, nexthop, proxyNeighbour, route, rule, sysctl } from '../../contract/objects.ts';

const few = fc.integer({ min: 1, max: 3 });
const prefix = fc.constantFrom('192.0.2.0/24', '192.0.2.1', '2001:db8::/32', '2001:db8::1');
const address = fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1');
const protocol = fc.constantFrom(86, 99);
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const resilience = fc.record({ buckets: few, idleTimer: few, unbalancedTimer: few });

/** Small worlds, so that equal keys and equal objects do turn up. */
const anyObject: fc.Arbitrary<KernelObject> = fc.oneof(
  fc.tuple(few, address, few, protocol).map(([id, via, link, by]) => nexthop(id, via, link, by)),
  fc
    .tuple(few, fc.uniqueArray(few, { minLength: 1 }), few, maybe(resilience), protocol)
    .map(([id, members, weight, how, by]) =>
      group(
        id,
        members.map((member) => [member, weight] as const),
        how,
        by,
      ),
    ),
  fc
    .tuple(
      prefix,
      few,
      few,
      protocol,
      maybe(few),
      fc.constantFrom('unicast' as const, 'unreachable' as const),
    )
    .map(([dst, table, metric, by, nhid, type]) => route(dst, { table, metric, protocol: by, nhid, type })),
  fc
    .tuple(prefix, address, few, few)
    .map(([dst, via, link, weight]) => route(dst, { hops: [hop(via, link, weight)] })),
  fc
    .tuple(fc.constantFrom(4 as const, 6 as const), few, few, protocol, maybe(prefix), maybe(few), maybe(few))
    .map(([of, priority, table, by, to, mark, iif]) =>
      rule(of, priority, table, {
        protocol: by,
        to: to === undefined ? undefined : parsePrefix(to),
        mark: mark === undefined ? undefined : { value: mark, mask: 3 },
        iif: iif === undefined ? undefined : `eth${iif}`,
      }),
    ),
  fc.tuple(address, few, protocol).map(([ip, link, by]) => proxyNeighbour(ip, link, by)),
  fc.tuple(few, few).map(([name, value]) => sysctl(`net/ipv4/conf/eth${name}/rp_filter`, String(value))),
);

describe('equal', () => {
  it('is equality of all fields', () => {
    fc.assert(
      fc.property(anyObject, anyObject, (a, b) => {
        expect(equal(a, b)).to.equal(JSON.stringify(a) === JSON.stringify(b));
        expect(equal(a, structuredClone(a))).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('goes with equal keys', () => {
    fc.assert(
      fc.property(anyObject, anyObject, (a, b) => {
        if (equal(a, b)) expect(keyOf(a)).to.equal(keyOf(b));
      }),
      { numRuns: 2000 },
    );
  });

  it('sees every field of a route', () => {
    const one = route('192.0.2.1', { hops: [hop('10.0.0.11', 2), hop('10.0.0.12', 2)] });
    const others: readonly KernelObject[] = [
      { ...one, table: 100 },
      { ...one, metric: 1 },
      { ...one, protocol: 99 },
      { ...one, type: 'unreachable' },
      { ...one, nhid: 1 },
      { ...one, src: parseIp('10.0.0.1') },
      { ...one, hops: one.hops.slice(1) },
      { ...one, hops: one.hops.map((each) => ({ ...each, weight: 2 })) },
      { ...one, hops: one.hops.toReversed() },
    ];
    expect(others.filter((other) => equal(one, other))).to.deep.equal([]);
  });
});

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
