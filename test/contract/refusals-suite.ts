import { expect } from 'chai';
import { parseIp } from '../../src/model/ip.ts';
import type { Change, KernelObject, Resilience } from '../../src/model/object.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { group, groupId, hop, nexthop, nexthopId, proxyNeighbour, route, rule } from './objects.ts';
import { adding, deleting, foreignTwin, lan, replacing, Scenario, samples } from './scenario.ts';

/** The world before the change: the three nodes of each family are there already. */
interface Refusal {
  readonly name: string;
  readonly before?: (scenario: Scenario) => readonly KernelObject[];
  readonly change: (scenario: Scenario) => Change;
  readonly code: string;
}

const buckets32: Resilience = { buckets: 32, idleTimer: 60, unbalancedTimer: 0 };
const noLink = 999_999;
const noId = nexthopId(99);

const nexthops: readonly Refusal[] = [
  {
    name: 'an IPv4 nexthop that is not on the link',
    change: ({ lan }) => adding(nexthop(nexthopId(9), '203.0.113.9', lan)),
    code: 'ENETUNREACH',
  },
  {
    name: 'an IPv6 nexthop that is not on the link',
    change: ({ lan }) => adding(nexthop(nexthopId(9), '2001:db8:20::9', lan)),
    code: 'EHOSTUNREACH',
  },
  {
    name: 'a nexthop on a link that does not exist',
    change: () => adding(nexthop(nexthopId(9), '10.0.0.19', noLink)),
    code: 'EINVAL',
  },
  {
    name: 'a broadcast address as IPv4 nexthop',
    change: ({ lan }) => adding(nexthop(nexthopId(9), '10.0.0.255', lan)),
    code: 'EINVAL',
  },
  {
    name: 'our own address as IPv6 nexthop',
    change: ({ lan }) => adding(nexthop(nexthopId(9), '2001:db8:10::1', lan)),
    code: 'EINVAL',
  },
  {
    name: 'a multicast address as IPv6 nexthop',
    change: ({ lan }) => adding(nexthop(nexthopId(9), 'ff02::1', lan)),
    code: 'EINVAL',
  },
  {
    name: 'a group in the place of a nexthop',
    change: ({ lan }) =>
      replacing(nexthop(nexthopId(1), '10.0.0.11', lan), group(nexthopId(1), [nexthopId(2)])),
    code: 'EINVAL',
  },
  {
    name: 'a nexthop in the place of a group',
    before: () => [group(groupId(1), [nexthopId(1)])],
    change: ({ lan }) => replacing(group(groupId(1), [nexthopId(1)]), nexthop(groupId(1), '10.0.0.11', lan)),
    code: 'EINVAL',
  },
  {
    name: 'an IPv4 gateway for a nexthop that IPv6 routes use',
    before: () => [group(groupId(1), [nexthopId(11)]), route('2001:db8:1::1', { nhid: groupId(1) })],
    change: ({ lan }) =>
      replacing(nexthop(nexthopId(11), '2001:db8:10::11', lan), nexthop(nexthopId(11), '10.0.0.11', lan)),
    code: 'EINVAL',
  },
];

