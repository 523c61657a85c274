import type { Ip } from '../model/ip.ts';

/** As sets: a status as it is read is sorted. */
export function sameIps(a: readonly Ip[], b: readonly Ip[]): boolean {
  return a.length === b.length && a.every((ip) => b.includes(ip));
}
