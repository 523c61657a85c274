import type { Origin, Service } from '../model/cluster.ts';
import type { Family, Ip } from '../model/ip.ts';
import { type Candidates, usable } from './carriers.ts';

/**
 * EIPs and addresses of nodes that are gone from the cluster, and how that was learned: from an event of a watch, which
 * reports a change that was made, or from a list, which may only lack them. Those that were gone before this table
 * began are not in it.
 */
export class Departures {
  readonly #eips = new Map<Ip, Origin>();
  readonly #nodes = new Set<Ip>();

  /** A Service no longer names the EIP. Once one such change came with a list, all of them count as such. */
  eipLost(eip: Ip, origin: Origin): void {
    if (origin === 'list' || !this.#eips.has(eip)) this.#eips.set(eip, origin);
  }

  eipNamed(eip: Ip): void {
    this.#eips.delete(eip);
  }

  /** Services named the EIP once, and none does now. */
  isEipLost(eip: Ip): boolean {
    return this.#eips.has(eip);
  }

  /** Every Service that named the EIP was changed or deleted by an event. */
  isEipTaken(eip: Ip): boolean {
    return this.#eips.get(eip) === 'event';
  }

  /** A node that could carry traffic no longer has this address. */
  nodeLost(ip: Ip, origin: Origin): void {
    if (origin === 'event') this.#nodes.add(ip);
  }

  nodeNamed(ip: Ip): void {
    this.#nodes.delete(ip);
  }

  /** The last node with this address was changed or deleted by an event. */
  isNodeTaken(ip: Ip): boolean {
    return this.#nodes.has(ip);
  }

  /** Forgets what has gone from the kernel: nothing is left to be withdrawn. */
  forget(hasRoute: (eip: Ip) => boolean, nexthops: () => ReadonlySet<Ip>): void {
    for (const eip of this.#eips.keys()) if (!hasRoute(eip)) this.#eips.delete(eip);
    if (this.#nodes.size === 0) return;
    const left = nexthops();
    for (const ip of this.#nodes) if (!left.has(ip)) this.#nodes.delete(ip);
  }
}

/**
 * Whether the Services are known with all their EndpointSlices, and these have nothing that could serve the family: no
 * usable endpoint, or under Local only some on nodes that exist and are left out.
 */
export function lackEndpoints(
  holders: readonly Service[],
  { leftOut }: Pick<Candidates, 'leftOut'>,
  of: Family,
): boolean {
  const lacks = (service: Service): boolean => {
    const left = usable(service, of);
    const isLocal = service.externalTrafficPolicy === 'Local';
    return (
      service.slicesKnown && left.every(({ node }) => isLocal && node !== undefined && leftOut.has(node))
    );
  };
  return holders.length > 0 && holders.every(lacks);
}

/**
 * Whether the endpoints of the Services alone decide where their EIP goes: the Services are under Local, and each
 * endpoint is on a node that exists. Under Cluster, and where an endpoint is on an unknown node, the list of the nodes
 * decides as well; where an EndpointSlice may be missing, the list of EndpointSlices does.
 */
export function goByEndpoints(
  holders: readonly Service[],
  { byName, leftOut }: Pick<Candidates, 'byName' | 'leftOut'>,
  of: Family,
): boolean {
  const isThere = (node: string | undefined): boolean =>
    node !== undefined && (byName.has(node) || leftOut.has(node));
  const local = holders.filter(({ externalTrafficPolicy }) => externalTrafficPolicy === 'Local');
  return (
    local.length > 0 &&
    local.every((service) => service.slicesKnown && usable(service, of).every(({ node }) => isThere(node)))
  );
}
