import { hostname } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../cluster/clock.ts';
import type { ConfigMapPort } from '../cluster/config-map.ts';
import type { FollowTerms, NodeConfig } from '../config/config.ts';
import { nodeProblems } from '../desire/node-problems.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { nftProblem } from '../kernel/nft.ts';
import type { Log } from '../log.ts';
import type { Ip } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { isInSync } from '../reconcile/report.ts';
import { figuresOfNode, type NodeFacts, nodeAgentStatus, nodeHealth } from '../status/node.ts';
import { Daemon, type DaemonOptions, listen } from './daemon.ts';
import { DaemonError } from './daemon-error.ts';
import type { DaemonRole, DaemonState, Watch } from './daemon-role.ts';
import { EipsFrom } from './eips-from.ts';
import { needFolder } from './folders.ts';
import { Following, type NodeContext } from './following.ts';
import { lock } from './lock.ts';
import { writeNames } from './names.ts';
import { firstListing, isKnown, nodeRole, nodeScope, withInterface } from './node-role.ts';
import { Telling } from './telling.ts';

/** ms that the link-layer address of a new gateway may take before it is told that it is not served */
const resolving = 10_000;

export interface NodeOptions extends DaemonOptions {
  readonly config: NodeConfig;
  /** Yields a valid configuration at each reload. */
  readonly reloads: AsyncIterable<NodeConfig>;
}

/** The kernel port of a node. Its ledger is separate: a gateway may run on the same host. */
export function openNodeKernel({ stateDirectory }: NodeConfig): Promise<LinuxKernel> {
  return LinuxKernel.open(join(stateDirectory, 'node'));
}

export interface Prepared {
  readonly have: Listing;
  readonly agent: NodeAgent;
  readonly eipsFrom: EipsFrom | undefined;
  readonly following: Following | undefined;
}

/**
 * Checks the machine before anything is installed.
 *
 * @returns the dump, and the agent with its interface and, where a ConfigMap is configured, its last known EIP networks
 * @throws DaemonError when the configuration does not fit this machine
 */
export async function prepare(kernel: Kernel, config: NodeConfig, signal: AbortSignal): Promise<Prepared> {
  const lacking = await nftProblem();
  if (lacking) throw new DaemonError(`${lacking.message}; ${lacking.advice}`);
  const { links } = await kernel.list(nodeScope(config.agent), signal);
  const written = withInterface(config.agent, links);
  const eipsFrom = config.eipsFrom && new EipsFrom(config.eipsFrom, config.stateDirectory);
  await eipsFrom?.recall({ agent: written, links });
  const following = config.follow && new Following(config.follow, config.stateDirectory);
  await following?.recall();
  const agent = effective(config, links, eipsFrom, following);
  if (following && !isKnown(agent))
    return { have: await kernel.list(nodeScope(agent), signal), agent, eipsFrom, following };
  // An interface that is down may come up; the other problems need a person.
  const wrong = nodeProblems(agent, links).filter(({ code }) => code !== 'interface-down');
  if (wrong.length > 0) {
    throw new DaemonError(wrong.map(({ message, advice }) => `${message}; ${advice}`).join('. '));
  }
  return { have: await firstListing(kernel, agent, signal), agent, eipsFrom, following };
}

/**
 * What this node serves by its file, and by what it follows.
 *
 * @param former the interface that it had
 */
function effective(
  { agent, follow: terms }: NodeConfig,
  links: readonly Link[],
  eipsFrom: EipsFrom | undefined,
  following: Following | undefined,
  former?: string,
): NodeAgent {
  const whole = following && terms ? following.applied({ agent, terms, links }) : agent;
  const written = withInterface(whole, links, former);
  return eipsFrom?.applied(written) ?? written;
}

/**
 * The daemon of a node: runs until the signal is aborted, and leaves rules and routes in place. It needs no cluster,
 * but may read its EIP networks from a ConfigMap.
 *
 * @throws DaemonError, KernelError when it cannot start
 */
