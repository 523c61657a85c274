import { expect } from 'chai';
import { keyOf } from '../../src/model/object.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import {
  foreign,
  group,
  groupId,
  nexthop,
  nexthopId,
  owner,
  proxyNeighbour,
  route,
  rule,
} from './objects.ts';
import { deleting, foreignTwin, replacing, Scenario, samples, scope } from './scenario.ts';

export function describeOwnership(make: MakeKernelFixture): void {
  describe('separates our objects from foreign ones', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
    });
    afterEach(() => scenario.close());

    it('by protocol', async () => {
      await scenario.add(nexthop(nexthopId(1), '10.0.0.11', scenario.lan));
      await scenario.meddle(
        nexthop(1, '10.0.0.12', scenario.lan, foreign),
        group(2, [1], undefined, foreign),
        route('192.0.2.1', { nhid: 1, protocol: foreign }),
        route('2001:db8:1::1', { type: 'unreachable', protocol: foreign }),
        rule(4, 1000, 100, { protocol: foreign }),
        rule(6, 1000, 100, { protocol: foreign }),
        proxyNeighbour('192.0.2.1', scenario.uplink, foreign),
      );
      expect((await scenario.ours()).map(keyOf)).to.deep.equal([`nexthop ${nexthopId(1)}`]);
    });

    it('in the tables of the scope, or in all of them', async () => {
      const far = route('192.0.2.1', { type: 'unreachable', table: 777 });
      const far6 = route('2001:db8:1::1', { type: 'unreachable', table: 777 });
      await scenario.add(far, far6);
      await scenario.meddle(route('192.0.2.2', { type: 'unreachable', table: 777, protocol: foreign }));
      expect(await scenario.ours()).to.deep.equal([]);
      const { objects } = await scenario.kernel.list({ ...scope, tables: 'all' }, scenario.signal);
      const routes = [...objects.values()].filter(({ kind }) => kind === 'route');
      expect(routes).to.deep.equal([far, far6]);
    });

    it('and nexthops also by the range of their ids', async () => {
      await scenario.meddle(
        nexthop(7, '10.0.0.12', scenario.lan, owner.protocol),
        nexthop(nexthopId(1), '10.0.0.13', scenario.lan, foreign),
        group(8, [7], undefined, owner.protocol),
        group(groupId(1), [7], undefined, foreign),
      );
      const { objects, foreignIds } = await scenario.list();
      expect([...objects.values()].filter(({ kind }) => kind !== 'sysctl')).to.deep.equal([]);
      expect([...foreignIds].toSorted((a, b) => a - b)).to.deep.equal([7, 8, nexthopId(1), groupId(1)]);
    });

    it('and those with ids of a former version are ours as well, by protocol', async () => {
      const [first] = owner.formerIds;
      await scenario.meddle(
        nexthop(first, '10.0.0.12', scenario.lan, owner.protocol),
        group(first + 1_000_000, [first], undefined, owner.protocol),
        nexthop(first + 1, '10.0.0.13', scenario.lan, foreign),
      );
      const { foreignIds } = await scenario.list();
      expect((await scenario.ours()).map(keyOf)).to.deep.equal([
        `nexthop ${first}`,
        `nexthop ${first + 1_000_000}`,
      ]);
      expect([...foreignIds]).to.deep.equal([first + 1]);
    });

    it('and tells which tables the rules of others look up', async () => {
      await scenario.meddle(
        rule(4, 1000, 86, { protocol: foreign }),
        rule(6, 1001, 87, { protocol: foreign }),
      );
      await scenario.add(rule(4, 1002, 88));
      const { lookedUp } = await scenario.list();
      expect([86, 87, 88, 254].map((table) => lookedUp.has(table))).to.deep.equal([true, true, false, true]);
    });

    it('and shows a foreign object that was taken over as ours', async () => {
      await scenario.add(nexthop(nexthopId(1), '10.0.0.11', scenario.lan));
      const want = route('192.0.2.1', { nhid: nexthopId(1) });
      await scenario.meddle(foreignTwin(want));
      expect(await scenario.one(replacing(want, want))).to.equal('ok');
      expect(await scenario.shown(want)).to.deep.equal(want);
    });

    it('and loses sight of ours when another program takes it over', async () => {
      await scenario.add(
        nexthop(nexthopId(1), '10.0.0.11', scenario.lan),
        route('192.0.2.1', { nhid: nexthopId(1) }),
      );
      const want = route('192.0.2.1', { nhid: nexthopId(1) });
      await scenario.fixture.meddle(replacing(want, foreignTwin(want)));
      expect(await scenario.shown(want)).to.equal(undefined);
    });

    it('and names who holds a key', async () => {
      const wants = [
        nexthop(nexthopId(1), '10.0.0.11', scenario.lan),
        route('192.0.2.1', { nhid: nexthopId(1) }),
        route('198.51.100.0/24', { type: 'unreachable', metric: 7, table: 100 }),
        route('2001:db8:1::1', { type: 'blackhole' }),
        proxyNeighbour('192.0.2.1', scenario.uplink),
        proxyNeighbour('2001:db8:1::1', scenario.uplink),
      ].map(foreignTwin);
      await scenario.meddle(...wants);
      const free = ['nexthop 4711', 'route 254 192.0.2.200/32 0', `neighbour ${scenario.lan} 192.0.2.200`];
      const holders = await scenario.kernel.holders(new Set([...wants.map(keyOf), ...free]), scenario.signal);
      expect([...holders.keys()].toSorted()).to.deep.equal(wants.map(keyOf).toSorted());
      for (const want of wants) expect(holders.get(keyOf(want))).to.deep.equal(want);
    });

    it('and leaves everything foreign alone when all of ours goes', async () => {
      await scenario.add(...scenario.nodes());
      const theirs = [
        nexthop(1, '10.0.0.12', scenario.lan, foreign),
        route('192.0.2.200', { nhid: 1, protocol: foreign }),
      ];
      await scenario.meddle(...theirs);
      const ours = samples(scenario);
      await scenario.add(...ours);
      const codes = await scenario.codes([...scenario.nodes(), ...ours].toReversed().map(deleting));
      expect(new Set(codes)).to.deep.equal(new Set(['ok']));
      expect(await scenario.ours()).to.deep.equal([]);
      const holders = await scenario.kernel.holders(new Set(theirs.map(keyOf)), scenario.signal);
      expect(holders.size).to.equal(theirs.length);
    });
  });
}
