import { drainTableNames } from '../desire/drain-table.ts';
import { nodeObjects, nodeSysctlNames } from '../desire/node.ts';
import { agentTableName } from '../desire/node-table.ts';
import type { Kernel, Scope } from '../kernel/kernel.ts';
import type { DeleteLimits } from '../model/delete-limits.ts';
import type { KernelState } from '../model/desired.ts';
import { egressLink } from '../model/egress-link.ts';
import type { Ip } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import { RecomputedDesire } from '../reconcile/recomputed.ts';
import type { Role } from '../reconcile/reconciler.ts';

/** No limits: the objects of a node follow from its configuration alone, so no deletion is an accident. */
const limits: DeleteLimits = { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 };

/** Whether an agent has networks and gateways; without them there is nothing to install. */
export function isKnown({ eips, gateways }: NodeAgent): boolean {
  return eips.length > 0 && gateways.length > 0;
}

/** Reported while something is unknown. Existing objects stay: they may be those of what is to come. */
function unknownProblem({ gateways }: NodeAgent): Problem {
  if (gateways.length === 0)
    return {
      code: 'gateways-unknown',
      severity: 'error',
      subject: 'follow',
      message: 'what the gateways publish was never read; nothing is changed',
      advice: 'let the agent reach the API once, or name eips and gateways in the file as well',
    };
  return {
    code: 'eips-unknown',
    severity: 'error',
    subject: 'eipsFrom',
    message: 'the networks of EIPs were never read from the ConfigMap of eipsFrom; nothing is changed',
    advice: 'let the agent reach it once, or name them in eips as well',
  };
}

/** ms to wait for the link-layer addresses of gateways before the first round */
const patience = 1000;

/**
 * @param seen last known link-layer addresses of gateways; updated in each round
 * @param problems further ones for the report
 */
export function nodeRole(
  agent: NodeAgent,
  seen: Map<Ip, string>,
  problems: () => readonly Problem[] = () => [],
): Role {
  const silences = new Silences(agent);
  return {
    scope: nodeScope(agent),
    limits,
    desire: new RecomputedDesire((have) => {
      const vanished = silences.read(have, seen);
      for (const { ip, mac } of have.neighbours) seen.set(ip, mac);
      if (!isKnown(agent))
        return { objects: [], problems: [unknownProblem(agent), ...problems()], complete: false };
      const want = nodeObjects(agent, have, seen, vanished);
      return { ...want, problems: [...want.problems, ...problems()] };
    }),
  };
}

/** Since which dump gateways are silent. */
class Silences {
  readonly #agent: NodeAgent;
  readonly #since = new Map<Ip, number>();

  constructor(agent: NodeAgent) {
    this.#agent = agent;
  }

  /** @returns those that have answered before, and that one dump alone lacks: Linux forgets neighbours that nobody uses */
  read({ neighbours, dumps }: KernelState, seen: ReadonlyMap<Ip, string>): ReadonlySet<Ip> {
    const vanished = new Set<Ip>();
    for (const { address } of this.#agent.gateways) {
      if (neighbours.some(({ ip }) => ip === address)) this.#since.delete(address);
      else {
        const since = this.#since.get(address) ?? dumps;
        this.#since.set(address, since);
        if (since === dumps && seen.has(address)) vanished.add(address);
      }
    }
    return vanished;
  }
}

/** The role for an empty desire: deletes everything of ours. */
export function emptyNodeRole(agent: NodeAgent): Omit<Role, 'desire'> {
  return { scope: { ...nodeScope(agent), neighbours: [] }, limits };
}

export function nodeScope(agent: NodeAgent): Scope {
  return {
    owner: ownerOf(agent.protocol),
    // A gateway that was removed from the configuration has left its table behind.
    tables: 'all',
    sysctls: nodeSysctlNames(agent),
    nftTables: [agentTableName, ...drainTableNames],
    neighbours: agent.gateways.map(({ address }) => ({ ip: address, interface: agent.interface })),
  };
}

/**
 * The agent with its interface, which the configuration may leave out: the one in whose network the first gateway is.
 *
 * @param former the one that it had, which it keeps while there is no other: its address may be away for a moment
 */
export function withInterface(agent: NodeAgent, links: readonly Link[], former?: string): NodeAgent {
  const [first] = agent.gateways;
  if (agent.interface !== undefined || first === undefined) return agent;
  const found = egressLink({ ip: first.address, interface: undefined }, links)?.name;
  return { ...agent, interface: found ?? former };
}

/**
 * The first dump. Waits up to a second for the link-layer addresses of all gateways: the neighbour table expires idle
 * entries, and a round without the address of a gateway deletes its mark.
 */
export async function firstListing(kernel: Kernel, agent: NodeAgent, signal: AbortSignal): Promise<Listing> {
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
  stop.abort();
  signal.throwIfAborted();
  return listing;
}
