import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { GrowingDelta, mergeDelta, nothing } from '../cluster/delta.ts';
import { fileCluster } from '../cluster/file.ts';
import { type KubernetesCluster, kubernetesCluster } from '../cluster/kubernetes.ts';
import { remembered } from '../cluster/remembered.ts';
import { Signal } from '../cluster/signal.ts';
import type { GatewayConfig, Source } from '../config/config.ts';
import type { ClusterReader } from '../desire/cluster-reader.ts';
import { routeKey } from '../desire/eip-routes.ts';
import { nftTableNames } from '../desire/gateway.ts';
import { GatewayDesire, type GatewaySources } from '../desire/gateway-desire.ts';
import { apiServiceName } from '../desire/reserved.ts';
import { sysctlNames } from '../desire/sysctls.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { LinuxNeighbours } from '../kernel/linux-neighbours.ts';
import type { Delta } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import { changeObject, type Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { unprobed } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import type { Role } from '../reconcile/reconciler.ts';
import { isBelieved, type Report } from '../reconcile/report.ts';
import { type EipInputs, eipStatuses } from '../status/eips.ts';
import { figuresOfGateway, type GatewayInputs, gatewayStatus } from '../status/gateway.ts';
import { type GatewayFacts, gatewayHealth } from '../status/health.ts';
import { eipOf } from '../status/need.ts';
import { pathTarget, pathViews } from '../status/path-view.ts';
import { Allocating, type AllocationInputs } from './allocation.ts';
import { Announcing } from './announcing.ts';
import {
  type DaemonHandle,
  type DaemonOptions,
  type DaemonRole,
  type DaemonState,
  listen,
  runDaemon,
  type Watch,
} from './daemon.ts';
import { Draining } from './draining.ts';
import { DarkEips, eipsAnswer } from './eips.ts';
import { needFolder } from './folders.ts';
import { keepHeapSmall } from './heap.ts';
import { identity } from './identity.ts';
import { lock } from './lock.ts';
import { NodeTroubles } from './node-troubles.ts';
import { pathsAnswer } from './paths.ts';
import { PoolSizes, poolsStatus } from './pools.ts';
import { Probing } from './probing.ts';
import type { Answer } from './socket.ts';
import { Standings } from './standings.ts';

export function openSource(
  source: Source,
): Cluster & Partial<Pick<KubernetesCluster, 'writer' | 'server' | 'recoveries' | 'credentialsEnd'>> {
  return source.kind === 'file' ? fileCluster(source.path) : kubernetesCluster(source);
}

/** The role of a gateway for a command: over a cluster that does not change. */
export function gatewayRole(
  config: GatewayConfig,
  cluster: ClusterReader,
  problems: () => readonly Problem[],
): Role & { readonly desire: GatewayDesire } {
  const standings = new Standings();
  standings.read({
    nodes: cluster.overview().nodes,
    silent: new Set(),
    terms: config.probe,
    proxy: () => 'unknown',
    now: 0,
  });
  const sources: GatewaySources = {
    cluster,
    takeDelta: () => nothing,
    // What Kubernetes says of its nodes; nobody is asked.
    probed: { ...unprobed, standings: standings.standings },
    problems: () => [problems()],
  };
  return roleOf(config, new GatewayDesire(config.gateway, sources));
}

function roleOf({ gateway, limits }: GatewayConfig, desire: GatewayDesire): Role & { desire: GatewayDesire } {
  return {
    scope: {
      owner: ownerOf(gateway.protocol),
      // A table that was named in a former configuration may still announce what nobody routes any more.
      tables: 'all',
      sysctls: sysctlNames(gateway),
      nftTables: nftTableNames(gateway.protocol),
      neighbours: [],
    },
    limits,
    desire,
  };
}

const none: readonly Problem[] = [];

/** ms between the first round with all lists and the collection of the heap, which holds everything else up. */
const heapRest = 2000;

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
  await needFolder('stateDirectory', config.stateDirectory);
  await needFolder('runtimeDirectory', config.runtimeDirectory);
  await using _lock = await lock(config.gateway.protocol, config.runtimeDirectory);
  await using kernel = await LinuxKernel.open(config.stateDirectory);
  await using neighbours = new LinuxNeighbours();
  const source = openSource(config.source);
  await using cluster = remembered(source, join(config.stateDirectory, 'cluster.json'), {
    believed: () => isBelieved(report),
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
          answered: (service) => !probing.isUnanswered(service),
          identity: await identity(config.stateDirectory),
          troubled: () => handle?.roundSignal.notify({ kind: 'cluster', text: 'Lease' }),
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
    answered: (service) => allocating?.controller.answered(service),
  });
  const draining = await Draining.recall(config.stateDirectory);
  const announcing = new Announcing({
    gateway: () => config.gateway,
    draining,
    table: () => taken.desire.announcing,
    actual: () => handle?.actual(),
    changed: () => handle?.roundSignal.notify({ kind: 'operator', text: 'drain' }),
  });
  /** Changes of the cluster that the next round reads. */
  let changed = new GrowingDelta();
  /** The changes of the cluster that the present round acts on. */
  let acted = new GrowingDelta();
  const applied = new Signal<Delta, GrowingDelta>(mergeDelta);
  const nodeTroubles = (): readonly Problem[] => troubles.of(cluster.overview().nodes);
  /** The first round with all lists is over. */
  const listed = new Signal(() => {});
  const roleFor = (now: GatewayConfig) =>
    roleOf(
      now,
      new GatewayDesire(now.gateway, {
        cluster,
        takeDelta: () => {
          const delta = changed;
          acted.merge(delta);
          changed = new GrowingDelta();
          probing.read(delta.services);
          return delta;
        },
        probed: probing,
        isDraining: () => draining.since !== undefined,
        problems: () => [
          kernel.problems,
          allocating?.problems() ?? none,
          nodeTroubles(),
          ...probing.problems(),
        ],
      }),
    );
  let role = roleFor(config);
  /** The role of the present round; a reload makes another one. */
  let taken = role;
  /** What should be routed, as of the last round. */
  let counts = role.desire.paths.counts;
  let links: readonly Link[] | undefined;
  const troubles = new NodeTroubles();
  const sizes = new PoolSizes();
  const dark = new DarkEips();

  const facts = (state: DaemonState): GatewayFacts => ({
    ...state,
    lan: config.gateway.lan,
    counts,
    cluster: cluster.overview(),
    source: config.source.kind,
    dark: dark.of(taken.desire.paths, probing.unheard, state.report),
    unrouted: () => taken.desire.unrouted(),
    announceStates: taken.desire.announcing?.states,
  });
  const statusInputs = (state: DaemonState): GatewayInputs => ({
    ...state,
    facts: facts(state),
    paths: taken.desire.paths,
    nodes: cluster.overview().nodes,
    hosts: probing.hosts,
    verdicts: probing.verdicts,
    address: config.source.kind === 'file' ? config.source.path : source.server?.(),
    sizes: sizes.of(inputs()),
    waiting: allocating?.waiting,
    lease: allocating?.lease,
    announce: announcing.status(),
  });
  const eipInputs = (state: DaemonState): EipInputs => ({
    ...state,
    paths: taken.desire.paths.paths(),
    table: config.gateway.table,
    silent: probing.unheard,
  });
  const daemonRole: DaemonRole = {
    name: 'gateway',
    runtimeDirectory: config.runtimeDirectory,
    start: {
      event: 'started',
      facts: { lan: config.gateway.lan, uplink: config.gateway.uplink, protocol: config.gateway.protocol },
    },
    waitsForLists: true,
    role: () => {
      taken = role;
      return role;
    },
    pace: () => config.pace,
    history: () => role.desire.paths.takeHistory(),
    look: (until) => probing.look(until),
    health: (state) => gatewayHealth(facts(state)),
    status: (state) => gatewayStatus(statusInputs(state)),
    figures: (state) => figuresOfGateway(statusInputs(state)),
    eips: (state) => eipStatuses(eipInputs(state)),
    listen: config.metrics,
    credentialsEnd: () => source.credentialsEnd?.(),
    leaseTransitions: () => allocating?.transitions,
    commands: new Map([
      ['/drain', () => announcing.drain()],
      ['/undrain', () => announcing.undrain()],
    ]),
    questions: new Map<string, (state: DaemonState, query: URLSearchParams) => Answer>([
      [
        '/eips',
        (state, query) =>
          eipsAnswer(gatewayHealth(facts(state)), query.get('of') ?? undefined, eipInputs(state)),
      ],
      [
        '/paths',
        (state, query) =>
          pathsAnswer(
            gatewayHealth(facts(state)),
            pathViews(pathTarget(query.get('of') ?? ''), {
              cluster,
              gateway: config.gateway,
              probed: probing,
              problems: [...(state.report?.problems ?? []), ...(allocating?.problems() ?? none)],
            }),
            probing.hosts,
          ),
      ],
      [
        '/pools',
        () =>
          JSON.stringify(
            poolsStatus(
              {
                ...inputs(),
                services: () => cluster.snapshot().services,
                paths: () => role.desire.paths.paths(),
              },
              allocating?.lease,
              allocating?.controller.allocator,
            ),
          ),
      ],
    ]),
    rounded: (result) => {
      if (result.complete && !report?.complete) listed.notify();
      report = result;
      counts = taken.desire.paths.counts;
      probing.rounded();
      announcing.rounded();
      if (handle) announcing.tell(handle.journal);
      if (links !== handle?.links()) allocating?.controller.notify();
      links = handle?.links();
      allocating?.controller.rerouted(reroutedBy(result));
      if (result.done.length > 0) applied.notify(acted);
      acted = new GrowingDelta();
    },
  };
  const watches: readonly Watch[] = [
    // What was applied must not be undone by a start after a crash, before the lists are in or with the API down.
    async (_, until) => {
      for await (const delta of applied.listen(until)) await cluster.save(delta);
    },
    async (_, until) => {
      for await (const _round of listed.listen(until)) {
        await sleep(heapRest, undefined, { signal: until });
        await keepHeapSmall();
      }
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
    ...(allocating ? allocationWatches(allocating, (until) => source.recoveries?.(until)) : []),
  ];
  await runDaemon(daemonRole, kernel, watches, options, signal);
}

function allocationWatches(
  allocating: Allocating,
  recoveries: (signal: AbortSignal) => AsyncIterable<unknown> | undefined,
): readonly Watch[] {
  return [
    async (_, until) => {
      for await (const _recovered of recoveries(until) ?? []) allocating.controller.recovered();
    },
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
    const ip = eipOf(object);
    if (ip !== undefined) yield ip;
  }
}
