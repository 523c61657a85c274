import type { Service } from '../model/cluster.ts';
import type { Family } from '../model/ip.ts';
import { type Candidates, usable } from './carriers.ts';

/**
 * The Services are there with their EndpointSlices, and these name nothing that could serve the family: the pods are
 * gone, and not only the objects of a list that is short.
 */
export function lackEndpoints(holders: readonly Service[], of: Family): boolean {
  return (
    holders.length > 0 && holders.every((service) => service.hasSlices && usable(service, of).length === 0)
  );
}

/**
 * Where the Services' EIP goes is said by their endpoints alone: under Local, and each of these is on a node that is
 * there. Under Cluster, and where an endpoint is on a node that is not known, it depends on the list of the nodes.
 */
export function goByEndpoints(holders: readonly Service[], nodes: Candidates, of: Family): boolean {
  const local = holders.filter(({ externalTrafficPolicy }) => externalTrafficPolicy === 'Local');
  return (
    local.length > 0 &&
    local.every((service) =>
      usable(service, of).every(({ node }) => node !== undefined && nodes.byName.has(node)),
    )
  );
}
