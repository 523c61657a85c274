import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../cluster/clock.ts';
import { GrowingDelta, mergeDelta } from '../cluster/delta.ts';
import { Signal } from '../cluster/signal.ts';
import type { GatewayConfig } from '../config/config.ts';
import type { Carrier } from '../desire/carriers.ts';
import { routeKey } from '../desire/eip-routes.ts';
import { GatewayDesire } from '../desire/gateway-desire.ts';
import { apiServices } from '../desire/reserved.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { LinuxNeighbours } from '../kernel/linux-neighbours.ts';
import { LinuxSegment } from '../kernel/linux-segment.ts';
import { inheritedPacketSockets } from '../kernel/packet-sockets.ts';
import type { Delta } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import { changeObject, keyOf, type Link } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { GatewayState } from '../model/publication.ts';
import { Rests } from '../probe/rests.ts';
import { isBelieved, type LastReport, lastOf, type Report } from '../reconcile/report.ts';
import type { AgentTerms } from '../status/agents.ts';
import { lateCarriers } from '../status/eips.ts';
import { eipOf } from '../status/need.ts';
import type { AnnounceStatus } from '../status/status.ts';
import { CurrentAgentTerms } from './agent-terms.ts';
import { Allocating, type AllocationInputs } from './allocation.ts';
import { Announcing } from './announcing.ts';
import { CoveringMemory, coveringFile } from './covering-memory.ts';
import {
  type DaemonHandle,
  type DaemonOptions,
  type DaemonRole,
  listen,
  runDaemon,
  type Watch,
} from './daemon.ts';
import { Draining } from './draining.ts';
import { needFolder } from './folders.ts';
import { GatewayAnswers } from './gateway-answers.ts';
import { type GatewayCluster, GatewayClusters } from './gateway-clusters.ts';
import { roleOf } from './gateway-role.ts';
import { keepHeapSmall } from './heap.ts';
import { identity } from './identity.ts';
import { Layer2 } from './layer2.ts';
import { lock } from './lock.ts';
import { NatFlows } from './nat-flows.ts';
import { NodeTroubles } from './node-troubles.ts';
import { Probing } from './probing.ts';
import { Publishing } from './publishing.ts';

const none: readonly Problem[] = [];
const noCarriers: readonly Carrier[] = [];

/**
 * ms between two writes of what was applied: the first change is written at once, and those of a burst share the next write. To
 * hand a write to a thread takes a sixth of the time of an event.
 */
