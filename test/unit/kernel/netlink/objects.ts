import fc from 'fast-check';
import { type Family, type Ip, ipFromBytes, networkOf } from '../../../../src/model/ip.ts';
import type { Nexthop, NexthopGroup, ProxyNeighbour, Route, Rule } from '../../../../src/model/object.ts';

// Any object that Linux could hold and our model has words for.

const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
const v6 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .filter((bytes) => bytes.slice(0, 10).some((byte) => byte !== 0))
  .map(ipFromBytes);
const family = fc.constantFrom<Family[]>(4, 6);
const u32 = fc.integer({ min: 1, max: 0xffffffff });
const id = fc.integer({ min: 1, max: 0x7fffffff });
const link = fc.integer({ min: 1, max: 100_000 });
const protocol = fc.integer({ min: 1, max: 255 });
const weight = fc.integer({ min: 1, max: 256 });

function ipOf(of: Family): fc.Arbitrary<Ip> {
  return of === 4 ? v4 : v6;
}

function prefixOf(of: Family) {
  return fc
    .tuple(ipOf(of), fc.integer({ min: 0, max: of === 4 ? 32 : 128 }))
    .map(([ip, length]) => networkOf(ip, length));
}

export const nexthops: fc.Arbitrary<Nexthop> = fc
  .record({ id, protocol, via: fc.oneof(v4, v6), link })
  .map((fields) => ({ kind: 'nexthop', ...fields }));

export const groups: fc.Arbitrary<NexthopGroup> = fc
  .record({
    id,
    protocol,
    members: fc
      .uniqueArray(fc.record({ id, weight }), { selector: (one) => one.id, minLength: 1, maxLength: 40 })
      .map((members) => members.sort((a, b) => a.id - b.id)),
    resilience: fc.option(
      fc.record({
        buckets: fc.integer({ min: 1, max: 0xffff }),
        idleTimer: fc.integer({ min: 0, max: 40_000_000 }),
        unbalancedTimer: fc.integer({ min: 0, max: 40_000_000 }),
      }),
      { nil: undefined },
    ),
  })
  .map((fields) => ({ kind: 'group', ...fields }));

const hop = (of: Family, link: fc.Arbitrary<number | undefined>) =>
  fc.record({ via: fc.oneof(ipOf(of), ipOf(6)), link, weight });

const way = (of: Family): fc.Arbitrary<Pick<Route, 'type' | 'nhid' | 'hops'>> =>
  fc.oneof(
    id.map((nhid) => ({ type: 'unicast' as const, nhid, hops: [] })),
    fc
      .constantFrom('blackhole', 'unreachable', 'prohibit', 'throw')
      .map((type) => ({ type, nhid: undefined, hops: [] })),
    fc
      .record({ via: fc.option(ipOf(of), { nil: undefined }), link })
      .map((one) => ({ type: 'unicast' as const, nhid: undefined, hops: [{ ...one, weight: 1 }] })),
    link.map((index) => ({
      type: 'local' as const,
      nhid: undefined,
      hops: [{ via: undefined, link: index, weight: 1 }],
    })),
    fc
      .array(hop(of, fc.option(link, { nil: undefined })), { minLength: 2, maxLength: 5 })
      .map((hops) => ({ type: 'unicast' as const, nhid: undefined, hops })),
  );

export const routes: fc.Arbitrary<Route> = family.chain((of) =>
  fc
    .record({
      table: u32,
      dst: prefixOf(of),
      metric: fc.nat({ max: 0xffffffff }),
      protocol,
      src: fc.option(ipOf(of), { nil: undefined }),
      way: way(of),
    })
    .map(({ way: { type, nhid, hops }, table, dst, metric, protocol, src }) => ({
      kind: 'route',
      table,
      dst,
      metric,
      protocol,
      type,
      nhid,
      hops,
      src,
    })),
);

export const rules: fc.Arbitrary<Rule> = family.chain((of) =>
  fc
    .record({
      family: fc.constant(of),
      priority: fc.nat({ max: 0xffffffff }),
      protocol,
      table: u32,
      from: fc.option(prefixOf(of), { nil: undefined }),
      to: fc.option(prefixOf(of), { nil: undefined }),
      mark: fc.option(fc.record({ value: u32, mask: u32 }), { nil: undefined }),
      iif: fc.option(fc.constantFrom('lo', 'eth0', 'eth0.100', 'enp0s31f6', 'fifteen-letters'), {
        nil: undefined,
      }),
    })
    .map((fields) => ({ kind: 'rule', ...fields })),
);

export const proxyNeighbours: fc.Arbitrary<ProxyNeighbour> = fc
  .record({ ip: fc.oneof(v4, v6), link, protocol })
  .map((fields) => ({ kind: 'neighbour', ...fields }));
