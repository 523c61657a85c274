import { expect } from 'chai';
import fc from 'fast-check';
import { type Fib, fib, lookup, type Packet, type Verdict } from '../../lab/fake/fib.ts';
import { World } from '../../lab/fake/memory-world.ts';
import {
  contains,
  family,
  ipFromBytes,
  networkOf,
  parseIp,
  parsePrefix,
  prefixLength,
} from '../../src/model/ip.ts';
import type { KernelObject } from '../../src/model/object.ts';
import { group, groupId, hop, nexthop, nexthopId, route, rule } from '../contract/objects.ts';

const farMetric = 4_278_198_272;

function packet(dst: string, rest: Partial<Packet> = {}): Packet {
  return {
    dst: parseIp(dst),
    src: parseIp(dst.includes(':') ? '2001:db8:9::9' : '192.0.2.99'),
    mark: 0,
    iif: 'eth1',
    ...rest,
  };
}

function fibOf(world: World): Fib {
  return fib(world.objects.values(), world.links.values());
}

/** `via,weight via,weight`, or why not. */
function say(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'forwarded':
      return verdict.hops.map(({ via, link, weight }) => `${via ?? `link ${link}`},${weight}`).join(' ');
    case 'local':
      return 'local';
    case 'refused':
      return verdict.route === undefined ? 'no route' : verdict.reason;
    default:
      return verdict satisfies never;
  }
}

