import { expect } from 'chai';
import { parseIp } from '../../src/model/ip.ts';
import { type KernelObject, keyOf } from '../../src/model/object.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { group, groupId, hop, nexthop, nexthopId, proxyNeighbour, route } from './objects.ts';
import { adding, deleting, lan, replacing, Scenario, uplink } from './scenario.ts';

/** Everything that may hang on a link, by a name that says how. */
function hanging(scenario: Scenario): Readonly<Record<string, KernelObject>> {
  const [lanIndex, uplinkIndex] = [scenario.lan, scenario.uplink];
  return {
    nexthop: nexthop(nexthopId(1), '10.0.0.11', lanIndex),
    nexthop6: nexthop(nexthopId(11), '2001:db8:10::11', lanIndex),
    nexthopUp: nexthop(nexthopId(5), '203.0.113.9', uplinkIndex),
    group: group(groupId(1), [nexthopId(1)]),
    group6: group(groupId(2), [nexthopId(11)]),
    groupBoth: group(groupId(3), [nexthopId(1), nexthopId(5)]),
    byNexthop: route('192.0.2.1', { nhid: nexthopId(1) }),
    byNexthop6: route('2001:db8:1::1', { nhid: nexthopId(11) }),
    byGroup: route('192.0.2.2', { nhid: groupId(1) }),
    byGroup6: route('2001:db8:1::2', { nhid: groupId(2) }),
    byGroupBoth: route('192.0.2.3', { nhid: groupId(3) }),
    byGateway: route('192.0.2.4', { hops: [hop('10.0.0.12', lanIndex)] }),
    byGateway6: route('2001:db8:1::4', { hops: [hop('2001:db8:10::12', lanIndex)] }),
    byLink: route('192.0.2.5', { hops: [hop(undefined, lanIndex)] }),
    byLink6: route('2001:db8:1::5', { hops: [hop(undefined, lanIndex)] }),
    bySource: route('192.0.2.6', { nhid: nexthopId(5), src: parseIp('10.0.0.1') }),
    elsewhere: route('192.0.2.7', { nhid: nexthopId(5) }),
    pool: route('192.0.2.0/24', { type: 'unreachable', metric: 7 }),
    pool6: route('2001:db8:1::/64', { type: 'unreachable', metric: 7 }),
    proxy: proxyNeighbour('192.0.2.1', lanIndex),
    proxy6: proxyNeighbour('2001:db8:1::1', lanIndex),
  };
}

const byNexthopObject = ['byNexthop', 'byNexthop6', 'byGroup', 'byGroup6'];
const nexthopObjects = ['nexthop', 'nexthop6', 'group', 'group6'];
const ofTheLink = ['byGateway', 'byGateway6', 'byLink', 'byLink6'];

