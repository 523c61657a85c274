import { gcThreshold, neighbourLimit } from '../daemon/neighbour-limits.ts';
import { candidates } from '../desire/carriers.ts';
import type { Snapshot } from '../model/cluster.ts';
import { type Family, families, family } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import type { HostFacts, NodesFacts } from './doctor-facts.ts';
import { askNeighbours } from './neighbour-inquiry.ts';
import { readable } from './readable.ts';

/** Hosts that are asked by ARP or NDP: a kernel with its defaults keeps 512, and needs some for its traffic. */
const mostHosts = 200;

/** The addresses of the nodes that may carry traffic. */
export function nodesOf(cluster: Snapshot, families: readonly Family[]): readonly Omit<HostFacts, 'state'>[] {
  return [...candidates(cluster.nodes).byName].flatMap(([name, { ipv4, ipv6 }]) => [
    ...(ipv4 !== undefined && families.includes(4) ? [{ name, ip: ipv4 }] : []),
    ...(ipv6 !== undefined && families.includes(6) ? [{ name, ip: ipv6 }] : []),
  ]);
}

/**
 * Which hosts answer ARP or NDP, of the first of them.
 *
 * @param known how they are known, to be told
 * @param link undefined: nobody can be asked
 */
export async function askNodes(
  hosts: readonly Omit<HostFacts, 'state'>[],
  known: string,
  link: Link | undefined,
  signal: AbortSignal,
): Promise<NodesFacts> {
  const asked = hosts.slice(0, mostHosts);
  const ips = asked.map(({ ip }) => ip);
  const states = link === undefined ? new Map() : await readable(askNeighbours(link.index, ips, signal));
  const limits = families.flatMap((of) =>
    neighbourLimit(of, hosts.filter(({ ip }) => family(ip) === of).length, gcThreshold(of)),
  );
  return {
    kind: 'asked',
    known,
    hosts: asked.map((host) => ({ ...host, state: states?.get(host.ip) })),
    total: hosts.length,
    limits,
  };
}