describe('a packet', () => {
  let world: World;
  let lan: number;
  let uplink: number;

  /** A gateway with two nodes, one EIP of each family, and their pools. */
  beforeEach(() => {
    world = new World();
    lan = world.addLink('eth0', '10.0.0.1/24', '2001:db8:10::1/64');
    uplink = world.addLink('eth1', '203.0.113.1/24', '2001:db8:20::1/64');
    const objects: readonly KernelObject[] = [
      nexthop(nexthopId(1), '10.0.0.11', lan),
      nexthop(nexthopId(2), '10.0.0.12', lan),
      nexthop(nexthopId(11), '2001:db8:10::11', lan),
      group(groupId(1), [nexthopId(1), [nexthopId(2), 3]]),
      group(groupId(2), [nexthopId(11)]),
      route('198.51.100.10', { nhid: groupId(1) }),
      route('2001:db8:e::10', { nhid: groupId(2) }),
      route('198.51.100.0/24', { type: 'unreachable', metric: farMetric }),
      route('2001:db8:e::/64', { type: 'unreachable', metric: farMetric }),
    ];
    for (const object of objects) world.add(object);
  });

  function go(to: Packet): string {
    return say(lookup(fibOf(world), to));
  }

  it('to an EIP takes one of the nodes, each by its weight', () => {
    expect(go(packet('198.51.100.10'))).to.equal('10.0.0.11,1 10.0.0.12,3');
    expect(go(packet('2001:db8:e::10'))).to.equal('2001:db8:10::11,1');
  });

  it('to an EIP without a Service is refused, and does not bounce', () => {
    expect(go(packet('198.51.100.11'))).to.equal('unreachable');
    expect(go(packet('2001:db8:e::11'))).to.equal('unreachable');
  });

  it('to an EIP goes on while the pool around it is replaced by a better metric', () => {
    world.add(route('198.51.100.0/24', { type: 'unreachable' }));
    expect(go(packet('198.51.100.10'))).to.equal('10.0.0.11,1 10.0.0.12,3');
  });

  it('to a pool of one address reaches the EIP, whose metric is better', () => {
    world.add(route('198.51.100.10', { type: 'unreachable', metric: farMetric }));
    expect(go(packet('198.51.100.10'))).to.equal('10.0.0.11,1 10.0.0.12,3');
    world.delete(route('198.51.100.10', { nhid: groupId(1) }));
    expect(go(packet('198.51.100.10'))).to.equal('unreachable');
  });

  it('follows the longest prefix first, the metric second', () => {
    world.add(route('198.51.100.0/28', { nhid: nexthopId(2), metric: 9 }));
    world.add(route('198.51.100.0/28', { nhid: nexthopId(1), metric: 3 }));
    expect(go(packet('198.51.100.11'))).to.equal('10.0.0.11,1');
    expect(go(packet('198.51.100.10'))).to.equal('10.0.0.11,1 10.0.0.12,3');
    expect(go(packet('198.51.100.16'))).to.equal('unreachable');
  });

  it('to the world takes the default route, and without one is lost', () => {
    expect(go(packet('192.0.2.1'))).to.equal('no route');
    world.add(route('0.0.0.0/0', { hops: [hop('203.0.113.254', uplink)] }));
    expect(go(packet('192.0.2.1'))).to.equal('203.0.113.254,1');
  });

  it('to a neighbour goes out of the link, and to the gateway itself stays', () => {
    expect(go(packet('10.0.0.12'))).to.equal(`link ${lan},1`);
    expect(go(packet('10.0.0.1'))).to.equal('local');
    expect(go(packet('2001:db8:20::1'))).to.equal('local');
  });

  it('is asked of rules in their order: mark, source, destination, interface', () => {
    world.add(route('0.0.0.0/0', { table: 101, hops: [hop('203.0.113.101', uplink)] }));
    world.add(route('0.0.0.0/0', { table: 102, hops: [hop('203.0.113.102', uplink)] }));
    world.add(route('0.0.0.0/0', { table: 103, hops: [hop('203.0.113.103', uplink)] }));
    world.add(rule(4, 1001, 101, { mark: { value: 0x00100000, mask: 0x00f00000 } }));
    world.add(rule(4, 1002, 102, { from: parsePrefix('198.51.100.0/24') }));
    world.add(rule(4, 1003, 103, { to: parsePrefix('192.0.2.0/24'), iif: 'eth0' }));
    expect(go(packet('192.0.2.1'))).to.equal('no route');
    expect(go(packet('192.0.2.1', { mark: 0x00204000 }))).to.equal('no route');
    expect(go(packet('192.0.2.1', { iif: 'eth0' }))).to.equal('203.0.113.103,1');
    const reply = { iif: 'eth0', src: parseIp('198.51.100.10') };
    expect(go(packet('192.0.2.1', reply))).to.equal('203.0.113.102,1');
    expect(go(packet('192.0.2.1', { ...reply, mark: 0x00104000 }))).to.equal('203.0.113.101,1');
  });

  it('is passed on by a table that has no answer or says throw, and by one that says unreachable it is not', () => {
    world.add(rule(4, 1000, 100));
    expect(go(packet('198.51.100.10'))).to.equal('10.0.0.11,1 10.0.0.12,3');
    world.add(route('198.51.100.0/24', { table: 100, type: 'throw' }));
    world.add(route('0.0.0.0/0', { table: 100, type: 'unreachable' }));
    expect(go(packet('198.51.100.10'))).to.equal('10.0.0.11,1 10.0.0.12,3');
    world.add(route('198.51.100.10', { table: 100, type: 'prohibit' }));
    expect(go(packet('198.51.100.10'))).to.equal('prohibit');
  });

  it('is local where a rule and a local route say so, as on a node', () => {
    world.add(route('198.51.100.0/24', { table: 100, type: 'local', hops: [hop(undefined, 1)] }));
    world.add(rule(4, 1100, 100, { to: parsePrefix('198.51.100.0/24') }));
    expect(go(packet('198.51.100.10'))).to.equal('local');
    expect(go(packet('192.0.2.1'))).to.equal('no route');
  });

  it('takes the other node when one is deleted, and meets the pool when the link goes', () => {
    world.delete(nexthop(nexthopId(1), '10.0.0.11', lan));
    expect(go(packet('198.51.100.10'))).to.equal('10.0.0.12,3');
    world.carrierLost('eth0');
    expect(go(packet('198.51.100.10'))).to.equal('unreachable');
    expect(go(packet('2001:db8:e::10'))).to.equal('unreachable');
  });

  it('leaves out a hop whose link is down', () => {
    world.add(route('192.0.2.0/24', { hops: [hop('10.0.0.11', lan), hop('203.0.113.9', uplink, 2)] }));
    world.linkDown('eth0');
    expect(go(packet('192.0.2.1'))).to.equal('203.0.113.9,2');
  });

  it('goes where a search through all routes of a table says', () => {
    const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
    const prefixes = fc
      .tuple(bytes, fc.integer({ min: 0, max: 32 }))
      .map(([ip, length]) => networkOf(ipFromBytes(ip), length));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(prefixes, fc.integer({ min: 1, max: 3 })), { maxLength: 30 }),
        bytes,
        (pairs, to) => {
          const routes = pairs.map(([dst, metric]) => route(dst, { metric, hops: [hop(undefined, 1)] }));
          const dst = ipFromBytes(to);
          const best = routes
            .filter((one) => contains(one.dst, dst))
            .toSorted((a, b) => prefixLength(b.dst) - prefixLength(a.dst) || a.metric - b.metric)[0];
          const link = { index: 1, name: 'lo', up: true, carrier: true, addresses: [] };
          const verdict = lookup(fib([rule(family(dst), 0, 254), ...routes], [link]), packet(dst));
          expect(verdict.route && [verdict.route.dst, verdict.route.metric]).to.deep.equal(
            best && [best.dst, best.metric],
          );
        },
      ),
    );
  });
});
