import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { fileCluster } from '../cluster/file.ts';
import { type KubernetesCluster, kubernetesCluster } from '../cluster/kubernetes.ts';
import { remembered } from '../cluster/remembered.ts';
import type { GatewayConfig, Source } from '../config/config.ts';
import { routeKey } from '../desire/eip-routes.ts';
import { gatewayWant } from '../desire/gateway.ts';
import { paths } from '../desire/paths.ts';
import { sysctlNames } from '../desire/sysctls.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import type { Log } from '../log.ts';
import type { Snapshot } from '../model/cluster.ts';
import { type Ip, onlyIp } from '../model/ip.ts';
import type { LinkNames } from '../model/iproute.ts';
import { changeObject, type Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import type { Pace } from '../model/pace.ts';
import type { Problem } from '../model/problem.ts';
import { type Blind, rounds } from '../reconcile/loop.ts';
import { Reconciler, type Role } from '../reconcile/reconciler.ts';
import type { Report } from '../reconcile/report.ts';
import { Wake } from '../reconcile/wake.ts';
import { Allocating, type Grounds } from './allocation.ts';
import { identity } from './identity.ts';
import { Journal } from './journal.ts';
import { lock } from './lock.ts';
import type { Notify } from './notify.ts';
import { poolsStatus } from './pools.ts';
import { serve } from './socket.ts';
import { brief, type Standing, status, summary } from './status.ts';

export function openSource(source: Source): Cluster & Partial<Pick<KubernetesCluster, 'writer'>> {
  return source.kind === 'file' ? fileCluster(source.path) : kubernetesCluster(source);
}

/**
 * @param cluster asked anew in each round
 * @param problems further ones that a person should know
 */
export function gatewayRole(
  { gateway, limits }: GatewayConfig,
  cluster: () => Snapshot,
  problems: () => readonly Problem[] = () => [],
): Role {
  return {
    scope: {
      owner: ownerOf(gateway.protocol),
      tables: [gateway.table],
      sysctls: sysctlNames(gateway),
      nftTables: [],
      stations: [],
    },
    limits,
    want: (have, refused) => {
      const want = gatewayWant(cluster(), gateway, have, refused);
      return { ...want, problems: [...want.problems, ...problems()] };
    },
  };
}

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly release: string;
  readonly log: Log;
  /** Yields a checked configuration whenever a person asks for a reload. */
  readonly reloads: AsyncIterable<GatewayConfig>;
  readonly notify: Notify;
  /** ms between two rounds at most, whatever the configuration says: systemd's watchdog wants to see them. */
  readonly longestRest: number;
}

/**
 * The daemon: runs until the signal, and leaves what it installed where it is.
 *
 * @throws Refused, KernelError, LedgerError when it cannot start
 */
