import { nodeSysctlNames, nodeWant } from '../desire/node.ts';
import { agentTableName } from '../desire/node-table.ts';
import type { Kernel, Scope } from '../kernel/kernel.ts';
import type { Ip } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import type { Limits } from '../model/pace.ts';
import type { Problem } from '../model/problem.ts';
import { linkToward } from '../model/reach.ts';
import { RecomputedDesire } from '../reconcile/recomputed.ts';
import type { Role } from '../reconcile/reconciler.ts';

/** What a node keeps is told by its configuration alone: nothing of it vanishes by mistake. */
const limits: Limits = { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 };

/** What stands is kept: the networks it is for may be those that are to come. */
const unknown: Problem = {
  code: 'eips-unknown',
  severity: 'error',
  subject: 'eipsFrom',
  message: 'the networks of EIPs were never read from the ConfigMap of eipsFrom; nothing is changed',
  advice: 'let the agent reach it once, or name them in eips as well',
};

/** ms that gateways have to answer before the first round */
const patience = 1000;

/**
 * @param seen link-layer addresses of gateways as they were last known; kept up to date
 * @param problems further ones that a person should know
 */
export function nodeRole(
  agent: NodeAgent,
  seen: Map<Ip, string>,
  problems: () => readonly Problem[] = () => [],
): Role {
  return {
    scope: nodeScope(agent),
    limits,
    desire: new RecomputedDesire((have) => {
      for (const { ip, mac } of have.neighbours) seen.set(ip, mac);
      if (agent.eips.length === 0)
        return { objects: [], problems: [unknown, ...problems()], complete: false };
      const want = nodeWant(agent, have, seen);
      return { ...want, problems: [...want.problems, ...problems()] };
    }),
  };
}

/** The role for an empty desire: all of ours goes. */
export function emptyNodeRole(agent: NodeAgent): Omit<Role, 'desire'> {
  return { scope: { ...nodeScope(agent), neighbours: [] }, limits };
}

export function nodeScope(agent: NodeAgent): Scope {
  return {
    owner: ownerOf(agent.protocol),
    // A gateway that is taken out of the configuration leaves its table behind.
    tables: 'all',
    sysctls: nodeSysctlNames(agent),
    nftTables: [agentTableName],
    neighbours: agent.gateways.map(({ address }) => ({ ip: address, interface: agent.interface })),
  };
}

/** The agent on this machine: with the interface that the configuration leaves open. */
export function settled(agent: NodeAgent, links: readonly Link[]): NodeAgent {
  const [first] = agent.gateways;
  if (agent.interface !== undefined || first === undefined) return agent;
  return { ...agent, interface: linkToward({ ip: first.address, interface: undefined }, links)?.name };
}

/**
 * A first look at the kernel that waits for gateways to be resolved, a second at most: a neighbour table forgets
 * who was silent for a while, and a round that does not know a gateway takes its mark away.
 */
export async function survey(kernel: Kernel, agent: NodeAgent, signal: AbortSignal): Promise<Listing> {
  const scope = nodeScope(agent);
  const stop = new AbortController();
  const limit = AbortSignal.any([signal, stop.signal, AbortSignal.timeout(patience)]);
  const hints = kernel.hints(limit);
  const complete = ({ neighbours }: Listing): boolean => neighbours.length === scope.neighbours.length;
  let listing = await kernel.list(scope, signal);
  if (!complete(listing)) {
    for await (const { kind } of hints) {
      if (kind !== 'neighbour') continue;
      listing = await kernel.list(scope, signal);
      if (complete(listing)) break;
    }
  }
  // Of two who listen each hears only a part.
  stop.abort();
  signal.throwIfAborted();
  return listing;
}
