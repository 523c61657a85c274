import { compareIp, type Ip } from '../model/ip.ts';
import type { Standing } from '../model/probed.ts';
import type { Carrier } from './carriers.ts';

/** The most a nexthop group takes. */
const heaviest = 256;

/**
 * The carriers that a group leads to, with their weights in it.
 *
 * - Those that serve, and nobody else. A resilient group keeps a draining one with the least weight there is: the
 *   kernel then gives it no bucket that rests, and takes none of the others away (`unbalanced_timer` 0). In a plain
 *   group the neighbours of one that is left out take over its part; see {@link covering}.
 * - When none serves, those that answer: a drain is ignored.
 * - When none answers, all: there is nobody else to send to, and silence about every carrier may be our own fault.
 */
export function answering(
  carriers: readonly Carrier[],
  standings: ReadonlyMap<Ip, Standing>,
  groups: 'plain' | 'resilient',
): readonly Carrier[] {
  if (standings.size === 0) return carriers;
  const serves = ({ ip }: Carrier): boolean => !standings.has(ip);
  const serving = carriers.filter(serves);
  if (serving.length === carriers.length) return carriers;
  if (serving.length === 0) {
    const answers = ({ ip }: Carrier): boolean => standings.get(ip) !== 'silent';
    const rest = carriers.filter(answers);
    if (rest.length === 0 || rest.length === carriers.length) return carriers;
    return groups === 'plain' ? covering(carriers, answers) : rest;
  }
  if (groups === 'plain') return covering(carriers, serves);
  const draining = carriers.filter(({ ip }) => standings.get(ip) === 'draining');
  if (draining.length === 0) return serving;
  const scale = Math.floor(heaviest / Math.max(...serving.map(({ weight }) => weight)));
  return [
    ...serving.map((carrier) => ({ ...carrier, weight: carrier.weight * scale })),
    ...draining.map((carrier) => ({ ...carrier, weight: 1 })),
  ];
}

/**
 * Some of the carriers, with such weights that every flow of theirs stays where it is.
 *
 * A plain group divides the range of the hash among its members in their order, by their weights. The part of one that
 * is left out goes to the next to its left and the next to its right, half each; all of it to one where there is no
 * other. The limits between the parts of the rest stay, and are where they were when it comes back. A hash that is
 * divided evenly again would move up to every second flow of the others.
 */
export function covering(
  carriers: readonly Carrier[],
  stays: (carrier: Carrier) => boolean,
): readonly Carrier[] {
  const kept: { readonly carrier: Carrier; weight: number }[] = [];
  /** Of those left out since the last one that stays. */
  let gap = 0;
  for (const carrier of [...carriers].sort((a, b) => compareIp(a.ip, b.ip))) {
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

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