const groups: readonly Refusal[] = [
  { name: 'an empty group', change: () => adding(group(groupId(1), [])), code: 'EINVAL' },
  {
    name: 'a group with a member that does not exist',
    change: () => adding(group(groupId(1), [nexthopId(1), noId])),
    code: 'EINVAL',
  },
  {
    name: 'a group within a group',
    before: () => [group(groupId(1), [nexthopId(1)])],
    change: () => adding(group(groupId(2), [groupId(1)])),
    code: 'EINVAL',
  },
  {
    name: 'a resilient group within a group',
    before: () => [group(groupId(1), [nexthopId(1)], buckets32)],
    change: () => adding(group(groupId(2), [groupId(1)])),
    code: 'EINVAL',
  },
  {
    name: 'a member twice',
    change: () => adding(group(groupId(1), [nexthopId(1), nexthopId(1)])),
    code: 'EINVAL',
  },
  {
    name: 'a resilient group without buckets',
    change: () => adding(group(groupId(1), [nexthopId(1)], { ...buckets32, buckets: 0 })),
    code: 'EINVAL',
  },
  {
    name: 'a group that becomes resilient',
    before: () => [group(groupId(1), [nexthopId(1)])],
    change: () => replacing(group(groupId(1), [nexthopId(1)]), group(groupId(1), [nexthopId(1)], buckets32)),
    code: 'EINVAL',
  },
  {
    name: 'a group that becomes plain',
    before: () => [group(groupId(1), [nexthopId(1)], buckets32)],
    change: () => replacing(group(groupId(1), [nexthopId(1)], buckets32), group(groupId(1), [nexthopId(1)])),
    code: 'EINVAL',
  },
  {
    name: 'another number of buckets',
    before: () => [group(groupId(1), [nexthopId(1)], buckets32)],
    change: () =>
      replacing(
        group(groupId(1), [nexthopId(1)], buckets32),
        group(groupId(1), [nexthopId(1)], { ...buckets32, buckets: 64 }),
      ),
    code: 'EINVAL',
  },
  {
    name: 'IPv4 members for a group that IPv6 routes use',
    before: () => [group(groupId(1), [nexthopId(11)]), route('2001:db8:1::1', { nhid: groupId(1) })],
    change: () => replacing(group(groupId(1), [nexthopId(11)]), group(groupId(1), [nexthopId(1)])),
    code: 'EINVAL',
  },
];

const routes: readonly Refusal[] = [
  {
    name: 'an IPv4 route by a nexthop that does not exist',
    change: () => adding(route('192.0.2.1', { nhid: noId })),
    code: 'EINVAL',
  },
  {
    name: 'an IPv6 route by a nexthop that does not exist',
    change: () => adding(route('2001:db8:1::1', { nhid: noId })),
    code: 'EINVAL',
  },
  {
    name: 'an IPv6 route by an IPv4 nexthop',
    change: () => adding(route('2001:db8:1::1', { nhid: nexthopId(1) })),
    code: 'EINVAL',
  },
  {
    name: 'an IPv6 route by a group with an IPv4 member',
    before: () => [group(groupId(1), [nexthopId(1), nexthopId(11)])],
    change: () => adding(route('2001:db8:1::1', { nhid: groupId(1) })),
    code: 'EINVAL',
  },
  {
    name: 'an IPv4 route by a gateway that is not on the link',
    change: ({ lan }) => adding(route('192.0.2.1', { hops: [hop('203.0.113.9', lan)] })),
    code: 'ENETUNREACH',
  },
  {
    name: 'an IPv6 route by a gateway that is not on the link',
    change: ({ lan }) => adding(route('2001:db8:1::1', { hops: [hop('2001:db8:20::9', lan)] })),
    code: 'EHOSTUNREACH',
  },
  {
    name: 'an IPv6 route by our own address',
    change: ({ lan }) => adding(route('2001:db8:1::1', { hops: [hop('2001:db8:10::1', lan)] })),
    code: 'EINVAL',
  },
  {
    name: 'an IPv4 route out of a link that does not exist',
    change: () => adding(route('192.0.2.1', { hops: [hop(undefined, noLink)] })),
    code: 'ENODEV',
  },
  {
    name: 'an IPv6 route out of a link that does not exist',
    change: () => adding(route('2001:db8:1::1', { hops: [hop(undefined, noLink)] })),
    code: 'ENODEV',
  },
  {
    name: 'an IPv4 route with a source that is not ours',
    change: () => adding(route('192.0.2.1', { nhid: nexthopId(1), src: parseIp('10.0.0.200') })),
    code: 'EINVAL',
  },
  {
    name: 'an IPv6 route with a source that is not ours',
    change: () => adding(route('2001:db8:1::1', { nhid: nexthopId(11), src: parseIp('2001:db8:10::200') })),
    code: 'EINVAL',
  },
  {
    name: 'another route type under a taken IPv6 key',
    before: () => [route('2001:db8:1::1', { nhid: nexthopId(11) })],
    change: () => adding(route('2001:db8:1::1', { type: 'unreachable' })),
    code: 'EEXIST',
  },
  {
    name: 'another IPv6 gateway under a taken key (no silent multipath)',
    before: ({ lan }) => [route('2001:db8:1::1', { hops: [hop('2001:db8:10::11', lan)] })],
    change: ({ lan }) => adding(route('2001:db8:1::1', { hops: [hop('2001:db8:10::12', lan)] })),
    code: 'EEXIST',
  },
];

