import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { GrowingDelta, mergeDelta } from '../cluster/delta.ts';
import { fileCluster } from '../cluster/file.ts';
import { type KubernetesCluster, kubernetesCluster } from '../cluster/kubernetes.ts';
import { remembered } from '../cluster/remembered.ts';
import { Signal } from '../cluster/signal.ts';
import type { GatewayConfig, Source } from '../config/config.ts';
import { routeKey } from '../desire/eip-routes.ts';
import { flowLabelTableName } from '../desire/flow-label.ts';
import { GatewayDesire, type GatewaySources } from '../desire/gateway-desire.ts';
import type { ClusterReader } from '../desire/path-table.ts';
import { apiServiceName } from '../desire/reserved.ts';
import { sysctlNames } from '../desire/sysctls.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { LinuxNeighbours } from '../kernel/linux-neighbours.ts';
import type { Delta } from '../model/cluster.ts';
import { type Ip, onlyIp } from '../model/ip.ts';
import { changeObject, type Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import { isDelete } from '../reconcile/diff.ts';
import type { Role } from '../reconcile/reconciler.ts';
import { isDoubted, type Report } from '../reconcile/report.ts';
import { Allocating, type AllocationInputs } from './allocation.ts';
import {
  type DaemonHandle,
  type DaemonOptions,
  type DaemonRole,
  listen,
  runDaemon,
  type Watch,
} from './daemon.ts';
import { identity } from './identity.ts';
import { lock } from './lock.ts';
import { poolsStatus } from './pools.ts';
import { Probing } from './probing.ts';
import { status, summarize } from './status.ts';

export function openSource(source: Source): Cluster & Partial<Pick<KubernetesCluster, 'writer'>> {
  return source.kind === 'file' ? fileCluster(source.path) : kubernetesCluster(source);
}

/** The role of a gateway for a command: over a cluster that does not change. */
export function gatewayRole(
  config: GatewayConfig,
  cluster: ClusterReader,
  problems: () => readonly Problem[],
): Role {
  const sources: GatewaySources = { cluster, takeChanged: () => new Set(), problems: () => [problems()] };
  return roleOf(config, new GatewayDesire(config.gateway, sources));
}

function roleOf({ gateway, limits }: GatewayConfig, desire: GatewayDesire): Role & { desire: GatewayDesire } {
  return {
    scope: {
      owner: ownerOf(gateway.protocol),
      tables: [gateway.table],
      sysctls: sysctlNames(gateway),
      nftTables: [flowLabelTableName(gateway.protocol)],
      neighbours: [],
    },
    limits,
    desire,
  };
}

const none: readonly Problem[] = [];

export interface GatewayOptions extends DaemonOptions {
  readonly config: GatewayConfig;
  /** Yields a valid configuration at each reload. */
  readonly reloads: AsyncIterable<GatewayConfig>;
}

/**
 * The daemon of a gateway: runs until the signal is aborted, and leaves routes and settings in place.
 *
 * @throws DaemonError, KernelError when it cannot start
 */
export async function runGateway(options: GatewayOptions, signal: AbortSignal): Promise<void> {
  let { config } = options;
  /** Of the last round. */
  let report: Report | undefined;
  let handle: DaemonHandle | undefined;
  await using _lock = await lock(config.gateway.protocol, config.runtimeDirectory);
  await using kernel = await LinuxKernel.open(config.stateDirectory);
  await using neighbours = new LinuxNeighbours();
  const source = openSource(config.source);
  await using cluster = remembered(source, join(config.stateDirectory, 'cluster.json'), {
    believed: () => !isDoubted(report),
  });

  const inputs = (): AllocationInputs => ({
    nodes: cluster.overview().nodes,
    api: cluster.service(apiServiceName),
    gateway: config.gateway,
    links: handle?.links() ?? [],
  });
  const { allocation } = config.gateway;
  const allocating =
    allocation && source.writer
      ? new Allocating({
          allocation,
          writer: source.writer,
          cluster,
          inputs,
          installed: (ip) => handle?.has(routeKey(ip, config.gateway.table)) ?? false,
          identity: await identity(config.stateDirectory),
        })
      : undefined;
  const probing = new Probing({
    port: neighbours,
    cluster,
    gateway: () => config.gateway,
    terms: () => config.probe,
    links: () => handle?.links() ?? [],
    has: (key) => handle?.has(key) ?? false,
    changed: () => handle?.roundSignal.notify({ kind: 'cluster', text: 'probe' }),
  });
  /** Changes of the cluster that the next round reads. */
  let changed = new GrowingDelta();
  /** The changes of the cluster that the present round acts on. */
  let acted = new GrowingDelta();
  const withdrawn = new Signal<Delta, GrowingDelta>(mergeDelta);
  const roleFor = (now: GatewayConfig) =>
    roleOf(
      now,
      new GatewayDesire(now.gateway, {
        cluster,
        takeChanged: () => {
          const { services } = changed;
          acted.merge(changed);
          changed = new GrowingDelta();
          probing.read(services);
          return services;
        },
        probed: probing,
        problems: () => [kernel.problems, allocating?.problems() ?? none, ...probing.problems()],
      }),
    );
  let role = roleFor(config);
  let links: readonly Link[] | undefined;

  const subject = () => ({ cluster: cluster.overview(), paths: role.desire.paths });
  const daemonRole: DaemonRole = {
    name: 'gateway',
    runtimeDirectory: config.runtimeDirectory,
    start: {
      event: 'started',
      facts: { lan: config.gateway.lan, uplink: config.gateway.uplink, protocol: config.gateway.protocol },
    },
    waitsForLists: true,
    role: () => role,
    pace: () => config.pace,
    history: () => role.desire.paths.takeHistory(),
    summary: (state) => summarize({ ...state, ...subject() }),
    status: (state) => status({ ...state, ...subject() }),
    questions: new Map([
      [
        '/pools',
        () =>
          JSON.stringify(
            poolsStatus(
              { ...inputs(), services: () => cluster.snapshot().services },
              allocating?.lease,
              allocating?.controller.allocator,
            ),
          ),
      ],
    ]),
    rounded: (result) => {
      report = result;
      probing.rounded();
      if (links !== handle?.links()) allocating?.controller.notify();
      links = handle?.links();
      allocating?.controller.rerouted(reroutedBy(result));
      if (result.done.some(isDelete)) withdrawn.notify(acted);
      acted = new GrowingDelta();
    },
  };
  const watches: readonly Watch[] = [
    // An EIP that was withdrawn must not come back after a crash with the API down.
    async (_, until) => {
      for await (const delta of withdrawn.listen(until)) await cluster.save(delta);
    },
    (daemon, until) => {
      handle = daemon;
      // The feeds may have failed already: a missing kubeconfig is known before the first change.
      daemon.journal.feeds(cluster.overview());
      return listen(cluster.changes(until), (delta) => {
        changed.merge(delta);
        daemon.journal.feeds(cluster.overview());
        daemon.roundSignal.notify({ kind: 'cluster', text: 'cluster' });
      });
    },
    ({ roundSignal, asked }) =>
      listen(options.reloads, (next) => {
        asked();
        config = next;
        role = roleFor(next);
        allocating?.controller.notify();
        roundSignal.notify({ kind: 'config', text: 'configuration' });
      }),
    (_, until) => probing.run(until),
    ...(allocating ? allocationWatches(allocating) : []),
  ];
  await runDaemon(daemonRole, kernel, watches, options, signal);
}

function allocationWatches(allocating: Allocating): readonly Watch[] {
  return [
    (_, until) => allocating.holdLease(until),
    ({ journal, roundSignal }, until) =>
      listen(allocating.controller.run(until), (changes) => {
        journal.assignments(changes);
        // A write starts a round through the watch. An empty list means new problems, which start none by themselves.
        if (changes.length === 0) roundSignal.notify({ kind: 'cluster', text: 'allocation' });
      }),
  ];
}

/** The EIPs whose routes were added, changed or deleted in a round. */
function* reroutedBy({ done }: Report): Generator<Ip> {
  for (const { change } of done) {
    const object = changeObject(change);
    const ip = object.kind === 'route' ? onlyIp(object.dst) : undefined;
    if (ip !== undefined) yield ip;
  }
}