export async function runNode(options: NodeOptions, signal: AbortSignal): Promise<void> {
  let { config } = options;
  await needFolder('stateDirectory', config.stateDirectory);
  await needFolder('runtimeDirectory', config.runtimeDirectory);
  await using _lock = await lock(config.agent.protocol, config.runtimeDirectory);
  await using kernel = await openNodeKernel(config);
  const prepared = await prepare(kernel, config, signal);
  const { eipsFrom, following } = prepared;
  /** Which ConfigMap and Node these are follows a restart. */
  const { follow: terms } = config;
  let { agent } = prepared;
  await nameNumbers(config, agent, options.log);

  const seen = new Map<Ip, string>(prepared.have.neighbours.map(({ ip, mac }) => [ip, mac]));
  const daemon = new Daemon(kernel, options, { waitsForLists: false });
  const configured = (text: string): void => daemon.roundSignal.notify({ kind: 'config', text });
  const telling = terms && (await openTelling(terms, () => configured('annotation')));
  const problems = (): readonly Problem[] => [
    ...kernel.problems,
    ...daemon.reloadProblems,
    ...(eipsFrom?.problems() ?? []),
    ...(following?.problems() ?? []),
    ...(telling?.problems() ?? []),
  ];
  let role = nodeRole(agent, seen, problems);
  /** Of the present round. */
  let taken = agent;
  /** The agent that the last good round was for, and the time of the first such round: ms since the epoch. */
  let told: { readonly agent: NodeAgent; readonly since: number } | undefined;
  // Before the first round, the links of the dump at the start.
  const links = (): readonly Link[] => {
    const now = daemon.links;
    return now.length === 0 ? prepared.have.links : now;
  };
  /** Those that the agent was made for. */
  let known = links();
  /** @returns whether the agent is another one now */
  const take = (): boolean => {
    const next = effective(config, links(), eipsFrom, following, agent.interface);
    if (isDeepStrictEqual(next, agent)) return false;
    agent = next;
    role = nodeRole(agent, seen, problems);
    return true;
  };
  const reload: Watch = () =>
    listen(options.reloads, (next) => {
      daemon.asked();
      config = next;
      take();
      configured('configuration');
    });
  const changed = (): void => {
    take();
    configured('networks of EIPs');
  };
  const followGateways = async (from: FollowTerms, by: Following, until: AbortSignal): Promise<void> => {
    await using port = await openConfigMap(from);
    const context = (): NodeContext => ({
      agent: config.agent,
      terms: config.follow ?? from,
      links: links(),
    });
    const moved = async (): Promise<void> => nameNumbers(config, agent, options.log);
    await by.follow(port, context, changed, moved, until);
  };
  const watches: readonly Watch[] = [
    reload,
    ...(eipsFrom
      ? [(until: AbortSignal) => eipsFrom.follow(() => ({ agent, links: links() }), changed, until)]
      : []),
    ...(following && terms ? [(until: AbortSignal) => followGateways(terms, following, until)] : []),
    ...(telling ? [(until: AbortSignal) => telling.run(until)] : []),
  ];
  if (eipsFrom && agent.eips.length === 0) {
    // Without networks there is nothing to install. A failure here is reported by the first round.
    await eipsFrom.first({ agent, links: prepared.have.links }, signal);
    take();
  }
  const facts = (state: DaemonState): NodeFacts => ({ ...state, agent, followed: following?.gateways() });
  const daemonRole: DaemonRole = {
    name: 'node',
    runtimeDirectory: config.runtimeDirectory,
    start: {
      event: 'node-started',
      facts: {
        interface: agent.interface,
        gateways: agent.gateways.map(({ address }) => address),
        protocol: agent.protocol,
      },
    },
    commands: new Map(),
    history: () => undefined,
    leaving: () => [],
    rounded: (report) => {
      if (links() !== known) {
        known = links();
        // The network of the gateways is on another interface now; or an address has come, and a family more can be served.
        if (take()) configured('addresses of this node');
      }
      if (!isInSync(report)) return;
      if (told?.agent !== taken) told = { agent: taken, since: report.at };
      // Of a gateway whose link-layer address was never known the packets are not told apart. It is asked for; one that
      // is down does not answer.
      const heard = taken.gateways.filter(({ address }) => seen.has(address));
      if (heard.length < taken.gateways.length && report.at - told.since < resolving) return;
      const { eipsAt, gatewaysAt } = config.follow ?? {};
      telling?.serves({
        eips: taken.eips,
        gateways: heard.map(({ address }) => address),
        eipsAt,
        gatewaysAt,
      });
    },
    role: () => {
      taken = agent;
      return role;
    },
    pace: () => config.pace,
    look: () => Promise.resolve(),
    answers: {
      health: (state) => nodeHealth(facts(state)),
      status: (state) => nodeAgentStatus(facts(state), state),
      figures: (state) => figuresOfNode(facts(state), state),
      eips: () => [],
      questions: new Map(),
    },
    listen: config.metrics,
    credentialsEnd: () => undefined,
    leaseTransitions: () => undefined,
  };
  await daemon.run(daemonRole, watches, signal);
}

// Imported late: most nodes need no API, and the modules cost memory.

async function openConfigMap(terms: FollowTerms): Promise<ConfigMapPort> {
  const { kubernetesConfigMap } = await import('../cluster/kubernetes-config-map.ts');
  return kubernetesConfigMap(terms, terms.configMap);
}

/** @returns undefined when nothing is to be told */
async function openTelling(terms: FollowTerms, changed: () => void): Promise<Telling | undefined> {
  if (!terms.tell) return undefined;
  const { nodeAnnotation } = await import('../cluster/node-annotation.ts');
  const node = terms.node ?? hostname();
  return new Telling({ annotation: nodeAnnotation(terms, node), node, clock: systemClock, changed });
}

/** Optional: the names are only for people. */
async function nameNumbers({ namesDirectory }: NodeConfig, agent: NodeAgent, log: Log): Promise<void> {
  try {
    const files = await writeNames(namesDirectory, agent);
    if (files.length > 0) log.info({ event: 'names-written', files }, 'names for iproute2 written');
  } catch (error) {
    log.info(
      { event: 'names-refused', error: words(error) },
      'names for iproute2 could not be written; ip shows numbers',
    );
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