export async function runGateway(options: GatewayOptions, signal: AbortSignal): Promise<void> {
  const { log, release, notify, longestRest } = options;
  let { config } = options;
  const started = Date.now();
  let report: Report | undefined;
  await using _lock = await lock(config.gateway.protocol);
  await using kernel: Kernel = await LinuxKernel.open(config.stateDirectory);
  const source = openSource(config.source);
  await using cluster = remembered(source, join(config.stateDirectory, 'cluster.json'), {
    believed: () => !(report?.held.some(({ reason }) => reason === 'too many at once') ?? false),
  });

  const clock = (): number => performance.timeOrigin + performance.now();
  const reconciler = new Reconciler(kernel, clock);
  const wake = new Wake();
  const journal = new Journal(log, clock);
  /** What the last round saw. */
  let seen = cluster.snapshot();
  const look = (): Snapshot => {
    seen = cluster.snapshot();
    return seen;
  };
  const grounds = (): Grounds => ({ snapshot: cluster.snapshot(), gateway: config.gateway, links });
  const { allocation } = config.gateway;
  const allocating =
    allocation && source.writer
      ? new Allocating({
          allocation,
          writer: source.writer,
          cluster,
          grounds,
          installed: (ip) => reconciler.has(routeKey(ip, config.gateway.table)),
          identity: await identity(config.stateDirectory),
        })
      : undefined;
  const roleOf = (now: GatewayConfig): Role => gatewayRole(now, look, () => allocating?.problems() ?? []);
  let role = roleOf(config);
  let blind: Blind | undefined;
  let links: readonly Link[] = [];
  const names: LinkNames = (index) => links.find((link) => link.index === index)?.name ?? `if${index}`;
  const standing = (): Standing => ({
    release,
    started,
    gateway: config.gateway,
    snapshot: cluster.snapshot(),
    names,
    report,
    blind,
  });
  await using _socket = await serve(config.runtimeDirectory, 'gateway', {
    questions: new Map([
      ['/status', () => JSON.stringify(status(standing()))],
      ['/synced', () => JSON.stringify(brief(standing()))],
      [
        '/pools',
        () => JSON.stringify(poolsStatus(grounds(), allocating?.lease, allocating?.controller.allocator)),
      ],
    ]),
    release: () => {
      log.warn({ event: 'released' }, 'an operator lets held deletes go on');
      reconciler.agree();
      wake.poke({ kind: 'operator', text: 'released by an operator' });
    },
  });

  const pace = (): Pace => ({ ...config.pace, resync: Math.min(config.pace.resync, longestRest) });

  // What ends one of them ends all: a part that is broken must not leave a daemon that looks alive.
  const stop = new AbortController();
  const any = AbortSignal.any([signal, stop.signal]);
  const parts = [
    listen(kernel.hints(any), (hint) => wake.poke(hint)),
    listen(cluster.changes(any), () => {
      journal.feeds(cluster.snapshot());
      notify.status(summary(standing()));
      wake.poke({ kind: 'cluster', text: 'cluster' });
    }),
    listen(options.reloads, (next) => {
      // What a person has just asked for is no accident: unless something is held already, it is not held.
      if (!report?.held.some(({ reason }) => reason === 'too many at once')) reconciler.agree();
      config = next;
      role = roleOf(next);
      allocating?.controller.poke();
      wake.poke({ kind: 'config', text: 'configuration' });
    }),
    listen(rounds({ reconciler, wake, role: () => role, pace, clock }, any), (result) => {
      if ('error' in result) {
        blind = result;
        journal.blind(result);
        notify.status(summary(standing()));
        return;
      }
      blind = undefined;
      if (links !== reconciler.links) allocating?.controller.poke();
      links = reconciler.links;
      allocating?.controller.rerouted(reroutedBy(result));
      journal.round(result, names, () => paths(seen, config.gateway).paths);
      notify.status(summary({ ...standing(), report: result }));
      if (report === undefined) notify.ready();
      notify.alive();
      report = result;
    }),
    ...(allocating
      ? [
          allocating.holdLease(any),
          listen(allocating.controller.run(any), (deeds) => {
            journal.deeds(deeds);
            // What was written comes back as a change of the cluster; trouble does not.
            if (deeds.length === 0) wake.poke({ kind: 'cluster', text: 'allocation' });
          }),
        ]
      : []),
  ];
  log.info(
    {
      event: 'started',
      release,
      pid: process.pid,
      lan: config.gateway.lan,
      uplink: config.gateway.uplink,
      protocol: config.gateway.protocol,
    },
    'started',
  );
  // A kubeconfig that is not there is told before anybody listens.
  journal.feeds(cluster.snapshot());
  try {
    await Promise.race(parts);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    notify.stopping();
    stop.abort();
    await Promise.allSettled(parts);
  }
  log.info({ event: 'stopped' }, 'stopped; routes and settings stay as they are');
}

/** The EIPs whose routes came or went in a round. */
function* reroutedBy({ done }: Report): Generator<Ip> {
  for (const { change } of done) {
    const object = changeObject(change);
    const ip = object.kind === 'route' ? onlyIp(object.dst) : undefined;
    if (ip !== undefined) yield ip;
  }
}

async function listen<T>(source: AsyncIterable<T>, hear: (value: T) => void): Promise<void> {
  for await (const value of source) hear(value);
}