const others: readonly Refusal[] = [
  {
    name: 'a neighbour proxy on a link that does not exist',
    change: () => adding(proxyNeighbour('192.0.2.1', noLink)),
    code: 'ENODEV',
  },
];

const absent: readonly (readonly [string, string, (scenario: Scenario) => KernelObject])[] = [
  ['a nexthop', 'ENOENT', ({ lan }) => nexthop(nexthopId(9), '10.0.0.19', lan)],
  ['a group', 'ENOENT', () => group(groupId(9), [nexthopId(1)])],
  ['an IPv4 route', 'ESRCH', () => route('192.0.2.9', { nhid: nexthopId(1) })],
  ['an IPv6 route', 'ESRCH', () => route('2001:db8:1::9', { nhid: nexthopId(11) })],
  [
    'a route in a table that does not exist',
    'ESRCH',
    () => route('192.0.2.9', { table: 101, type: 'blackhole' }),
  ],
  ['an IPv4 rule', 'ENOENT', () => rule(4, 1009, 100)],
  ['an IPv6 rule', 'ENOENT', () => rule(6, 1009, 100)],
  ['an IPv4 neighbour proxy', 'ENOENT', ({ uplink }) => proxyNeighbour('192.0.2.9', uplink)],
  ['an IPv6 neighbour proxy', 'ENOENT', ({ uplink }) => proxyNeighbour('2001:db8:1::9', uplink)],
];