const saveRest = 10;

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
  let report: LastReport | undefined;
  let handle: DaemonHandle | undefined;
  await needFolder('stateDirectory', config.stateDirectory);
  await needFolder('runtimeDirectory', config.runtimeDirectory);
  await using _lock = await lock(config.gateway.protocol, config.runtimeDirectory);
  await using kernel = await LinuxKernel.open(config.stateDirectory);
  await using neighbours = new LinuxNeighbours();
  await using segment = new LinuxSegment(inheritedPacketSockets());
  /** The clusters whose lists the last round has seen. */
  let judged: ReadonlySet<string | undefined> = new Set();
  /** Those that the present round sees. */
  let seen = judged;
  await using clusters = new GatewayClusters({
    ...config,
    believed: (name) => isBelieved(report, judged.has(name)),
  });
  const { cluster } = clusters;

  const inputs = (): AllocationInputs => ({
    nodes: cluster.overview().nodes,
    apis: apiServices(cluster),
    gateway: config.gateway,
    links: handle?.links() ?? [],
  });
  const { allocation } = config.gateway;
  const writers = clusters.writers();
  const { publish } = config;
  const published = publish ? clusters.configMaps(publish.configMap) : [];
  const own = allocation || published.length > 0 ? await identity(config.stateDirectory) : '';
  const allocating =
    allocation && writers
      ? new Allocating({
          allocation,
          writers,
          cluster,
          inputs,
          installed: (ip) => handle?.has(routeKey(ip, config.gateway.table)) ?? false,
          answered: (service) => !probing.isUnanswered(service),
          identity: own,
          troubled: () => handle?.roundSignal.notify({ kind: 'cluster', text: 'Lease' }),
          clock: systemClock,
        })
      : undefined;
  await using _published = disposed(published.map(({ port }) => port));
  const probing = new Probing({
    port: neighbours,
    cluster,
    gateway: () => config.gateway,
    terms: () => config.probe,
    tells: published.length > 0,
    isPublished: (of) => publishing.some((one) => one.cluster === of && one.isAnswered),
    links: () => handle?.links() ?? [],
    has: (key) => handle?.has(key) ?? false,
    carriersOf: (eip) => taken.desire.paths.set(eip)?.carriers ?? noCarriers,
    changed: () => handle?.roundSignal.notify({ kind: 'cluster', text: 'probe' }),
    answered: (service) => allocating?.controller.answered(service),
  });
  const covering = new CoveringMemory(join(config.stateDirectory, coveringFile), {
    kept: () => probing.covering.kept(),
    changes: () => probing.covering.changes,
    clock: Date.now,
  });
  const kept = await covering.recall();
  if (kept !== undefined) probing.covering.recall(kept);
  const currentTerms = new CurrentAgentTerms();
  const agentTerms = (): AgentTerms =>
    currentTerms.of(handle?.links() ?? [], config.gateway, config.publish?.lan ?? []);
  const draining = await Draining.recall(config.stateDirectory);
  const announcing = new Announcing({
    gateway: () => config.gateway,
    draining,
    table: () => taken.desire.announcing,
    claims: () => layer2.duplicates.counts,
    actual: () => handle?.actual(),
    changed: () => handle?.roundSignal.notify({ kind: 'operator', text: 'drain' }),
  });
  const layer2 = new Layer2({
    port: segment,
    changed: () => handle?.roundSignal.notify({ kind: 'cluster', text: 'layer 2' }),
  });
  const publishing = published.map(
    ({ name: of, port }) =>
      new Publishing({
        port,
        cluster: of,
        name: publish?.name ?? hostname(),
        id: own,
        wanted: () => ({
          pools: config.gateway.pools.map(({ name, addresses }) => ({ name, networks: addresses })),
          lan: agentTerms().published,
          state: gatewayState(announcing.status()),
          draining: probing.handingOf(of),
          leaving: probing.leavingIn(of),
        }),
        clock: systemClock,
        readable: (leaving) => probing.readable(leaving),
        changed: () => handle?.roundSignal.notify({ kind: 'cluster', text: 'ConfigMap' }),
      }),
  );
  const natFlows = new NatFlows({
    gateway: () => config.gateway,
    isDraining: (ip) => probing.standings.get(ip) === 'draining' || probing.standings.get(ip) === 'drained',
    isGone: (ip) =>
      probing.standings.get(ip) === 'silent' ||
      !cluster.overview().nodes.some(({ addresses }) => addresses.includes(ip)),
    desired: () => taken.desire.table,
    changed: () => handle?.roundSignal.notify({ kind: 'cluster', text: 'conntrack' }),
  });
  /** Changes of the cluster that the next round reads. */
  let changed = new GrowingDelta();
  /** The changes of the cluster that the present round acts on. */
  let acted = new GrowingDelta();
  const applied = new Signal<Delta, GrowingDelta>(mergeDelta);
  const nodeTroubles = (): readonly Problem[] => troubles.of(cluster.overview().nodes, agentTerms());
  /** The first round with all lists is over. */
  const listed = new Signal(() => {});
  const roleFor = (now: GatewayConfig) =>
    roleOf(
      now,
      new GatewayDesire(now.gateway, {
        cluster,
        takeDelta: () => {
          const delta = changed;
          seen = clusters.listed();
          acted.merge(delta);
          changed = new GrowingDelta();
          probing.read(delta.services);
          // Before the round, whose moves follow from it.
          handle?.journal.drains(probing.verdicts);
          return delta;
        },
        probed: probing,
        isDraining: () => draining.since !== undefined,
        uniqueness: layer2.duplicates,
        problems: () => [
          kernel.problems,
          allocating?.problems() ?? none,
          nodeTroubles(),
          layer2.duplicates.problems,
          natFlows.problems,
          covering.problems,
          ...probing.problems(),
          ...publishing.map((one) => one.problems()),
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
  const answers = new GatewayAnswers({
    config: () => config,
    desire: () => taken.desire,
    counts: () => counts,
    inputs,
    cluster,
    clusters,
    probing,
    announcing,
    allocating,
    publishing,
    natFlows,
    agentTerms,
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
    leaving: (path) =>
      [...lateCarriers(path, probing.lately)].flatMap(([node, { standing }]) =>
        standing === 'leaving' ? [node] : [],
      ),
    look: (until) => probing.look(until),
    health: (state) => answers.health(state),
    status: (state) => answers.status(state),
    figures: (state) => answers.figures(state),
    eips: (state) => answers.eips(state),
    questions: answers.questions,
    listen: config.metrics,
    credentialsEnd: () => clusters.credentialsEnd(),
    leaseTransitions: () => allocating?.transitions,
    commands: new Map([
      ['/drain', () => announcing.drain()],
      ['/undrain', () => announcing.undrain()],
    ]),
    rounded: (result) => {
      if (result.complete && !report?.complete) listed.notify();
      report = lastOf(result);
      judged = seen;
      counts = taken.desire.paths.counts;
      const refused = result.failed.map(({ change }) => keyOf(changeObject(change)));
      probing.rounded(refused, reroutedBy(result));
      natFlows.rounded(result.done);
      covering.rounded();
      announcing.rounded();
      const { announcing: table } = taken.desire;
      layer2.rounded(table, config.gateway.announce?.active ?? [], result, handle?.actual());
      if (handle) announcing.tell(handle.journal);
      if (links !== handle?.links()) allocating?.controller.notify();
      links = handle?.links();
      for (const one of publishing) one.notify();
      allocating?.controller.rerouted(reroutedBy(result));
      if (result.done.length > 0) applied.notify(acted);
      acted = new GrowingDelta();
    },
  };
  const watches: readonly Watch[] = [
    (_, until) => saveApplied(applied, clusters, until),
    (_, until) => collectAfterLists(listed, until),
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
    (_, until) => covering.run(until),
    (_, until) => natFlows.run(until),
    (_, until) => natFlows.watch(until),
    (_, until) => layer2.duplicates.run(until),
    ...publishing.map((one) => (_: DaemonHandle, until: AbortSignal) => one.run(until)),
    ...(allocating ? allocationWatches(allocating, clusters.each) : []),
  ];
  await runDaemon(daemonRole, kernel, watches, options, signal);
}

/** What was applied must not be undone by a start after a crash, before the lists are in or with the API down. */
async function saveApplied(
  applied: Signal<Delta, GrowingDelta>,
  clusters: GatewayClusters,
  until: AbortSignal,
): Promise<void> {
  const rests = new Rests(until);
  for await (const delta of applied.listen(until)) {
    await clusters.save(delta);
    await rests.take(saveRest);
  }
}

/** The lists leave garbage behind. */
async function collectAfterLists(listed: Signal, until: AbortSignal): Promise<void> {
  for await (const _round of listed.listen(until)) {
    await sleep(heapRest, undefined, { signal: until });
    await keepHeapSmall();
  }
}

function disposed(all: readonly AsyncDisposable[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

/** By the announcements; a gateway that announces nothing has no other state than active. */
function gatewayState(announce: AnnounceStatus | undefined): GatewayState {
  if (announce === undefined) return 'active';
  if (announce.drainingSince !== undefined) return 'draining';
  const families = [announce.ipv4, announce.ipv6].filter((one) => one !== undefined);
  return families.length > 0 && families.every(({ state }) => state === 'standby') ? 'standby' : 'active';
}

function allocationWatches(allocating: Allocating, clusters: readonly GatewayCluster[]): readonly Watch[] {
  return [
    ...clusters.map(({ name, source }) => async (_: DaemonHandle, until: AbortSignal) => {
      for await (const _recovered of source.recoveries?.(until) ?? []) allocating.controller.recovered(name);
    }),
    (_, until) => allocating.holdLeases(until),
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
  for (const change of done) {
    const object = changeObject(change);
    const ip = eipOf(object);
    if (ip !== undefined) yield ip;
  }
}
