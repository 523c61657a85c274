import { join } from 'node:path';
import type { NodeConfig } from '../config/config.ts';
import { nodeProblems } from '../desire/node-problems.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { nftProblem } from '../kernel/nft.ts';
import type { Log } from '../log.ts';
import type { Ip } from '../model/ip.ts';
import type { LinkNames } from '../model/iproute.ts';
import type { Listing } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import { type Blind, rounds } from '../reconcile/loop.ts';
import { Reconciler } from '../reconcile/reconciler.ts';
import type { Report } from '../reconcile/report.ts';
import { Wake } from '../reconcile/wake.ts';
import { Journal } from './journal.ts';
import { lock } from './lock.ts';
import { writeNames } from './names.ts';
import { nodeRole, nodeScope, settled, survey } from './node-role.ts';
import { type NodeStanding, nodeBrief, nodeStatus } from './node-status.ts';
import { Refused } from './refused.ts';
import { serve } from './socket.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly release: string;
  readonly log: Log;
  /** Yields a checked configuration whenever a person asks for a reload. */
  readonly reloads: AsyncIterable<NodeConfig>;
}

/** The kernel port of this role: its ledger is not the gateway's, should both live on one host. */
export function openNodeKernel({ stateDirectory }: NodeConfig): Promise<LinuxKernel> {
  return LinuxKernel.open(join(stateDirectory, 'node'));
}

/**
 * Looks at the machine before anything is installed.
 *
 * @returns what is there, and the agent with its interface
 * @throws Refused when the configuration does not fit this machine
 */
export async function prepare(
  kernel: Kernel,
  config: NodeConfig,
  signal: AbortSignal,
): Promise<{ readonly have: Listing; readonly agent: NodeAgent }> {
  const lacking = await nftProblem();
  if (lacking) throw new Refused(`${lacking.message}; ${lacking.advice}`);
  const { links } = await kernel.list(nodeScope(config.agent), signal);
  const agent = settled(config.agent, links);
  // An interface that is down comes up again; the others are mistakes.
  const wrong = nodeProblems(agent, links).filter(({ code }) => code !== 'interface-down');
  if (wrong.length > 0) {
    throw new Refused(wrong.map(({ message, advice }) => `${message}; ${advice}`).join('. '));
  }
  return { have: await survey(kernel, agent, signal), agent };
}

/**
 * The daemon of a node: runs until the signal, and leaves what it installed where it is. It needs no cluster.
 *
 * @throws Refused, KernelError, LedgerError when it cannot start
 */
export async function runNode(options: NodeOptions, signal: AbortSignal): Promise<void> {
  const { log, release } = options;
  let { config } = options;
  const started = Date.now();
  await using _lock = await lock(config.agent.protocol);
  await using kernel: Kernel = await openNodeKernel(config);
  const prepared = await prepare(kernel, config, signal);
  let { agent } = prepared;
  await nameNumbers(config, agent, log);

  const clock = (): number => performance.timeOrigin + performance.now();
  const reconciler = new Reconciler(kernel, clock);
  const wake = new Wake();
  const journal = new Journal(log);
  const seen = new Map<Ip, string>(prepared.have.stations.map(({ ip, mac }) => [ip, mac]));
  let role = nodeRole(agent, seen);
  let report: Report | undefined;
  let blind: Blind | undefined;
  const names: LinkNames = (index) =>
    reconciler.links.find((link) => link.index === index)?.name ?? `if${index}`;

  const standing = (): NodeStanding => ({
    release,
    started,
    agent,
    stations: reconciler.stations,
    names,
    report,
    blind,
  });
  await using _socket = await serve(config.runtimeDirectory, 'node', {
    status: () => JSON.stringify(nodeStatus(standing())),
    synced: () => JSON.stringify(nodeBrief(standing())),
    release: () => {
      reconciler.agree();
      wake.poke({ kind: 'operator', text: 'released by an operator' });
    },
  });

  // What ends one of them ends all: a part that is broken must not leave a daemon that looks alive.
  const stop = new AbortController();
  const any = AbortSignal.any([signal, stop.signal]);
  const parts = [
    listen(kernel.hints(any), (hint) => wake.poke(hint)),
    listen(options.reloads, (next) => {
      config = next;
      agent = settled(next.agent, reconciler.links);
      role = nodeRole(agent, seen);
      wake.poke({ kind: 'config', text: 'configuration' });
    }),
    listen(rounds({ reconciler, wake, role: () => role, pace: () => config.pace, clock }, any), (result) => {
      if ('error' in result) {
        blind = result;
        journal.blind(result);
        return;
      }
      blind = undefined;
      report = result;
      journal.round(result, names);
    }),
  ];
  log.info(
    {
      release,
      pid: process.pid,
      interface: agent.interface,
      gateways: agent.gateways.map(({ address }) => address),
      protocol: agent.protocol,
    },
    'started',
  );
  try {
    await Promise.race(parts);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop.abort();
    await Promise.allSettled(parts);
  }
  log.info({}, 'stopped; routes and rules stay as they are');
}

/** Names are for people: without them all works. */
async function nameNumbers({ namesDirectory }: NodeConfig, agent: NodeAgent, log: Log): Promise<void> {
  try {
    const files = await writeNames(namesDirectory, agent);
    if (files.length > 0) log.info({ files }, 'names for iproute2 written');
  } catch (error) {
    log.info({ error }, 'names for iproute2 could not be written; ip shows numbers');
  }
}

async function listen<T>(source: AsyncIterable<T>, hear: (value: T) => void): Promise<void> {
  for await (const value of source) hear(value);
}
