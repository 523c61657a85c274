import { contains, networkOf } from './ip.ts';
import type { NeighbourQuery } from './listing.ts';
import type { Link } from './object.ts';

/** The interface behind which a host must be: the one that is named, else the one in whose network it is. */
export function linkToward(
  { ip, interface: name }: NeighbourQuery,
  links: readonly Link[],
): Link | undefined {
  if (name !== undefined) return links.find((link) => link.name === name);
  return links.find(({ addresses }) => addresses.some((own) => contains(networkOf(own.ip, own.length), ip)));
}
