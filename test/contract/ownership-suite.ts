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
  describe('tells ours from foreign', () => {
    let stage: Scenario;
    beforeEach(async () => {
      stage = await Scenario.open(make);
    });
    afterEach(() => stage.close());

    it('by protocol', async () => {
      await stage.add(nexthop(nexthopId(1), '10.0.0.11', stage.lan));
      await stage.meddle(
        nexthop(1, '10.0.0.12', stage.lan, foreign),
        group(2, [1], undefined, foreign),
        route('192.0.2.1', { nhid: 1, protocol: foreign }),
        route('2001:db8:1::1', { type: 'unreachable', protocol: foreign }),
        rule(4, 1000, 100, { protocol: foreign }),
        rule(6, 1000, 100, { protocol: foreign }),
        proxyNeighbour('192.0.2.1', stage.uplink, foreign),
      );
      expect((await stage.ours()).map(keyOf)).to.deep.equal([`nexthop ${nexthopId(1)}`]);
    });

    it('in the tables of the scope, or in all of them', async () => {
      const far = route('192.0.2.1', { type: 'unreachable', table: 777 });
      const far6 = route('2001:db8:1::1', { type: 'unreachable', table: 777 });
      await stage.add(far, far6);
      await stage.meddle(route('192.0.2.2', { type: 'unreachable', table: 777, protocol: foreign }));
      expect(await stage.ours()).to.deep.equal([]);
      const { objects } = await stage.kernel.list({ ...scope, tables: 'all' }, stage.signal);
      const routes = [...objects.values()].filter(({ kind }) => kind === 'route');
      expect(routes).to.deep.equal([far, far6]);
    });

    it('and nexthops also by the range of their ids', async () => {
      await stage.meddle(
        nexthop(7, '10.0.0.12', stage.lan, owner.protocol),
        nexthop(nexthopId(1), '10.0.0.13', stage.lan, foreign),
        group(8, [7], undefined, owner.protocol),
        group(groupId(1), [7], undefined, foreign),
      );
      const { objects, foreignIds } = await stage.list();
      expect([...objects.values()].filter(({ kind }) => kind !== 'sysctl')).to.deep.equal([]);
      expect([...foreignIds].toSorted((a, b) => a - b)).to.deep.equal([7, 8, nexthopId(1), groupId(1)]);
    });

    it('and shows a foreign object that was taken over as ours', async () => {
      await stage.add(nexthop(nexthopId(1), '10.0.0.11', stage.lan));
      const want = route('192.0.2.1', { nhid: nexthopId(1) });
      await stage.meddle(foreignTwin(want));
      expect(await stage.one(replacing(want, want))).to.equal('ok');
      expect(await stage.shown(want)).to.deep.equal(want);
    });

    it('and loses sight of ours when another program takes it over', async () => {
      await stage.add(
        nexthop(nexthopId(1), '10.0.0.11', stage.lan),
        route('192.0.2.1', { nhid: nexthopId(1) }),
      );
      const want = route('192.0.2.1', { nhid: nexthopId(1) });
      await stage.bench.meddle(replacing(want, foreignTwin(want)));
      expect(await stage.shown(want)).to.equal(undefined);
    });

    it('and names who holds a key', async () => {
      const wants = [
        nexthop(nexthopId(1), '10.0.0.11', stage.lan),
        route('192.0.2.1', { nhid: nexthopId(1) }),
        route('198.51.100.0/24', { type: 'unreachable', metric: 7, table: 100 }),
        route('2001:db8:1::1', { type: 'blackhole' }),
        proxyNeighbour('192.0.2.1', stage.uplink),
        proxyNeighbour('2001:db8:1::1', stage.uplink),
      ].map(foreignTwin);
      await stage.meddle(...wants);
      const free = ['nexthop 4711', 'route 254 192.0.2.200/32 0', `neighbour ${stage.lan} 192.0.2.200`];
      const holders = await stage.kernel.holders(new Set([...wants.map(keyOf), ...free]), stage.signal);
      expect([...holders.keys()].toSorted()).to.deep.equal(wants.map(keyOf).toSorted());
      for (const want of wants) expect(holders.get(keyOf(want))).to.deep.equal(want);
    });

    it('and leaves everything foreign alone when all of ours goes', async () => {
      await stage.add(...stage.nodes());
      const theirs = [
        nexthop(1, '10.0.0.12', stage.lan, foreign),
        route('192.0.2.200', { nhid: 1, protocol: foreign }),
      ];
      await stage.meddle(...theirs);
      const ours = samples(stage);
      await stage.add(...ours);
      const codes = await stage.codes([...stage.nodes(), ...ours].toReversed().map(deleting));
      expect(new Set(codes)).to.deep.equal(new Set(['ok']));
      expect(await stage.ours()).to.deep.equal([]);
      const holders = await stage.kernel.holders(new Set(theirs.map(keyOf)), stage.signal);
      expect(holders.size).to.equal(theirs.length);
    });
  });
}
