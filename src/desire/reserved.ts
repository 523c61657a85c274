import { type ApiPeer, type Node, qualified, type Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import type { ClusterReader } from './cluster-reader.ts';
import { poolFinder } from './pools.ts';

/** The owner of an address in our pools that is no EIP; the name says the rest. */
export interface ReservedBy {
  /** In words: 'node n1'. */
  readonly name: string;
  /**
   * A Node or an EndpointSlice says so, which somebody may have written, or a kubeconfig, which may reach the API by an EIP.
   * The others are facts of this gateway.
   */
  readonly isClaim: boolean;
}

/** Addresses inside our pools that cannot be EIPs. Nearly always empty: it is a mistake in the pools. */
export type Reserved = ReadonlyMap<Ip, ReservedBy>;

/** The Service whose endpoints are the API servers; Kubernetes keeps it in every cluster. */
const apiServiceName = 'default/kubernetes';

export interface ReservedInputs {
  readonly nodes: readonly Node[];
  /** See {@link apiServices}. */
  readonly apis: readonly Service[];
  /** As in the overview of the cluster. */
  readonly apiPeers?: readonly ApiPeer[] | undefined;
  readonly links: readonly Link[];
}

export function reservedIn(
  { nodes, apis, apiPeers = [], links }: ReservedInputs,
  gateway: Gateway,
): Reserved {
  const poolOf = poolFinder(gateway.pools);
  const reserved = new Map<Ip, ReservedBy>();
  const add = (ip: Ip, name: string, isClaim = false): void => {
    if (poolOf(ip)) reserved.set(ip, { name, isClaim });
  };
  for (const node of nodes) for (const ip of node.addresses) add(ip, `node ${node.name}`, true);
  for (const { cluster, endpoints } of apis)
    for (const { ip } of endpoints) add(ip, `the Kubernetes API${ofCluster(cluster)}`, true);
  for (const { cluster, ip, from } of apiPeers)
    add(ip, `the Kubernetes API${ofCluster(cluster)} (${from} in the kubeconfig)`, true);
  for (const via of gateway.defaultRoutes) add(via, 'the router of defaultRoute');
  for (const link of links) for (const { ip } of link.addresses) add(ip, `this gateway (${link.name})`);
  return reserved;
}

function ofCluster(name: string | undefined): string {
  return name === undefined ? '' : ` of cluster ${name}`;
}

/** The addresses that belong to something else than before. */
export function changedOwners(before: Reserved, after: Reserved): readonly Ip[] {
  if (before === after) return [];
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (ip) => before.get(ip)?.name !== after.get(ip)?.name,
  );
}

/** The Services whose endpoints are the API servers, one of each cluster. */
export function apiServices(cluster: Pick<ClusterReader, 'service' | 'overview'>): readonly Service[] {
  const names = cluster.overview().clusters?.map(({ name }) => name) ?? unnamed;
  return names.flatMap((name) => cluster.service(qualified(name, apiServiceName)) ?? []);
}

const unnamed = [undefined];

/**
 * The owner that prevents an EIP from being routed; undefined: it is routed. An EIP in use stays: an object of the
 * cluster that claims its address later must not take it out of service.
 *
 * @param isRouted the kernel has a route of ours for it
 */
export function reservedFor(eip: Ip, reserved: Reserved, isRouted: boolean): ReservedBy | undefined {
  const by = reserved.get(eip);
  return by?.isClaim && isRouted ? undefined : by;
}
