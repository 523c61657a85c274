import { expect } from 'chai';
import { parseIp, parsePrefix } from '../../src/model/ip.ts';
import type { KernelObject } from '../../src/model/object.ts';
import { late } from '../patience.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { group, groupId, hop, nexthop, nexthopId, proxyNeighbour, route, rule } from './objects.ts';
import { adding, deleting, lan, replacing, Scenario, scope } from './scenario.ts';

const farMetric = 4_278_198_272;

/** Every shape of object that must come back from a dump as it went in. */
export const shapes: Readonly<Record<string, (scenario: Scenario) => KernelObject>> = {
  'an IPv4 nexthop': ({ lan }) => nexthop(nexthopId(9), '10.0.0.19', lan),
  'an IPv6 nexthop': ({ lan }) => nexthop(nexthopId(9), '2001:db8:10::19', lan),
  'a group': () => group(groupId(1), [nexthopId(1), nexthopId(2)]),
  'a group of one': () => group(groupId(1), [nexthopId(1)]),
  'an IPv6 group': () => group(groupId(1), [nexthopId(11), nexthopId(12)]),
  'a group with weights from 1 to 256': () =>
    group(groupId(1), [
      [nexthopId(1), 1],
      [nexthopId(2), 7],
      [nexthopId(3), 256],
    ]),
  'a resilient group': () =>
    group(groupId(1), [nexthopId(1), nexthopId(2)], { buckets: 128, idleTimer: 120, unbalancedTimer: 0 }),
  'a resilient group with other times': () =>
    group(groupId(1), [nexthopId(1)], { buckets: 32, idleTimer: 7, unbalancedTimer: 300 }),
  'an IPv4 route by a nexthop': () => route('192.0.2.1', { nhid: nexthopId(1) }),
  'an IPv6 route by a nexthop': () => route('2001:db8:1::1', { nhid: nexthopId(11) }),
  'an IPv4 route by an IPv6 nexthop': () => route('192.0.2.1', { nhid: nexthopId(11) }),
  'an IPv4 network with a metric': () => route('192.0.2.0/25', { nhid: nexthopId(1), metric: 7 }),
  'an IPv6 network with a metric': () => route('2001:db8:1::/65', { nhid: nexthopId(11), metric: 7 }),
  'an IPv4 route with a source': () => route('192.0.2.1', { nhid: nexthopId(1), src: parseIp('10.0.0.1') }),
  'an IPv6 route with a source': () =>
    route('2001:db8:1::1', { nhid: nexthopId(11), src: parseIp('2001:db8:10::1') }),
  'an IPv4 default route': ({ uplink }) => route('0.0.0.0/0', { hops: [hop('203.0.113.254', uplink)] }),
  'an IPv6 default route': ({ uplink }) => route('::/0', { hops: [hop('2001:db8:20::fe', uplink)] }),
  'an IPv4 route out of a link': ({ uplink }) => route('192.0.2.0/24', { hops: [hop(undefined, uplink)] }),
  'an IPv6 route out of a link': ({ uplink }) => route('2001:db8:1::/64', { hops: [hop(undefined, uplink)] }),
  'an IPv4 route with several hops': (scenario) =>
    route('192.0.2.1', { hops: [hop('10.0.0.11', scenario.lan), hop('203.0.113.9', scenario.uplink, 3)] }),
  'an IPv6 route with several hops': (scenario) =>
    route('2001:db8:1::1', {
      hops: [hop('2001:db8:10::11', scenario.lan), hop('2001:db8:20::9', scenario.uplink, 3)],
    }),
  'an unreachable IPv4 pool': () => route('198.51.100.0/24', { type: 'unreachable', metric: farMetric }),
  'an unreachable IPv6 pool': () => route('2001:db8:e::/64', { type: 'unreachable', metric: farMetric }),
  'a blackhole': () => route('198.51.100.0/24', { type: 'blackhole' }),
  'an IPv6 blackhole': () => route('2001:db8:e::/64', { type: 'blackhole' }),
  'a prohibit': () => route('198.51.100.0/24', { type: 'prohibit' }),
  'a throw in a table of its own': () => route('198.51.100.0/24', { type: 'throw', table: 101 }),
  'a local IPv4 network in a table of its own': () =>
    route('198.51.100.0/24', { type: 'local', table: 100, hops: [hop(undefined, 1)] }),
  'a local IPv6 network in a table of its own': () =>
    route('2001:db8:e::/64', { type: 'local', table: 100, hops: [hop(undefined, 1)] }),
  'an IPv4 rule for all': () => rule(4, 1000, 101),
  'an IPv6 rule for all': () => rule(6, 1000, 101),
  'an IPv4 rule by both ends': () =>
    rule(4, 1100, 100, { from: parsePrefix('192.0.2.0/24'), to: parsePrefix('198.51.100.0/24') }),
  'an IPv6 rule by both ends': () =>
    rule(6, 1100, 100, { from: parsePrefix('2001:db8:1::/64'), to: parsePrefix('2001:db8:e::/64') }),
  'a rule by mark': () => rule(4, 1001, 101, { mark: { value: 0x00100000, mask: 0x00f00000 } }),
  'an IPv6 rule by mark': () => rule(6, 1001, 101, { mark: { value: 0x80000000, mask: 0xf0000000 } }),
  'a rule by interface': () => rule(4, 1002, 101, { iif: lan }),
  'a rule to a table beyond 255': () => rule(4, 1003, 100_000),
  'an IPv4 neighbour proxy': ({ uplink }) => proxyNeighbour('192.0.2.1', uplink),
  'an IPv6 neighbour proxy': ({ uplink }) => proxyNeighbour('2001:db8:1::1', uplink),
};

