import { type Family, family, type Prefix } from '../model/ip.ts';

/** A rule takes some 30 ns of each packet that comes to it, a set as much whatever its size. */
export const mostRules = 32;

/**
 * What is done with the packets from or to some networks, as rules of nft.
 *
 * A rule for each network, and no set, not even a nameless one: while a table is replaced, lookups of a set miss for some
 * microseconds (decision 33). More networks than {@link mostRules} are a set all the same: as rules they would cost each
 * packet more than a miss now and then.
 *
 * @param networks of any family; those of the other one are left out
 */
export function networkRules(
  of: Family,
  end: 'saddr' | 'daddr',
  networks: readonly Prefix[],
  statement: string,
): readonly string[] {
  const match = `${of === 4 ? 'ip' : 'ip6'} ${end}`;
  const own = networks.filter((network) => family(network) === of);
  const matched = own.length > mostRules ? [`{ ${own.join(', ')} }`] : own;
  return matched.map((some) => `${match} ${some} ${statement}`);
}
