import type { Ip } from '../model/ip.ts';
import type { Standing } from '../model/probed.ts';
import type { Carrier } from './carriers.ts';

/** The most a nexthop group takes. */
const heaviest = 256;

/**
 * The carriers that a group leads to, with their weights in it.
 *
 * - Those that serve, and nobody else. A resilient group keeps a draining one with the least weight there is: the
 *   kernel then gives it no bucket that rests, and takes none of the others away (`unbalanced_timer` 0).
 * - When none serves, those that answer: a drain is ignored.
 * - When none answers, all: there is nobody else to send to, and silence about every carrier may be our own fault.
 */
export function answering(
  carriers: readonly Carrier[],
  standings: ReadonlyMap<Ip, Standing>,
  groups: 'plain' | 'resilient',
): readonly Carrier[] {
  if (standings.size === 0) return carriers;
  const serving = carriers.filter(({ ip }) => !standings.has(ip));
  if (serving.length === carriers.length) return carriers;
  if (serving.length === 0) {
    const rest = carriers.filter(({ ip }) => standings.get(ip) !== 'silent');
    return rest.length > 0 ? rest : carriers;
  }
  const draining =
    groups === 'resilient' ? carriers.filter(({ ip }) => standings.get(ip) === 'draining') : [];
  if (draining.length === 0) return serving;
  const scale = Math.floor(heaviest / Math.max(...serving.map(({ weight }) => weight)));
  return [
    ...serving.map((carrier) => ({ ...carrier, weight: carrier.weight * scale })),
    ...draining.map((carrier) => ({ ...carrier, weight: 1 })),
  ];
}
