import type { Family } from '../model/ip.ts';
import type { BgpSession } from './doctor-facts.ts';

/** What `birdc show protocols all` tells. */
export interface BirdProtocols {
  /** Routes that the protocols of `eiproute bird` have imported; undefined: the configuration includes none of them. */
  readonly imported: Readonly<Record<Family, number>> | undefined;
  readonly sessions: readonly BgpSession[];
}

/**
 * A protocol is a line `NAME PROTO TABLE STATE ...`, and lines that are indented behind it. One that is down has no line
 * of routes.
 */
export function birdProtocols(text: string): BirdProtocols {
  const imported = new Map<Family, number>();
  const sessions: BgpSession[] = [];
  for (const block of text.split(/\n(?=\S)/)) {
    const [, name = '', kind] = /^(\S+) +(\S+) /.exec(block) ?? [];
    if (kind === 'Kernel' && /^eiproute[46]$/.test(name))
      imported.set(name.endsWith('4') ? 4 : 6, Number(/^ +Routes: +(\d+) imported/m.exec(block)?.[1] ?? 0));
    if (kind === 'BGP')
      sessions.push({ name, state: /^ +BGP state: +(\S+)/m.exec(block)?.[1] ?? 'not known' });
  }
  return {
    imported: imported.size === 0 ? undefined : { 4: imported.get(4) ?? 0, 6: imported.get(6) ?? 0 },
    sessions,
  };
}

/**
 * How many networks of bgpd pass a route map, of what `show bgp ipv4 unicast route-map NAME` prints; a table without one prints
 * nothing.
 *
 * @returns undefined: there is no such route map, or no BGP
 */
export function frrCount(text: string): number | undefined {
  if (/^%/m.test(text)) return undefined;
  return Number(/^Displayed +(\d+) routes/m.exec(text)?.[1] ?? 0);
}

/** The neighbours of all address families, of what `show bgp summary json` prints. */
export function frrSessions(text: string): readonly BgpSession[] {
  const summary: unknown = text.startsWith('{') ? JSON.parse(text) : {};
  const states = new Map<string, string>();
  for (const family of Object.values(Object(summary)))
    for (const [name, peer] of Object.entries(Object(Object(family).peers)))
      states.set(name, String(Object(peer).state));
  return [...states].map(([name, state]) => ({ name, state }));
}
