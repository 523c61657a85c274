import type { Origin, Service } from '../model/cluster.ts';
import type { Family, Ip } from '../model/ip.ts';
import { type Candidates, usable } from './carriers.ts';

/**
 * What the cluster has taken away, and how that was learned: from an event of a watch, which says that somebody took it
 * away, or from a list, which may only lack it. What was gone before this began is not in it.
 */
export class Departures {
  readonly #eips = new Map<Ip, Origin>();
  readonly #nodes = new Set<Ip>();

  /** A Service names the EIP no more. As long as one such change came with a list, they all count as such. */
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

  /** A node that may carry traffic has this address no more. */
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

  /** Forgets what the kernel has no more: nothing is left to be withdrawn. */
  forget(hasRoute: (eip: Ip) => boolean, nexthops: () => ReadonlySet<Ip>): void {
    for (const eip of this.#eips.keys()) if (!hasRoute(eip)) this.#eips.delete(eip);
    if (this.#nodes.size === 0) return;
    const left = nexthops();
    for (const ip of this.#nodes) if (!left.has(ip)) this.#nodes.delete(ip);
  }
}

/**
 * The Services are there with all their EndpointSlices, and these name nothing that could serve the family: no endpoint, or
 * under Local only such on nodes that are there and are not to be used.
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
 * Where the Services' EIP goes is said by their endpoints alone: under Local, and each of these is on a node that is
 * there. Under Cluster, and where an endpoint is on a node that is not known, it depends on the list of the nodes; where
 * an EndpointSlice may be missing, on the list of these.
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
