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
  const chosen = takingTraffic(carriers, standings);
  if (chosen === carriers) return carriers;
  const taking = new Set(chosen);
  if (groups === 'plain') return covering(carriers, (carrier) => taking.has(carrier));
  const draining = carriers.filter(
    (carrier) => standings.get(carrier.ip) === 'draining' && !taking.has(carrier),
  );
  if (draining.length === 0) return chosen;
  const scale = Math.floor(heaviest / Math.max(...chosen.map(({ weight }) => weight)));
  return [
    ...chosen.map((carrier) => ({ ...carrier, weight: carrier.weight * scale })),
    ...draining.map((carrier) => ({ ...carrier, weight: 1 })),
  ];
}

/** The carriers that new connections go to, see {@link answering}; the same array when all of them do. */
export function takingTraffic(
  carriers: readonly Carrier[],
  standings: ReadonlyMap<Ip, Standing>,
): readonly Carrier[] {
  if (standings.size === 0) return carriers;
  const serving = carriers.filter(({ ip }) => !standings.has(ip));
  if (serving.length === carriers.length) return carriers;
  if (serving.length > 0) return serving;
  const answer = carriers.filter(({ ip }) => standings.get(ip) !== 'silent');
  return answer.length === 0 || answer.length === carriers.length ? carriers : answer;
}