export function describeRefusals(make: MakeKernelFixture): void {
  describe('refuses', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
      await scenario.add(...scenario.nodes());
    });
    afterEach(() => scenario.close());

    for (const { name, before, change, code } of [...nexthops, ...groups, ...routes, ...others]) {
      it(`${name}: ${code}`, async () => {
        await scenario.add(...(before?.(scenario) ?? []));
        const ours = await scenario.ours();
        expect(await scenario.one(change(scenario))).to.equal(code);
        expect(await scenario.ours()).to.have.deep.members([...ours]);
      });
    }

    it('to add what is there: EEXIST, ours', async () => {
      const wants = samples(scenario);
      await scenario.add(...wants);
      expect(await scenario.codes(wants.map(adding))).to.deep.equal(wants.map(() => 'EEXIST'));
    });

    it("to add what is there: EEXIST, another program's", async () => {
      // A rule of another protocol is another rule.
      const wants = samples(scenario).filter(({ kind }) => kind !== 'rule');
      await scenario.meddle(...wants.map(foreignTwin));
      expect(await scenario.codes(wants.map(adding))).to.deep.equal(wants.map(() => 'EEXIST'));
      expect((await scenario.ours()).length).to.equal(scenario.nodes().length);
    });

    it('a nexthop under the id of a group, and a group under the id of a nexthop: EEXIST', async () => {
      await scenario.add(group(groupId(1), [nexthopId(1)]));
      expect(
        await scenario.codes([
          adding(nexthop(groupId(1), '10.0.0.12', scenario.lan)),
          adding(group(nexthopId(2), [nexthopId(1)])),
        ]),
      ).to.deep.equal(['EEXIST', 'EEXIST']);
    });

    for (const [what, code, object] of absent) {
      it(`to delete ${what} that is not there: ${code}`, async () => {
        expect(await scenario.one(deleting(object(scenario)))).to.equal(code);
      });
    }

    it('to delete routes that went with their nexthops: ESRCH', async () => {
      const routes = [
        route('192.0.2.1', { nhid: nexthopId(1) }),
        route('2001:db8:1::1', { nhid: nexthopId(11) }),
      ];
      await scenario.add(...routes);
      await scenario.fixture.carrierLost(lan);
      expect(await scenario.codes(routes.map(deleting))).to.deep.equal(['ESRCH', 'ESRCH']);
    });

    it("to delete another program's route under our key: ESRCH", async () => {
      const wants = [
        route('192.0.2.1', { nhid: nexthopId(1) }),
        route('2001:db8:1::1', { nhid: nexthopId(11) }),
      ];
      await scenario.meddle(...wants.map(foreignTwin));
      expect(await scenario.codes(wants.map(deleting))).to.deep.equal(['ESRCH', 'ESRCH']);
      const keys = await scenario.kernel.holders(
        new Set(['route 254 192.0.2.1/32 0', 'route 254 2001:db8:1::1/128 1024']),
        scenario.signal,
      );
      expect(keys.size).to.equal(2);
    });

    it('nexthops on a link that is down: ENETDOWN', async () => {
      await scenario.fixture.linkDown(lan);
      expect(
        await scenario.codes([
          adding(nexthop(nexthopId(9), '10.0.0.19', scenario.lan)),
          adding(nexthop(nexthopId(19), '2001:db8:10::19', scenario.lan)),
        ]),
      ).to.deep.equal(['ENETDOWN', 'ENETDOWN']);
    });

    it('nexthops on a link without a carrier: ENETDOWN', async () => {
      await scenario.fixture.carrierLost(lan);
      expect(
        await scenario.codes([
          adding(nexthop(nexthopId(9), '10.0.0.19', scenario.lan)),
          adding(nexthop(nexthopId(19), '2001:db8:10::19', scenario.lan)),
        ]),
      ).to.deep.equal(['ENETDOWN', 'ENETDOWN']);
    });

    it('routes through a link that is down, but not through one without a carrier', async () => {
      const wants = [
        route('192.0.2.1', { hops: [hop('10.0.0.11', scenario.lan)] }),
        route('2001:db8:1::1', { hops: [hop('2001:db8:10::11', scenario.lan)] }),
        route('192.0.2.2', { hops: [hop(undefined, scenario.lan)] }),
        route('2001:db8:1::2', { hops: [hop(undefined, scenario.lan)] }),
      ];
      await scenario.fixture.carrierLost(lan);
      expect(await scenario.codes(wants.map(adding))).to.deep.equal(['ok', 'ok', 'ok', 'ok']);
      expect(await scenario.codes(wants.map(deleting))).to.deep.equal(['ok', 'ok', 'ok', 'ok']);
      await scenario.fixture.linkDown(lan);
      expect(await scenario.codes(wants.map(adding))).to.deep.equal([
        'ENETUNREACH',
        'EHOSTUNREACH',
        'ENETDOWN',
        'ENETDOWN',
      ]);
    });

    it('one change without stopping the others, and says which', async () => {
      const wants = [
        route('192.0.2.1', { nhid: nexthopId(1) }),
        route('192.0.2.2', { nhid: noId }),
        route('192.0.2.3', { nhid: nexthopId(1) }),
        nexthop(nexthopId(9), '203.0.113.9', scenario.lan),
        rule(4, 1000, 100),
        route('192.0.2.1', { nhid: nexthopId(2) }),
        route('2001:db8:1::1', { nhid: nexthopId(11) }),
      ];
      expect(await scenario.codes(wants.map(adding))).to.deep.equal([
        'ok',
        'EINVAL',
        'ok',
        'ENETUNREACH',
        'ok',
        'EEXIST',
        'ok',
      ]);
      for (const i of [0, 2, 4, 6]) {
        const want = wants[i];
        if (want) expect(await scenario.shown(want)).to.deep.equal(want);
      }
    });

    it('a change in the words of Linux', async () => {
      const [error] = await scenario.kernel.apply(
        [adding(route('192.0.2.1', { nhid: noId }))],
        scenario.signal,
      );
      expect(error?.extack).to.match(/^Nexthop id does not exist/);
      expect(error?.message).to.match(/^EINVAL: Nexthop id/);
    });

    it('several changes at once, each by its number, also when all of them fail', async () => {
      const wants = Array.from({ length: 600 }, (_, i) =>
        route(`198.51.${100 + (i >> 8)}.${i & 255}`, { nhid: i % 2 ? nexthopId(1) : noId }),
      );
      expect(await scenario.codes(wants.map(adding))).to.deep.equal(
        wants.map((_, i) => (i % 2 ? 'ok' : 'EINVAL')),
      );
      expect(await scenario.codes(wants.map(adding))).to.deep.equal(
        wants.map((_, i) => (i % 2 ? 'EEXIST' : 'EINVAL')),
      );
    });

    it('nothing when there is nothing to do', async () => {
      expect(await scenario.codes([])).to.deep.equal([]);
    });
  });
}
