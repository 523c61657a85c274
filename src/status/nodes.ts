import type { Candidate, Candidates } from '../desire/carriers.ts';
import type { Verdict } from '../desire/verdict.ts';
import { insideWords, type Node, nameInside } from '../model/cluster.ts';
import type { Hosts } from '../model/host.ts';
import type { Ip, Prefix } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';
import type { Problem } from '../model/problem.ts';
import { iso } from './state.ts';

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
  /** What it may be sent; undefined: nobody has looked yet. */
  readonly traffic: Verdict['kind'] | undefined;
  readonly why: string | undefined;
  /** EIPs whose last endpoints on it end: it keeps their flows, and gets no new ones. */
  readonly leaving: number;
  /** What its agent tells that it serves; undefined: it tells nothing, and is not judged. */
  readonly agent: AgentStatus | undefined;
}

export interface AgentStatus {
  readonly eips: readonly Prefix[];
  readonly gateways: readonly Ip[];
}

/**
 * @param candidates the nodes that may carry traffic
 * @param leaving how many EIPs leave a node, by its name
 */
export function nodeStatuses(
  nodes: readonly Node[],
  candidates: Candidates,
  hosts: Hosts,
  verdicts: ReadonlyMap<string, Verdict>,
  leaving: ReadonlyMap<string, number>,
): readonly NodeStatus[] {
  return nodes.map(({ name, notReady, agent }) => {
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
      traffic: verdicts.get(name)?.kind,
      why: verdicts.get(name)?.why,
      leaving: leaving.get(name) ?? 0,
      agent: agent && { eips: agent.eips, gateways: agent.gateways },
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
    advice: `${insideWords(node)}kubectl describe node ${nameInside(node)}; to take it out of all EIPs: kubectl label node ${nameInside(node)} node.kubernetes.io/exclude-from-external-load-balancers=true`,
    node,
  };
}

function ipsOf(candidate: Candidate | undefined): readonly Ip[] {
  return [candidate?.ipv4, candidate?.ipv6].filter((ip) => ip !== undefined);
}
