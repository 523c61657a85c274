import { type Family, family, type Ip } from './ip.ts';
import type { Link } from './object.ts';

/** The first address of an interface that hosts beyond its link can answer to. */
export function addressOn(name: string, of: Family, links: readonly Link[]): Ip | undefined {
  const link = links.find((one) => one.name === name);
  return link?.addresses.find(({ ip }) => family(ip) === of && !ip.startsWith('fe80:'))?.ip;
}
