import { expect } from 'chai';
import type { Endpoint, Node, Service } from '../../../src/model/cluster.ts';
import { parsePrefix } from '../../../src/model/ip.ts';
import { endpoint, gateway, node, Scene, service, snapshot, threeNodes } from '../../scene.ts';

/** Which nodes carry an EIP: cases 33 to 45 of the acceptance page, each by its number. */

const eip = '198.51.100.10';

function local(endpoints: readonly Endpoint[]): Service {
  return service('web', [eip], { externalTrafficPolicy: 'Local', endpoints });
}

/** The addresses of the nodes that the EIP is routed to; undefined without a route. */
function routed(scene: Scene, to = eip): readonly string[] | undefined {
  const { objects } = scene.world;
  const route = objects.get(`route 254 ${to}/32 0`);
  if (route?.kind !== 'route') return undefined;
  const group = objects.get(`nexthop ${route.nhid}`);
  if (group?.kind !== 'group') throw new Error(`the route to ${to} has no group`);
  return group.members.map(({ id }) => {
    const nexthop = objects.get(`nexthop ${id}`);
    return nexthop?.kind === 'nexthop' ? nexthop.via : '?';
  });
}

async function carriersOf(nodes: readonly Node[], ...services: readonly Service[]) {
  const scene = new Scene(snapshot(nodes, services));
  await scene.round();
  return routed(scene);
}

async function move(scene: Scene, nodes: readonly Node[], ...services: readonly Service[]) {
  scene.cluster = snapshot(nodes, services);
  await scene.round();
  return routed(scene);
}

const n1 = '10.0.0.11';
const n2 = '10.0.0.12';
const n3 = '10.0.0.13';
const unready = { ready: false, serving: false };

