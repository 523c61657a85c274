import fc from 'fast-check';
import type { Service, Snapshot } from '../src/model/cluster.ts';
import type { Gateway } from '../src/model/gateway.ts';
import type { KernelObject } from '../src/model/object.ts';
import { endpoint, gateway, node, type Scene, service, snapshot } from './scene.ts';

/** Small numbers on purpose: what collides is what breaks. */
const nodeNames = ['n1', 'n2', 'n3', 'n4', 'far'];
const eips = ['198.51.100.10', '198.51.100.11', '192.0.2.10', '2001:db8:e::10', '203.0.113.77'];

const anyNode = fc
  .record({
    name: fc.constantFrom(...nodeNames),
    shift: fc.integer({ min: 0, max: 1 }),
    excluded: fc.boolean(),
  })
  .map(({ name, shift, excluded }) => {
    const last = 11 + nodeNames.indexOf(name) * 2 + shift;
    const net = name === 'far' ? '10.9.9' : '10.0.0';
    const net6 = name === 'far' ? '2001:db8:99::' : '2001:db8:10::';
    return node(name, [`${net}.${last}`, `${net6}${last}`], { excludeLabel: excluded ? 'true' : undefined });
  });

const anyService: fc.Arbitrary<Service> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    eips: fc.uniqueArray(fc.constantFrom(...eips), { maxLength: 3 }),
    policy: fc.constantFrom('Cluster' as const, 'Local' as const),
    on: fc.array(fc.record({ node: fc.constantFrom(...nodeNames), ready: fc.boolean() }), { maxLength: 4 }),
  })
  .map(({ name, eips: own, policy, on }) =>
    service(name, own, {
      externalTrafficPolicy: policy,
      endpoints: on.map((one) => endpoint(one.node, { ready: one.ready, serving: one.ready })),
    }),
  );

export const anyCluster: fc.Arbitrary<Snapshot> = fc
  .record({
    nodes: fc.uniqueArray(anyNode, { selector: ({ name }) => name, maxLength: 5 }),
    services: fc.uniqueArray(anyService, { selector: ({ name }) => name, maxLength: 4 }),
  })
  .map(({ nodes, services }) => snapshot(nodes, services));

export const anyGateway: fc.Arbitrary<Gateway> = fc
  .record({
    weighByEndpoints: fc.boolean(),
    resilience: fc.constantFrom(undefined, { buckets: 32, idleTimer: 60, unbalancedTimer: 0 }),
    hash: fc.constantFrom('addresses' as const, 'ports' as const),
  })
  .map((rest) => gateway(rest));

export function isOurs(object: KernelObject): boolean {
  return object.kind !== 'sysctl' && object.protocol === 86;
}

/** What is ours in the world, without ids: two worlds that forward alike are equal. */
export function installed(scene: Scene): readonly string[] {
  const { objects } = scene.world;
  const show = (object: KernelObject | undefined): string => {
    switch (object?.kind) {
      case 'nexthop':
        return `via ${object.via}`;
      case 'group':
        return `[${object.members.map(({ id, weight }) => `${show(objects.get(`nexthop ${id}`))}*${weight}`).sort()}] ${object.resilience?.buckets}`;
      case 'route':
        return `${object.type} ${object.dst} ${object.nhid === undefined ? '' : show(objects.get(`nexthop ${object.nhid}`))}`;
      default:
        return '?';
    }
  };
  return [...objects.values()].filter(isOurs).map(show).sort();
}
