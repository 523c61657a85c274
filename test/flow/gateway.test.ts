import { expect } from 'chai';
import fc from 'fast-check';
import { fib, lookup, type Verdict } from '../../lab/fake/fib.ts';
import type { World } from '../../lab/fake/memory-world.ts';
import { candidates, carriers } from '../../src/desire/carriers.ts';
import type { Snapshot } from '../../src/model/cluster.ts';
import type { Gateway } from '../../src/model/gateway.ts';
import { family, type Ip, parseIp } from '../../src/model/ip.ts';
import { anyCluster, anyGateway } from '../any.ts';
import { gateway, router, Scene, service, snapshot, threeNodes } from '../scene.ts';

const eips = ['198.51.100.10', '198.51.100.11', '192.0.2.10', '2001:db8:e::10'].map(parseIp);
const unassigned = ['198.51.100.99', '2001:db8:e::99'].map(parseIp);
const routers = ['203.0.113.254', '2001:db8:113::fe'].map(parseIp);

function go(world: World, dst: Ip): Verdict {
  const src = parseIp(family(dst) === 4 ? '203.0.113.200' : '2001:db8:113::200');
  return lookup(fib(world.objects.values(), world.links.values()), { dst, src, mark: 0, iif: 'eth1' });
}

/** `via*weight …` in a fixed order, or why not. */
function say(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'forwarded':
      return verdict.hops
        .map(({ via, weight }) => `${via}*${weight}`)
        .sort()
        .join(' ');
    case 'local':
      return 'local';
    case 'refused':
      return verdict.route === undefined ? 'no route' : verdict.reason;
    default:
      return verdict satisfies never;
  }
}

/** Where packets to an EIP belong, for one Service at a time; undefined: several share it. */
function expected(cluster: Snapshot, settings: Gateway, eip: Ip): string | undefined {
  const holders = cluster.services.filter(({ ingress }) => ingress.includes(eip));
  const [holder] = holders;
  if (holder === undefined) return 'unreachable';
  if (holders.length > 1) return undefined;
  const nodes = candidates(cluster.nodes.filter(({ name }) => name !== 'far'));
  const weighing = settings.weighByEndpoints ? 'endpoints' : 'equal';
  // A node that is off the LAN takes nothing, but its endpoints are endpoints.
  const list = carriers(holder, nodes, family(eip), weighing);
  return (
    list
      .map(({ ip, weight }) => `${ip}*${weight}`)
      .sort()
      .join(' ') || 'unreachable'
  );
}

function withDefaults(settings: Gateway): Gateway {
  return { ...settings, defaultRoutes: routers };
}

describe('packets through a gateway', () => {
  it('reach the carriers of their EIP, each by its weight; the rest of a pool is refused; the world is the default route', async () => {
    await fc.assert(
      fc.asyncProperty(anyCluster, anyGateway, async (cluster, plain) => {
        const settings = withDefaults(plain);
        const scene = new Scene(cluster, settings);
        await scene.round();
        for (const eip of eips) {
          const want = expected(cluster, settings, eip);
          if (want !== undefined) expect(say(go(scene.world, eip)), eip).to.equal(want);
        }
        for (const ip of unassigned) expect(say(go(scene.world, ip)), ip).to.equal('unreachable');
        expect(say(go(scene.world, parseIp('203.0.114.1')))).to.equal('203.0.113.254*1');
        expect(say(go(scene.world, parseIp('2001:db8:f::1')))).to.equal('2001:db8:113::fe*1');
      }),
      { numRuns: 200 },
    );
  });

  it('take the old way or the new one at every moment between two clusters: make before break', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyCluster, anyGateway), { minLength: 2, maxLength: 4 }),
        async (steps) => {
          let watched: ReadonlyMap<Ip, readonly string[]> = new Map();
          const world = router();
          const scene = new Scene(snapshot([], []), gateway(), world, new Map(), {
            after: (change) => {
              for (const [eip, ways] of watched) {
                expect(ways, `${eip} after ${JSON.stringify(change)}`).to.include(say(go(world, eip)));
              }
            },
          });
          for (const [cluster, settings] of steps) {
            scene.cluster = cluster;
            scene.settings = settings;
            const goal = new Scene(cluster, settings);
            await goal.round();
            const both = eips.filter(
              (eip) => go(world, eip).kind === 'forwarded' && go(goal.world, eip).kind === 'forwarded',
            );
            watched = new Map(both.map((eip) => [eip, [say(go(world, eip)), say(go(goal.world, eip))]]));
            scene.reconciler.agree();
            await scene.round();
            await scene.round('route');
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('go on while a node goes, by one change', async () => {
    const web = service('web', ['198.51.100.10']);
    const seen: string[] = [];
    const world = router();
    const scene = new Scene(snapshot(threeNodes, [web]), gateway(), world, new Map(), {
      after: () => seen.push(say(go(world, parseIp('198.51.100.10')))),
    });
    await scene.round();
    seen.length = 0;
    scene.cluster = snapshot(threeNodes.slice(0, 2), [web]);
    await scene.round();
    expect(new Set(seen)).to.deep.equal(new Set(['10.0.0.11*1 10.0.0.12*1']));
  });
});
