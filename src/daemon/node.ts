import { join } from 'node:path';
import type { NodeConfig } from '../config/config.ts';
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
import { figuresOfNode, nodeAgentStatus, nodeHealth } from '../status/node.ts';
import { type DaemonOptions, type DaemonRole, listen, runDaemon, type Watch } from './daemon.ts';
import { DaemonError } from './daemon-error.ts';
import { EipsFrom } from './eips-from.ts';
import { needFolder } from './folders.ts';
import { lock } from './lock.ts';
import { writeNames } from './names.ts';
import { firstListing, nodeRole, nodeScope, withInterface } from './node-role.ts';

export interface NodeOptions extends DaemonOptions {
  readonly config: NodeConfig;
  /** Yields a valid configuration at each reload. */
  readonly reloads: AsyncIterable<NodeConfig>;
}

/** The kernel port of a node. Its ledger is separate: a gateway may run on the same host. */
export function openNodeKernel({ stateDirectory }: NodeConfig): Promise<LinuxKernel> {
  return LinuxKernel.open(join(stateDirectory, 'node'));
}

/**
 * Checks the machine before anything is installed.
 *
 * @returns the dump, and the agent with its interface and, where a ConfigMap is configured, its last known EIP networks
 * @throws DaemonError when the configuration does not fit this machine
 */
export async function prepare(
  kernel: Kernel,
  config: NodeConfig,
  signal: AbortSignal,
): Promise<{ readonly have: Listing; readonly agent: NodeAgent; readonly eipsFrom: EipsFrom | undefined }> {
  const lacking = await nftProblem();
  if (lacking) throw new DaemonError(`${lacking.message}; ${lacking.advice}`);
  const { links } = await kernel.list(nodeScope(config.agent), signal);
  const written = withInterface(config.agent, links);
  const eipsFrom = config.eipsFrom && new EipsFrom(config.eipsFrom, config.stateDirectory);
  await eipsFrom?.recall({ agent: written, links });
  const agent = eipsFrom?.applied(written) ?? written;
  // An interface that is down may come up; the other problems need a person.
  const wrong = nodeProblems(agent, links).filter(({ code }) => code !== 'interface-down');
  if (wrong.length > 0) {
    throw new DaemonError(wrong.map(({ message, advice }) => `${message}; ${advice}`).join('. '));
  }
  return { have: await firstListing(kernel, agent, signal), agent, eipsFrom };
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
  const { eipsFrom } = prepared;
  let { agent } = prepared;
  await nameNumbers(config, agent, options.log);

  const seen = new Map<Ip, string>(prepared.have.neighbours.map(({ ip, mac }) => [ip, mac]));
  const problems = (): readonly Problem[] => [...kernel.problems, ...(eipsFrom?.problems() ?? [])];
  let role = nodeRole(agent, seen, problems);
  const take = (links: readonly Link[]): void => {
    const next = withInterface(config.agent, links);
    agent = eipsFrom?.applied(next) ?? next;
    role = nodeRole(agent, seen, problems);
  };
  const reload: Watch = ({ roundSignal, links, asked }) =>
    listen(options.reloads, (next) => {
      asked();
      config = next;
      take(links());
      roundSignal.notify({ kind: 'config', text: 'configuration' });
    });
  const follow: Watch = async ({ roundSignal, links }, until) => {
    // Before the first round, the links of the dump at the start.
    const known = (): readonly Link[] => (links().length === 0 ? prepared.have.links : links());
    const changed = (): void => {
      take(known());
      roundSignal.notify({ kind: 'config', text: 'networks of EIPs' });
    };
    await eipsFrom?.follow(() => ({ agent, links: known() }), changed, until);
  };
  if (agent.eips.length === 0) {
    // Without networks there is nothing to install. A failure here is reported by the first round.
    await eipsFrom?.first({ agent, links: prepared.have.links }, signal);
    take(prepared.have.links);
  }
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
    waitsForLists: false,
    questions: new Map(),
    commands: new Map(),
    history: () => undefined,
    rounded: () => undefined,
    role: () => role,
    pace: () => config.pace,
    look: () => Promise.resolve(),
    health: (state) => nodeHealth({ ...state, agent }),
    status: (state) => nodeAgentStatus({ ...state, agent }, state),
    figures: (state) => figuresOfNode({ ...state, agent }, state),
    eips: () => [],
    listen: config.metrics,
    credentialsEnd: () => undefined,
    leaseTransitions: () => undefined,
  };
  await runDaemon(daemonRole, kernel, eipsFrom ? [reload, follow] : [reload], options, signal);
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
