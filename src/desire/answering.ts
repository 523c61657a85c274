import type { Ip } from '../model/ip.ts';
import type { Standing } from '../model/probed.ts';
import type { Carrier } from './carriers.ts';
import { covering, heaviest } from './covering.ts';

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
