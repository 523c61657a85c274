import { egressLink } from '../model/egress-link.ts';
import { families, family } from '../model/ip.ts';
import type { Neighbour, NeighbourQuery } from '../model/listing.ts';
import type { Link } from '../model/object.ts';
import type { Unresolved } from './netlink/batch.ts';
import type { Dumper } from './netlink/dump.ts';
import { neighbourDump } from './netlink/requests.ts';

/** The neighbours that are resolved, and those that the kernel should be made to resolve. */
export async function findNeighbours(
  dumper: Dumper,
  queries: readonly NeighbourQuery[],
  links: readonly Link[],
  signal: AbortSignal,
): Promise<{ readonly known: readonly Neighbour[]; readonly unresolved: readonly Unresolved[] }> {
  const macs = new Map<string, string | undefined>();
  for (const of of families) {
    if (!queries.some(({ ip }) => family(ip) === of)) continue;
    for (const { link, ip, mac } of await dumper.dump(neighbourDump(of), signal))
      macs.set(`${link} ${ip}`, mac);
  }
  const known: Neighbour[] = [];
  const unresolved: Unresolved[] = [];
  for (const query of queries) {
    const link = egressLink(query, links);
    if (link === undefined) continue;
    const mac = macs.get(`${link.index} ${query.ip}`);
    if (mac !== undefined) known.push({ ip: query.ip, link: link.index, mac });
    else if (link.up) unresolved.push({ ip: query.ip, link: link.index });
  }
  return { known, unresolved };
}
