import { type Node, type Service, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import type { Path } from './path.ts';
import { poolFinder } from './pools.ts';

/** Who has an address of our pools already. */
export interface ReservedBy {
  /** In words: 'node n1'. */
  readonly name: string;
  /** A node says so in its InternalIPs; the others are facts of this gateway or of the cluster. */
  readonly isNode: boolean;
}

/** Addresses inside our pools that cannot be EIPs. Nearly always empty: it is a mistake in the pools. */
export type Reserved = ReadonlyMap<Ip, ReservedBy>;

/** The Service whose endpoints are the API servers; Kubernetes keeps it. */
export const apiServiceName = 'default/kubernetes';

export interface ReservedInputs {
  readonly nodes: readonly Node[];
  /** The Service {@link apiServiceName} */
  readonly api: Service | undefined;
  readonly links: readonly Link[];
}

export function reservedIn({ nodes, api, links }: ReservedInputs, gateway: Gateway): Reserved {
  const poolOf = poolFinder(gateway.pools);
  const reserved = new Map<Ip, ReservedBy>();
  const add = (ip: Ip, name: string, isNode = false): void => {
    if (poolOf(ip)) reserved.set(ip, { name, isNode });
  };
  for (const node of nodes) for (const ip of node.addresses) add(ip, `node ${node.name}`, true);
  for (const { ip } of api?.endpoints ?? []) add(ip, 'the Kubernetes API');
  for (const via of gateway.defaultRoutes) add(via, 'the router of defaultRoute');
  for (const link of links) for (const { ip } of link.addresses) add(ip, `this gateway (${link.name})`);
  return reserved;
}

export function apiService(services: readonly Service[]): Service | undefined {
  return services.find((service) => serviceName(service) === apiServiceName);
}

/**
 * What keeps an EIP from being routed; undefined: it is routed. An address that a Service has in its status
 * is in use: a node that claims it afterwards must not take it out of service.
 */
export function reservedFor({ eip, byStatus }: Path, reserved: Reserved): ReservedBy | undefined {
  const by = reserved.get(eip);
  return by?.isNode && byStatus ? undefined : by;
}