export function describeLosses(make: MakeKernelFixture): void {
  describe('loses without a word', () => {
    let scenario: Scenario;
    let objects: Readonly<Record<string, KernelObject>>;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
      objects = hanging(scenario);
      await scenario.add(...Object.values(objects));
    });
    afterEach(() => scenario.close());

    /** The names of those that are gone. */
    async function lost(): Promise<readonly string[]> {
      const there = (await scenario.list()).objects;
      return Object.entries(objects).flatMap(([name, object]) => (there.has(keyOf(object)) ? [] : [name]));
    }

    it('nothing while nothing happens', async () => {
      expect(await lost()).to.deep.equal([]);
    });

    it('all that uses a link when the link goes down, and it does not come back', async () => {
      await scenario.fixture.linkDown(lan);
      const gone = [...nexthopObjects, ...byNexthopObject, ...ofTheLink, 'proxy', 'proxy6'];
      expect(await lost()).to.have.members(gone);
      expect(await scenario.shown(group(groupId(3), []))).to.deep.equal(group(groupId(3), [nexthopId(5)]));
      await scenario.fixture.linkUp(lan);
      expect(await lost()).to.have.members(gone);
    });

    it('nexthop objects and their routes when the carrier goes, and they do not come back', async () => {
      await scenario.fixture.carrierLost(lan);
      expect(await lost()).to.have.members([...nexthopObjects, ...byNexthopObject]);
      expect(await scenario.shown(group(groupId(3), []))).to.deep.equal(group(groupId(3), [nexthopId(5)]));
      await scenario.fixture.carrierBack(lan);
      expect(await lost()).to.have.members([...nexthopObjects, ...byNexthopObject]);
      expect(await scenario.one(adding(nexthop(nexthopId(1), '10.0.0.11', scenario.lan)))).to.equal('ok');
    });

    it('IPv4 routes of the link and proxies, but nothing by nexthop objects, when the last IPv4 address goes', async () => {
      await scenario.fixture.removeAddress(lan, '10.0.0.1/24');
      expect(await lost()).to.have.members(['byGateway', 'byLink', 'bySource', 'proxy']);
    });

    it('routes from an address that goes, whatever their nexthop, and no others while one address is left', async () => {
      await scenario.fixture.addAddress(lan, '10.0.1.1/24');
      await scenario.fixture.removeAddress(lan, '10.0.0.1/24');
      expect(await lost()).to.have.members(['bySource']);
    });

    it('nothing when an IPv6 address goes', async () => {
      await scenario.fixture.removeAddress(lan, '2001:db8:10::1/64');
      expect(await lost()).to.deep.equal([]);
    });

    it('the routes of a nexthop that another program deletes, and shrinks its groups', async () => {
      await scenario.fixture.meddle(deleting(nexthop(nexthopId(1), '10.0.0.11', scenario.lan)));
      expect(await lost()).to.have.members(['nexthop', 'group', 'byNexthop', 'byGroup']);
      expect(await scenario.shown(group(groupId(3), []))).to.deep.equal(group(groupId(3), [nexthopId(5)]));
    });

    it('of a group the nexthop that we delete, and nothing else: the others keep their order and their weights', async () => {
      const [n1, n2, n3] = [nexthopId(1), nexthopId(2), nexthopId(3)];
      const table = { buckets: 128, idleTimer: 60, unbalancedTimer: 0 };
      const of = (members: Parameters<typeof group>[1]): readonly KernelObject[] => [
        group(groupId(4), members),
        group(groupId(5), members, table),
      ];
      const gone = nexthop(n2, '10.0.0.12', scenario.lan);
      await scenario.add(gone, nexthop(n3, '10.0.0.13', scenario.lan));
      const members = [n3, n2, n1].map((id, i) => [id, 4 + i] as const);
      await scenario.add(...of(members));
      expect(await scenario.one(deleting(gone))).to.equal('ok');
      for (const one of of(members.filter(([id]) => id !== n2)))
        expect(await scenario.shown(one)).to.deep.equal(one);
      expect(await lost()).to.deep.equal([]);
    });

    it('the routes of a nexthop that we delete', async () => {
      expect(await scenario.one(deleting(nexthop(nexthopId(11), '2001:db8:10::11', scenario.lan)))).to.equal(
        'ok',
      );
      expect(await lost()).to.have.members(['nexthop6', 'group6', 'byNexthop6', 'byGroup6']);
    });

    it('the routes of a group that is deleted, but not its members', async () => {
      await scenario.fixture.meddle(deleting(group(groupId(1), [nexthopId(1)])));
      expect(await lost()).to.have.members(['group', 'byGroup']);
    });

    it('everything on a link that is removed', async () => {
      await scenario.fixture.removeLink(lan);
      expect(await lost()).to.have.members([
        ...nexthopObjects,
        ...byNexthopObject,
        ...ofTheLink,
        'bySource',
        'proxy',
        'proxy6',
      ]);
      expect((await scenario.list()).links.map(({ index }) => index)).not.to.include(scenario.lan);
    });

    it('no route with several hops while one of them lives', async () => {
      const many = route('192.0.2.9', {
        hops: [hop('10.0.0.11', scenario.lan), hop('203.0.113.9', scenario.uplink)],
      });
      const many6 = route('2001:db8:1::9', {
        hops: [hop('2001:db8:10::11', scenario.lan), hop('2001:db8:20::9', scenario.uplink)],
      });
      await scenario.add(many, many6);
      await scenario.fixture.linkDown(lan);
      expect(await scenario.shown(many)).to.deep.equal(many);
      expect(await scenario.shown(many6)).to.deep.equal(many6);
      await scenario.fixture.linkDown(uplink);
      expect(await scenario.shown(many)).to.equal(undefined);
      expect(await scenario.shown(many6)).to.equal(undefined);
    });

    it('nothing of what has moved on to another nexthop', async () => {
      const next = nexthop(nexthopId(2), '10.0.0.12', scenario.lan);
      const moved = [group(groupId(1), [nexthopId(2)]), route('192.0.2.1', { nhid: nexthopId(2) })];
      await scenario.add(next);
      const codes = await scenario.codes([
        ...moved.map((want) => replacing(want, want)),
        deleting(nexthop(nexthopId(1), '10.0.0.11', scenario.lan)),
      ]);
      expect(codes).to.deep.equal(['ok', 'ok', 'ok']);
      expect(await lost()).to.deep.equal(['nexthop']);
    });

    it('its hold on the new members of a group that was replaced', async () => {
      await scenario.add(nexthop(nexthopId(2), '10.0.0.12', scenario.lan));
      await scenario.codes([
        replacing(group(groupId(1), [nexthopId(1)]), group(groupId(1), [nexthopId(2)])),
        deleting(nexthop(nexthopId(2), '10.0.0.12', scenario.lan)),
      ]);
      expect(await lost()).to.have.members(['group', 'byGroup']);
    });
  });
}
