import { expect } from 'chai';
import { keyOf, type Route } from '../../../src/model/object.ts';
import { ownerOf } from '../../../src/model/owner.ts';
import { RecomputedDesire } from '../../../src/reconcile/recomputed.ts';
import { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { isOurs } from '../../any.ts';
import { useFormerIds } from '../../former-ids.ts';
import { late } from '../../patience.ts';
import { endpoint, gateway, Scene, service, snapshot, threeNodes } from '../../scene.ts';

const cluster = snapshot(threeNodes, [
  service('web', ['198.51.100.10', '2001:db8:e::10']),
  service('shop', ['198.51.100.12']),
  service('mail', ['198.51.100.11'], {
    externalTrafficPolicy: 'Local',
    endpoints: [endpoint('n2')],
  }),
]);

for (const kind of ['table', 'full'] as const)
  for (const resilience of [undefined, { buckets: 128, idleTimer: 120, unbalancedTimer: 0 }])
    describe(`an upgrade from the former nexthop ids (${kind}, ${resilience ? 'resilient' : 'plain'} groups)`, () => {
      const settings = gateway({ resilience });
      /** A kernel as the former version has left it, and the new version before its first round. */
      async function upgrade(
        change = cluster,
        isWatched = true,
      ): Promise<{ scene: Scene; leading: () => readonly string[] }> {
        const before = new Scene(cluster, settings);
        await before.round();
        const { world } = before;
        useFormerIds(world);
        const leading = (): readonly string[] =>
          [...world.objects.values()]
            .filter((object): object is Route => object.kind === 'route' && object.nhid !== undefined)
            .map(({ dst, nhid }) => {
              const group = world.objects.get(`nexthop ${nhid}`);
              const members = group?.kind === 'group' ? group.members : [];
              const hops = members.map(({ id }) => world.objects.get(`nexthop ${id}`));
              return `${dst} > ${hops.map((hop) => (hop?.kind === 'nexthop' ? hop.via : '?')).join(' ')}`;
            })
            .sort();
        const ledger = new Map<string, string>();
        const wanted = leading();
        const scene: Scene = new Scene(change, settings, world, ledger, { after: () => seen() }, kind);
        const seen = (): void => {
          if (isWatched) expect(leading()).to.deep.equal(wanted);
        };
        return { scene, leading };
      }
      /** The specification knows no evidence: what the guard would hold is released. */
      const settle = (scene: Scene) => {
        if (kind === 'full') scene.reconciler.agree();
        return scene.round('link');
      };
      const ids = ({ world }: Scene): readonly number[] =>
        [...world.objects.values()].flatMap((object) =>
          (object.kind === 'nexthop' || object.kind === 'group') && isOurs(object) ? [object.id] : [],
        );

      it('begins with what 0.1 has left: all ids in the former range', async () => {
        const { scene } = await upgrade();
        expect(ids(scene).every((id) => id >= 860_000_000 && id <= 861_999_999)).to.equal(true);
      });

      it('leads every EIP to the same nodes after each single change, and leaves no former id', async () => {
        const { scene } = await upgrade();
        const report = await settle(scene);
        expect([report.failed, report.held, report.problems]).to.deep.equal([[], [], []]);
        // The moment of an EIP's move is one replace of its route.
        expect(
          report.done.filter((change) => change.verb === 'delete' && change.have.kind === 'route'),
        ).to.deep.equal([]);
        const { nexthopIds, groupIds } = ownerOf(86);
        for (const id of ids(scene))
          expect(id).to.satisfy(
            (one: number) =>
              (one >= nexthopIds[0] && one <= nexthopIds[1]) || (one >= groupIds[0] && one <= groupIds[1]),
          );
        expect((await scene.round('link')).done).to.deep.equal([]);
      });

      it('keeps every EIP where it is while the kernel refuses all new nexthops, and moves it afterwards', async () => {
        const { scene } = await upgrade();
        // The first pass tries all six of them.
        for (let i = 0; i < 6; i += 1)
          scene.kernel.failNext(
            (change) => change.verb === 'add' && change.want.kind === 'nexthop',
            'ENOSPC',
          );
        await scene.round('link');
        expect(ids(scene).every((id) => id >= 860_000_000)).to.equal(true);
        for (let i = 0; i < 3; i += 1) await settle(scene);
        expect(ids(scene).filter((id) => id >= 860_000_000)).to.deep.equal([]);
      });

      it('doubts a list of nodes that is suddenly short, as in every round', async () => {
        const { scene, leading } = await upgrade(snapshot(threeNodes.slice(0, 1), cluster.services), false);
        const report = await scene.round('link');
        expect(report.held.map(({ reason }) => reason)).to.include('too many at once');
        expect(leading()).to.include('198.51.100.10/32 > 10.0.0.11 10.0.0.12 10.0.0.13');
      });

      it('purges them without a round of the new version in between', async () => {
        const { scene } = await upgrade();
        const { scope } = scene.role;
        const desire = new RecomputedDesire(() => ({ objects: [], problems: [], complete: true }));
        const limits = { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 };
        const reconciler = new Reconciler(scene.kernel, () => 0);
        await reconciler.round({ scope, limits, desire }, [], 'dump', late());
        expect([...scene.world.objects.values()].filter(isOurs).map(keyOf)).to.deep.equal([]);
      });
    });
