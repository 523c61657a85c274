import { type Node, type Service, type Snapshot, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import { poolFinder } from './pools.ts';

/** Addresses inside our pools that can never be EIPs, each with its holder in words: 'node n1'. */
export type Reserved = ReadonlyMap<Ip, string>;

const memory = new WeakMap<
  readonly Node[],
  {
    readonly gateway: Gateway;
    readonly links: readonly Link[];
    readonly api: Service | undefined;
    readonly reserved: Reserved;
  }
>();

/** Nearly always empty: it is a mistake of the person who wrote the pools. */
export function reservedIn(
  { nodes, services }: Snapshot,
  gateway: Gateway,
  links: readonly Link[],
): Reserved {
  const known = memory.get(nodes);
  const api = apiService(services);
  if (known?.gateway === gateway && known.links === links && known.api === api) return known.reserved;
  const poolOf = poolFinder(gateway);
  const reserved = new Map<Ip, string>();
  const add = (ip: Ip, holder: string): void => {
    if (poolOf(ip)) reserved.set(ip, holder);
  };
  for (const node of nodes) for (const ip of node.addresses) add(ip, `node ${node.name}`);
  for (const { ip } of api?.endpoints ?? []) add(ip, 'the Kubernetes API');
  for (const via of gateway.defaultRoutes) add(via, 'the router of defaultRoute');
  for (const link of links) for (const { ip } of link.addresses) add(ip, `this gateway (${link.name})`);
  memory.set(nodes, { gateway, links, api, reserved });
  return reserved;
}

/** Its endpoints are the API servers; Kubernetes keeps it. The Services are in the order of their names. */
function apiService(services: readonly Service[]): Service | undefined {
  let low = 0;
  let high = services.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const one = services[middle];
    if (one !== undefined && serviceName(one) < 'default/kubernetes') low = middle + 1;
    else high = middle;
  }
  const found = services[low];
  return found !== undefined && serviceName(found) === 'default/kubernetes' ? found : undefined;
}
