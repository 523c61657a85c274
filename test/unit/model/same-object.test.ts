import { expect } from 'chai';
import fc from 'fast-check';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { type KernelObject, keyOf } from '../../../src/model/object.ts';
import { equal } from '../../../src/model/same-object.ts';
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

  it('sees every field of the objects in nftables', () => {
    const port = {
      protocol: 'tcp',
      port: 80,
      nodePort: 30080,
      group: 1,
      affinity: 'connection',
      ranges: [parsePrefix('192.0.2.0/24')],
    } as const;
    const eip = {
      kind: 'nat-eip',
      eip: parseIp('192.0.2.1'),
      protocol: 86,
      ports: [port],
      intact: true,
    } as const;
    const buckets = [parseIp('10.0.0.11'), parseIp('10.0.0.12')];
    const nodes = {
      kind: 'nat-group',
      id: 1,
      protocol: 86,
      family: 4,
      buckets,
      seed: 7,
      intact: true,
    } as const;
    const table = { kind: 'nft', family: 'ip', name: 'eip', protocol: 86, content: '', digest: 'a' } as const;
    const others: readonly (readonly [KernelObject, KernelObject])[] = [
      [table, { ...table, family: 'ip6' }],
      [table, { ...table, name: 'other' }],
      [table, { ...table, protocol: 99 }],
      [table, { ...table, digest: 'b' }],
      [nodes, { ...nodes, id: 2 }],
      [nodes, { ...nodes, protocol: 99 }],
      [nodes, { ...nodes, family: 6 }],
      [nodes, { ...nodes, buckets: buckets.slice(1) }],
      [nodes, { ...nodes, buckets: buckets.toReversed() }],
      [nodes, { ...nodes, seed: 8 }],
      [nodes, { ...nodes, intact: false }],
      [eip, { ...eip, eip: parseIp('192.0.2.2') }],
      [eip, { ...eip, protocol: 99 }],
      [eip, { ...eip, intact: false }],
      [eip, { ...eip, ports: [] }],
      ...[
        { ...port, protocol: 'udp' as const },
        { ...port, port: 81 },
        { ...port, nodePort: 0 },
        { ...port, group: 0 },
        { ...port, affinity: 'address' as const },
        { ...port, ranges: undefined },
        { ...port, ranges: [] },
      ].map((one): [KernelObject, KernelObject] => [eip, { ...eip, ports: [one] }]),
    ];
    expect(others.filter(([one, other]) => equal(one, other))).to.deep.equal([]);
    for (const one of [table, nodes, eip]) expect(equal(one, structuredClone(one))).to.equal(true);
  });
});