export function describeObjects(make: MakeKernelFixture): void {
  describe('keeps what it is given', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
    });
    afterEach(() => scenario.close());

    it('and has nothing of ours at first', async () => {
      expect(await scenario.ours()).to.deep.equal([]);
      expect((await scenario.list()).foreignIds.size).to.equal(0);
    });

    it('and shows the links with their state and addresses', async () => {
      const { links } = await scenario.list();
      const shown = links.find(({ index }) => index === scenario.lan);
      expect(shown).to.deep.include({ name: lan, up: true, carrier: true });
      expect(shown?.addresses).to.deep.include.members([
        { ip: '10.0.0.1', length: 24 },
        { ip: '2001:db8:10::1', length: 64 },
      ]);
      expect(await scenario.kernel.links(late())).to.deep.equal(links);
      await scenario.fixture.carrierLost(lan);
      expect((await scenario.list()).links.find(({ index }) => index === scenario.lan)).to.include({
        up: true,
        carrier: false,
      });
      await scenario.fixture.linkDown(lan);
      expect((await scenario.list()).links.find(({ index }) => index === scenario.lan)).to.include({
        up: false,
        carrier: false,
      });
    });

    for (const [what, shape] of Object.entries(shapes)) {
      it(`as ${what}`, async () => {
        await scenario.add(...scenario.nodes());
        const want = shape(scenario);
        await scenario.add(want);
        expect(await scenario.shown(want)).to.deep.equal(want);
        expect(await scenario.one(deleting(want))).to.equal('ok');
        expect(await scenario.shown(want)).to.equal(undefined);
        expect((await scenario.ours()).length).to.equal(scenario.nodes().length);
      });
    }

    it('under the metric 1024 where IPv6 is asked for none', async () => {
      await scenario.add(...scenario.nodes(), route('2001:db8:1::1', { nhid: nexthopId(11), metric: 0 }));
      const stored = route('2001:db8:1::1', { nhid: nexthopId(11), metric: 1024 });
      expect(await scenario.shown(stored)).to.deep.equal(stored);
      expect(await scenario.one(adding(stored))).to.equal('EEXIST');
    });

    it('with the link that leads to a gateway, where none was named', async () => {
      await scenario.add(route('192.0.2.1', { hops: [hop('10.0.0.11', undefined)] }));
      const stored = route('192.0.2.1', { hops: [hop('10.0.0.11', scenario.lan)] });
      expect(await scenario.shown(stored)).to.deep.equal(stored);
    });

    it('apart from routes in tables it is not asked about', async () => {
      await scenario.add(route('192.0.2.1', { type: 'blackhole', table: 100 }));
      const narrow = await scenario.kernel.list({ ...scope, tables: [254] }, scenario.signal);
      expect([...narrow.objects.values()].filter(({ kind }) => kind === 'route')).to.deep.equal([]);
    });
  });

  describe('replaces in place', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
      await scenario.add(...scenario.nodes());
    });
    afterEach(() => scenario.close());

    const replacements: readonly (readonly [
      string,
      (scenario: Scenario) => readonly [KernelObject, KernelObject],
    ])[] = [
      [
        'the gateway of a nexthop',
        ({ lan }) => [nexthop(nexthopId(1), '10.0.0.11', lan), nexthop(nexthopId(1), '10.0.0.77', lan)],
      ],
      [
        'the link of a nexthop',
        (at) => [nexthop(nexthopId(1), '10.0.0.11', at.lan), nexthop(nexthopId(1), '203.0.113.9', at.uplink)],
      ],
      [
        'the members of a group',
        () => [group(groupId(1), [nexthopId(1), nexthopId(2)]), group(groupId(1), [nexthopId(3)])],
      ],
      [
        'the weights of a group',
        () => [group(groupId(1), [nexthopId(1)]), group(groupId(1), [[nexthopId(1), 9]])],
      ],
      [
        'members and times of a resilient group',
        () => [
          group(groupId(1), [nexthopId(1)], { buckets: 32, idleTimer: 60, unbalancedTimer: 0 }),
          group(groupId(1), [nexthopId(2)], { buckets: 32, idleTimer: 90, unbalancedTimer: 5 }),
        ],
      ],
      [
        'the nexthop of an IPv4 route',
        () => [route('192.0.2.1', { nhid: nexthopId(1) }), route('192.0.2.1', { nhid: nexthopId(2) })],
      ],
      [
        'the nexthop of an IPv6 route',
        () => [
          route('2001:db8:1::1', { nhid: nexthopId(11) }),
          route('2001:db8:1::1', { nhid: nexthopId(12) }),
        ],
      ],
      [
        'an IPv4 route by another type',
        () => [route('192.0.2.1', { nhid: nexthopId(1) }), route('192.0.2.1', { type: 'unreachable' })],
      ],
      [
        'an IPv6 route by another type',
        () => [
          route('2001:db8:1::1', { nhid: nexthopId(11) }),
          route('2001:db8:1::1', { type: 'unreachable' }),
        ],
      ],
      [
        'the gateway of a default route',
        ({ uplink }) => [
          route('0.0.0.0/0', { hops: [hop('203.0.113.254', uplink)] }),
          route('0.0.0.0/0', { hops: [hop('203.0.113.253', uplink)] }),
        ],
      ],
      [
        'the gateway of an IPv6 default route',
        ({ uplink }) => [
          route('::/0', { hops: [hop('2001:db8:20::fe', uplink)] }),
          route('::/0', { hops: [hop('2001:db8:20::fd', uplink)] }),
        ],
      ],
    ];
    for (const [what, pair] of replacements) {
      it(what, async () => {
        const [before, after] = pair(scenario);
        if (before.kind !== 'nexthop') await scenario.add(before);
        const count = (await scenario.ours()).length;
        expect(await scenario.one(replacing(before, after))).to.equal('ok');
        expect(await scenario.shown(before)).to.deep.equal(after);
        expect((await scenario.ours()).length).to.equal(count);
      });
    }

    it('and makes what has gone meanwhile', async () => {
      const wants = [
        nexthop(nexthopId(8), '10.0.0.18', scenario.lan),
        group(groupId(8), [nexthopId(8)]),
        route('192.0.2.8', { nhid: groupId(8) }),
        route('2001:db8:1::8', { nhid: nexthopId(11) }),
      ];
      const codes = await scenario.codes(wants.map((want) => replacing(want, want)));
      expect(codes).to.deep.equal(wants.map(() => 'ok'));
      for (const want of wants) expect(await scenario.shown(want)).to.deep.equal(want);
    });

    it('what a group leads to, for every route that uses it', async () => {
      const [one, two] = [route('192.0.2.1', { nhid: groupId(1) }), route('192.0.2.2', { nhid: groupId(1) })];
      await scenario.add(group(groupId(1), [nexthopId(1)]), one, two);
      expect(
        await scenario.one(replacing(group(groupId(1), [nexthopId(1)]), group(groupId(1), [nexthopId(2)]))),
      ).to.equal('ok');
      expect(await scenario.one(deleting(nexthop(nexthopId(1), '10.0.0.11', scenario.lan)))).to.equal('ok');
      expect(await scenario.shown(one)).to.deep.equal(one);
      expect(await scenario.shown(two)).to.deep.equal(two);
    });
  });
}
