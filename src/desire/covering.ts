import { compareIp, type Ip } from '../model/ip.ts';
import type { Carrier } from './carriers.ts';

/** The most a nexthop group takes: one byte on the wire, plus one. */
export const heaviest = 256;

/**
 * The order of the members of a group: that of the nodes' addresses, so that two gateways with different histories send a flow to the
 * same node. A node that was made anew with another address keeps its former place for a while.
 */
export function byPlace(a: Carrier, b: Carrier): number {
  return compareIp(a.place ?? a.ip, b.place ?? b.ip) || compareIp(a.ip, b.ip);
}

/**
 * Some of the carriers, with such weights that every flow of theirs stays where it is.
 *
 * A plain group divides the range of the hash among its members in their order, by their weights. The part of one that
 * is left out goes to the next to its left and the next to its right, half each; all of it to one where there is no
 * other. The limits between the parts of the rest stay, and are where they were when it comes back. A hash that is
 * divided evenly again would move up to every second flow of the others.
 *
 * @returns in the order of their places
 */
export function covering(
  carriers: readonly Carrier[],
  stays: (carrier: Carrier) => boolean,
): readonly Carrier[] {
  const kept: { readonly carrier: Carrier; weight: number }[] = [];
  /** Of those left out since the last one that stays. */
  let gap = 0;
  for (const carrier of [...carriers].sort(byPlace)) {
    if (!stays(carrier)) {
      gap += carrier.weight;
      continue;
    }
    const left = kept.at(-1);
    // Twice the weights, so that a half is whole.
    if (left !== undefined) left.weight += gap;
    kept.push({ carrier, weight: 2 * carrier.weight + (left === undefined ? 2 * gap : gap) });
    gap = 0;
  }
  const last = kept.at(-1);
  if (last !== undefined) last.weight += 2 * gap;
  const divisor = kept.reduce((common, { weight }) => gcd(common, weight), 0);
  const most = Math.max(...kept.map(({ weight }) => weight)) / divisor;
  // Beyond what a group takes the limits move a little.
  const scale = most > heaviest ? heaviest / most : 1;
  return kept.map(({ carrier, weight }) => ({
    ...carrier,
    weight: Math.max(1, Math.round((weight / divisor) * scale)),
  }));
}

/**
 * Carriers that cover for nodes which carried with them until lately, so that no flow of theirs moves. Where one of them
 * would get twice its even part, all get an even one, and flows move.
 *
 * @param carriers of equal weights, each address once
 * @param former those that carry no more
 * @returns in the order given
 */
export function coveringFor(carriers: readonly Carrier[], former: readonly Carrier[]): readonly Carrier[] {
  if (former.length === 0 || carriers.length < 2) return carriers;
  const staying = new Set(carriers.map(({ ip }) => ip));
  const parts = covering([...carriers, ...former], ({ ip }) => staying.has(ip));
  const weights = new Map<Ip, number>(parts.map(({ ip, weight }) => [ip, weight]));
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const most = Math.max(...weights.values());
  if (most * carriers.length >= 2 * total || most * carriers.length === total) return carriers;
  return carriers.map((carrier) => ({ ...carrier, weight: weights.get(carrier.ip) ?? carrier.weight }));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
