import { type Node, type Service, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import { poolFinder } from './pools.ts';

/** The owner of an address in our pools that is no EIP. */
export interface ReservedBy {
  /** In words: 'node n1'. */
  readonly name: string;
  /** From the InternalIPs of a node; the others are facts of this gateway or of the cluster. */
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
 * The owner that prevents an EIP from being routed; undefined: it is routed. An EIP in use stays: a node that claims
 * its address later must not take it out of service.
 *
 * @param isRouted the kernel has a route of ours for it
 */
export function reservedFor(eip: Ip, reserved: Reserved, isRouted: boolean): ReservedBy | undefined {
  const by = reserved.get(eip);
  return by?.isNode && isRouted ? undefined : by;
}