describe('acceptance: which nodes carry an EIP', () => {
  it('33. Local: the hosts of usable endpoints, and no others', async () => {
    expect(await carriersOf(threeNodes, local([endpoint('n1'), endpoint('n1')]))).to.deep.equal([n1]);
    expect(await carriersOf(threeNodes, local([endpoint('n1', unready), endpoint('n2', unready)]))).to.equal(
      undefined,
    );
    expect(await carriersOf(threeNodes, local([endpoint('n1'), endpoint('n2', unready)]))).to.deep.equal([
      n1,
    ]);
    const draining = endpoint('n2', { ready: false, serving: true, terminating: true });
    expect(await carriersOf(threeNodes, local([draining]))).to.deep.equal([n2]);
    expect(await carriersOf(threeNodes, local([endpoint('n3', { serving: false })]))).to.deep.equal([n3]);
  });

  it('34. Cluster: all eligible nodes with any ready endpoint anywhere, none without', async () => {
    expect(await carriersOf(threeNodes, service('web', [eip]))).to.deep.equal([n1, n2, n3]);
    expect(await carriersOf(threeNodes, service('web', [eip], { endpoints: [] }))).to.equal(undefined);
  });

  it('35. Cluster to Local without a local endpoint withdraws; a new local endpoint brings it back', async () => {
    const scene = new Scene(snapshot(threeNodes, [service('web', [eip], { endpoints: [endpoint('gone')] })]));
    await scene.round();
    expect(routed(scene)).to.deep.equal([n1, n2, n3]);
    expect(await move(scene, threeNodes, local([endpoint('gone')]))).to.equal(undefined);
    expect(await move(scene, threeNodes, local([endpoint('gone'), endpoint('n2')]))).to.deep.equal([n2]);
  });

  it('36. the same endpoint twice, one of them ready: ready wins, in either order', async () => {
    for (const twice of [
      [endpoint('n1'), endpoint('n1', unready)],
      [endpoint('n1', unready), endpoint('n1')],
    ]) {
      expect(await carriersOf(threeNodes, local(twice))).to.deep.equal([n1]);
    }
  });

  it('37. an endpoint without a node is ignored under Local', async () => {
    expect(await carriersOf(threeNodes, local([endpoint(undefined), endpoint('n3')]))).to.deep.equal([n3]);
    expect(await carriersOf(threeNodes, local([endpoint(undefined)]))).to.equal(undefined);
  });

  it('38. the exclusion label keeps a node out, unless it says false; all excluded: no route', async () => {
    const label = (value: string): readonly Node[] => [
      node('n1', [n1], { excludeLabel: value }),
      node('n2', [n2]),
    ];
    expect(await carriersOf(label(''), service('web', [eip]))).to.deep.equal([n2]);
    expect(await carriersOf(label('false'), service('web', [eip]))).to.deep.equal([n1, n2]);
    const none = threeNodes.map((one) => ({ ...one, excludeLabel: 'true' }));
    expect(await carriersOf(none, service('web', [eip]))).to.equal(undefined);
  });

  it('39. NetworkUnavailable keeps a node out until it is false again', async () => {
    const scene = new Scene(snapshot(threeNodes, [service('web', [eip])]));
    await scene.round();
    const lost = threeNodes.map((one) => ({ ...one, networkUnavailable: one.name === 'n2' }));
    expect(await move(scene, lost, service('web', [eip]))).to.deep.equal([n1, n3]);
    expect([...((await move(scene, threeNodes, service('web', [eip]))) ?? [])].sort()).to.deep.equal([
      n1,
      n2,
      n3,
    ]);
  });

  it('40. a label that comes, goes and comes again is followed each time', async () => {
    const scene = new Scene(snapshot(threeNodes, [service('web', [eip])]));
    await scene.round();
    const labelled = threeNodes.map((one) => (one.name === 'n1' ? { ...one, excludeLabel: 'true' } : one));
    for (const [nodes, want] of [
      [labelled, [n2, n3]],
      [threeNodes, [n1, n2, n3]],
      [labelled, [n2, n3]],
    ] as const) {
      expect([...((await move(scene, nodes, service('web', [eip]))) ?? [])].sort()).to.deep.equal(want);
    }
  });

  it('41. two Services on one EIP share the nodes that can serve both; when one goes, the route stays', async () => {
    const a = { ...local([endpoint('n1'), endpoint('n2')]), key: 'default/a', name: 'a' };
    const b = { ...local([endpoint('n2'), endpoint('n3')]), key: 'default/b', name: 'b' };
    const scene = new Scene(snapshot(threeNodes, [a, b]));
    await scene.round();
    expect(routed(scene)).to.deep.equal([n2]);
    expect(await move(scene, threeNodes, b)).to.have.members([n2, n3]);
  });

  it('42. without an address no route; with one, a route', async () => {
    const scene = new Scene(snapshot(threeNodes, [service('web', [])]));
    await scene.round();
    expect(routed(scene)).to.equal(undefined);
    expect(await move(scene, threeNodes, service('web', [eip]))).to.deep.equal([n1, n2, n3]);
  });

  it('43. a pool that is taken away takes its routes along, and no others', async () => {
    const scene = new Scene(snapshot(threeNodes, [service('web', [eip]), service('few', ['192.0.2.10'])]));
    await scene.round();
    scene.settings = gateway({ pools: [{ name: 'public', addresses: [parsePrefix('198.51.100.0/24')] }] });
    await scene.round();
    expect(routed(scene, '192.0.2.10')).to.equal(undefined);
    expect(routed(scene)).to.deep.equal([n1, n2, n3]);
  });

  it('44. Services that cannot share their EIP are reported, and the route does not flap', async () => {
    const a = { ...local([endpoint('n1')]), key: 'default/a', name: 'a' };
    const b = { ...local([endpoint('n2')]), key: 'default/b', name: 'b' };
    const scene = new Scene(snapshot(threeNodes, [b, a]));
    const report = await scene.round();
    expect(report.problems.map(({ code }) => code)).to.include('eip-no-common-node');
    expect(routed(scene)).to.deep.equal([n1]);
    expect((await scene.round('route')).done).to.deep.equal([]);
  });

  it('45. the same cluster in any order comes to the same kernel, and a node of no weight changes nothing', async () => {
    const services = [
      service('web', [eip]),
      { ...local([endpoint('n2')]), key: 'default/own', name: 'own', ingress: [] },
    ];
    const forward = new Scene(snapshot(threeNodes, services));
    await forward.round();
    const backward = new Scene(snapshot([...threeNodes].reverse(), [...services].reverse()));
    await backward.round();
    expect(backward.commands()).to.deep.equal(forward.commands());
    const extra = [...threeNodes, node('spare', ['10.0.0.99'], { excludeLabel: 'true' })];
    forward.cluster = snapshot(extra, services);
    expect((await forward.round()).done).to.deep.equal([]);
  });
});
