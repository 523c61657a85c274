import { contains, networkOf } from './ip.ts';
import type { NeighbourQuery } from './listing.ts';
import type { Link } from './object.ts';

/** The interface toward a host: the named one, else the first with a network that contains the address. */
export function egressLink(
  { ip, interface: name }: NeighbourQuery,
  links: readonly Link[],
): Link | undefined {
  if (name !== undefined) return links.find((link) => link.name === name);
  return links.find(({ addresses }) => addresses.some((own) => contains(networkOf(own.ip, own.length), ip)));
}
