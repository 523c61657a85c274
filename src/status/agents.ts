import { addressIn, type Candidates } from '../desire/carriers.ts';
import type { Node } from '../model/cluster.ts';
import type { Pool } from '../model/gateway.ts';
import { contains, type Family, family, type Ip, type Prefix, remainder } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import type { ToldAgent } from '../model/publication.ts';
import { some } from './need.ts';

/** What the agents of the nodes have to serve. */
export interface AgentTerms {
  readonly pools: readonly Pool[];
  /** All addresses of this gateway on the nodes' LAN: by each of them it is known. */
  readonly lan: readonly Ip[];
  /** Of these, the ones that it publishes: one of each family. */
  readonly published: readonly Ip[];
}

/**
 * Whether the agent of a node serves an EIP through this gateway; undefined: it does not tell.
 *
 * @param lan the addresses of this gateway; empty: not known
 */
export function servesEip(node: Node | undefined, eip: Ip, lan: readonly Ip[]): boolean | undefined {
  if (node?.agent === undefined) return undefined;
  const own = lan.filter((ip) => family(ip) === family(eip));
  const isKnown = own.length === 0 || knows(node, node.agent, own);
  return isKnown && node.agent.eips.some((network) => contains(network, eip));
}

/** A gateway that is the node itself needs no way back. */
function knows({ addresses }: Node, { gateways }: ToldAgent, own: readonly Ip[]): boolean {
  return own.some((ip) => gateways.includes(ip) || addresses.includes(ip));
}

/** Something that agents do not serve. */
interface Lack {
  /** `pool public`, `gateway 10.0.0.1` */
  readonly subject: string;
  /** Networks of the pool, or the address. */
  readonly what: string;
  /** Where the node's file says otherwise; undefined: it follows what is published. */
  readonly at: string | undefined;
  readonly list: 'eips' | 'gateways';
}

/**
 * Pools and addresses of this gateway that the agent of a live node does not serve: what comes back from there takes
 * another way, and is lost. An agent that tells nothing is not judged, and a node that is not Ready may be gone with its
 * agent. One problem for each pool and place in a file, whatever the number of nodes.
 */
export function agentProblems(
  nodes: readonly Node[],
  candidates: Candidates,
  terms: AgentTerms,
): readonly Problem[] {
  const found = new Map<string, { readonly lack: Lack; readonly names: string[] }>();
  const pieces = new Pieces();
  for (const node of nodes) {
    for (const lack of lacks(node, candidates, terms, pieces)) {
      const key = JSON.stringify([lack.subject, lack.what, lack.at]);
      const known = found.get(key);
      if (known === undefined) found.set(key, { lack, names: [node.name] });
      else known.names.push(node.name);
    }
  }
  return [...found.values()].map(({ lack, names }) => problemOf(lack, names));
}

/** What lists of networks lack of others. Agents that follow the same gateways tell the same list: it is compared once. */
class Pieces {
  readonly #known = new Map<string, Map<Prefix, readonly Prefix[]>>();

  /** @returns asks what of a network is in none of the list */
  outside(list: readonly Prefix[]): (network: Prefix) => readonly Prefix[] {
    const name = list.join();
    const known = this.#known.get(name) ?? new Map<Prefix, readonly Prefix[]>();
    this.#known.set(name, known);
    return (network) => {
      const found = known.get(network) ?? remainder(network, list);
      known.set(network, found);
      return found;
    };
  }
}

function lacks(
  node: Node,
  { byName }: Candidates,
  { pools, lan, published }: AgentTerms,
  pieces: Pieces,
): readonly Lack[] {
  const { agent, notReady, name } = node;
  const candidate = byName.get(name);
  if (agent === undefined || notReady || candidate === undefined) return [];
  const isCarried = (of: Ip | Prefix): boolean => addressIn(candidate, family(of)) !== undefined;
  const { eips, eipsAt, gatewaysAt } = agent;
  const isPooled = (of: Family): boolean =>
    pools.some(({ addresses }) => addresses.some((network) => family(network) === of));
  const outside = pieces.outside(eips);
  const ofPools = pools.flatMap((pool): readonly Lack[] => {
    const missing = pool.addresses.filter(isCarried).flatMap(outside);
    if (missing.length === 0) return [];
    return [{ subject: `pool ${pool.name}`, what: some(missing), at: eipsAt, list: 'eips' }];
  });
  const ofFamily = (of: Family): readonly Ip[] => lan.filter((ip) => family(ip) === of);
  const ofGateway = published
    .filter((ip) => isCarried(ip) && isPooled(family(ip)) && !knows(node, agent, ofFamily(family(ip))))
    .map((ip): Lack => ({ subject: `gateway ${ip}`, what: ip, at: gatewaysAt, list: 'gateways' }));
  return [...ofPools, ...ofGateway];
}

function problemOf({ subject, what, at, list }: Lack, names: readonly string[]): Problem {
  const agents = names.length === 1 ? `the agent of ${names[0]} does` : `the agents of ${some(names)} do`;
  const served = list === 'eips' ? `${what} of ${subject}` : `this gateway, ${what}`;
  const lost =
    list === 'eips'
      ? 'replies of its EIPs from there do not come back through a gateway'
      : 'replies to what goes through it are lost';
  const advice =
    at === undefined
      ? 'it follows within a second where it can read what is published; on the node: eiproute status --config /etc/eiproute/node.yaml'
      : `add ${what} to ${list} in ${at} on ${some(names)}, or take ${list} out of that file: then what is published counts`;
  return {
    code: list === 'eips' ? 'agent-lacks-pool' : 'agent-lacks-gateway',
    severity: 'error',
    subject: at === undefined ? `${subject} for agents that follow` : `${subject} in ${at}`,
    message: `${agents} not serve ${served}: ${lost}`,
    advice,
    ...(names.length === 1 && names[0] !== undefined ? { node: names[0] } : {}),
  };
}
