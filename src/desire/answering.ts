import type { Ip } from '../model/ip.ts';
import type { Carrier } from './carriers.ts';

/**
 * The carriers that answer; all of them when none does: silence about every carrier is no reason to withdraw anything,
 * and there is nobody else to send to.
 */
export function answering(carriers: readonly Carrier[], silent: ReadonlySet<Ip>): readonly Carrier[] {
  if (silent.size === 0) return carriers;
  const rest = carriers.filter(({ ip }) => !silent.has(ip));
  return rest.length > 0 ? rest : carriers;
}
