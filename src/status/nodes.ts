import type { Candidate, Candidates } from '../desire/carriers.ts';
import type { Node } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { NeighbourEntry, NeighbourState } from '../model/listing.ts';
import type { Problem } from '../model/problem.ts';
import { iso } from './state.ts';

/** A host in the neighbour table of the LAN. */
export interface Host {
  readonly state: NeighbourState;
  /** ms since the epoch since when it has not answered; undefined: it answers, or was never asked. */
  readonly silentSince: number | undefined;
}

/** The hosts of the LAN, by address, as of one look at the neighbour table. */
export type Hosts = ReadonlyMap<Ip, Host>;

/**
 * The hosts after another look at the neighbour table.
 *
 * A host that has not answered is FAILED; as soon as a packet wants to go there the kernel asks again, and the entry
 * is INCOMPLETE until that has failed as well. So an INCOMPLETE host is as silent as it was before.
 *
 * @param now ms since the epoch
 */
export function nextHosts(before: Hosts, entries: readonly NeighbourEntry[], now: number): Hosts {
  const hosts = new Map<Ip, Host>();
  for (const { ip, state } of entries) {
    const since = before.get(ip)?.silentSince;
    const isSilent = state === 'FAILED' || (state === 'INCOMPLETE' && since !== undefined);
    hosts.set(ip, { state, silentSince: isSilent ? (since ?? now) : undefined });
  }
  return hosts;
}

/** The addresses of hosts that do not answer. */
export function silentIps(hosts: Hosts): ReadonlySet<Ip> {
  const silent = new Set<Ip>();
  for (const [ip, { silentSince }] of hosts) if (silentSince !== undefined) silent.add(ip);
  return silent;
}

export interface NodeStatus {
  readonly name: string;
  /** Its addresses as a nexthop, one of each family at most; none: it carries no traffic. */
  readonly addresses: readonly Ip[];
  /** Kubernetes calls it Ready. */
  readonly ready: boolean;
  /** It answers ARP or NDP on the LAN; unknown: nobody has sent it anything. */
  readonly answers: 'yes' | 'no' | 'unknown';
  /** Of the address that is worst off, in the kernel's words. */
  readonly neighbour: NeighbourState | undefined;
  /** ISO 8601; undefined: it answers */
  readonly silentSince: string | undefined;
}

/** @param candidates the nodes that may carry traffic */
export function nodeStatuses(
  nodes: readonly Node[],
  candidates: Candidates,
  hosts: Hosts,
): readonly NodeStatus[] {
  return nodes.map(({ name, notReady }) => {
    const addresses = ipsOf(candidates.byName.get(name));
    const known = addresses.flatMap((ip) => hosts.get(ip) ?? []);
    const silent = known.filter(({ silentSince }) => silentSince !== undefined);
    const [worst = known[0]] = silent;
    return {
      name,
      addresses,
      ready: !notReady,
      answers: silent.length > 0 ? 'no' : known.length > 0 ? 'yes' : 'unknown',
      neighbour: worst?.state,
      silentSince: worst?.silentSince === undefined ? undefined : iso(worst.silentSince),
    };
  });
}

/** Nodes that may carry traffic and that Kubernetes calls not ready. Which ones are silent is the probe's to tell. */
export function nodeProblems(nodes: readonly Node[], candidates: Candidates): readonly Problem[] {
  return nodes.flatMap(({ name, notReady }) =>
    notReady && ipsOf(candidates.byName.get(name)).length > 0 ? [notReadyNode(name)] : [],
  );
}

function notReadyNode(node: string): Problem {
  return {
    code: 'node-not-ready',
    severity: 'warn',
    subject: `node ${node} (Ready)`,
    message: `node ${node} is not Ready for Kubernetes; EIPs still go there, since a kubelet that is cut off does not stop the traffic`,
    advice: `kubectl describe node ${node}; to take it out of all EIPs: kubectl label node ${node} node.kubernetes.io/exclude-from-external-load-balancers=true`,
    node,
  };
}

function ipsOf(candidate: Candidate | undefined): readonly Ip[] {
  return [candidate?.ipv4, candidate?.ipv6].filter((ip) => ip !== undefined);
}
