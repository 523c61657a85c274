import { expect } from 'chai';
import fc from 'fast-check';
import { nftTableNames } from '../../../src/desire/gateway.ts';
import { ownerOf } from '../../../src/model/owner.ts';
import { RecomputedDesire } from '../../../src/reconcile/recomputed.ts';
import { anyCluster, anyGateway, installed, isOurs } from '../../any.ts';
import { late } from '../../patience.ts';
import { Scene, snapshot } from '../../scene.ts';

/** What others do to us between two rounds. */
type Disturbance =
  | { readonly kind: 'delete'; readonly nth: number }
  | { readonly kind: 'link' }
  | { readonly kind: 'sysctl' };
const anyDisturbance: fc.Arbitrary<Disturbance> = fc.oneof(
  fc.record({ kind: fc.constant('delete' as const), nth: fc.nat(20) }),
  fc.constant({ kind: 'link' as const }),
  fc.constant({ kind: 'sysctl' as const }),
);

function disturb(scene: Scene, disturbance: Disturbance): void {
  const ours = [...scene.world.objects.values()].filter(isOurs);
  switch (disturbance.kind) {
    case 'delete': {
      const victim = ours[disturbance.nth % Math.max(1, ours.length)];
      if (victim) scene.world.delete(victim);
      return;
    }
    case 'link':
      scene.world.linkDown('eth0');
      scene.world.linkUp('eth0');
      scene.world.addAddress('eth0', '2001:db8:10::1/64');
      return;
    case 'sysctl':
      scene.world.setSysctl('net/ipv4/ip_forward', '0');
      return;
    default:
      disturbance satisfies never;
  }
}

describe('from any world to any world', () => {
  it('one round reaches it and the second does nothing, with whatever happened in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyCluster, anyGateway, fc.array(anyDisturbance, { maxLength: 3 })), {
          minLength: 2,
          maxLength: 5,
        }),
        async (steps) => {
          const scene = new Scene(snapshot([], []));
          scene.cluster = snapshot([], []);
          for (const [cluster, settings, disturbances] of steps) {
            scene.cluster = cluster;
            scene.settings = settings;
            for (const disturbance of disturbances) disturb(scene, disturbance);
            scene.reconciler.agree();
            const report = await scene.round(disturbances.length > 0 ? 'link' : 'cluster');
            // A far node is refused by the kernel once and left out; nothing else ever is.
            const refused = scene.kernel.journal.filter(({ error }) => error !== undefined);
            for (const { change } of refused) {
              const object = change.verb === 'delete' ? change.have : change.want;
              expect(change.verb).to.not.equal('delete');
              expect(['nexthop', 'group', 'route']).to.include(object.kind);
            }
            expect(
              report.failed.every(({ change }) => 'want' in change && change.want.kind === 'nexthop'),
            ).to.equal(true);
            expect(report.held).to.deep.equal([]);
            const again = await scene.round();
            expect(again.done, 'second round').to.deep.equal([]);

            // An EIP whose every node is refused keeps its old way: only then does the past show.
            if (cluster.nodes.some(({ name }) => name === 'far')) continue;
            const direct = new Scene(cluster, settings);
            await direct.round();
            expect(installed(scene)).to.deep.equal(installed(direct));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('an empty desire takes away all that is ours and restores every setting', async () => {
    await fc.assert(
      fc.asyncProperty(anyCluster, anyGateway, async (cluster, settings) => {
        const before = new Scene(cluster, settings);
        const settingsBefore = new Map(before.world.sysctls);
        const objectsBefore = [...before.world.objects.keys()];
        await before.round();
        const nothing = { ...settings };
        const report = await before.reconciler.round(
          {
            scope: {
              owner: ownerOf(86),
              tables: [nothing.table],
              sysctls: [],
              nftTables: nftTableNames(86),
              neighbours: [],
            },
            limits: { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 },
            desire: new RecomputedDesire(() => ({ objects: [], problems: [], complete: true })),
          },
          [],
          'dump',
          late(),
        );
        expect(report.failed).to.deep.equal([]);
        expect([...before.world.objects.keys()]).to.deep.equal(objectsBefore);
        expect(new Map(before.world.sysctls)).to.deep.equal(settingsBefore);
      }),
      { numRuns: 100 },
    );
  });
});
