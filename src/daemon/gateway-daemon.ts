import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../cluster/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { GatewayConfig } from '../config/config.ts';
import type { Carrier } from '../desire/carriers.ts';
import { routeKey } from '../desire/eip-routes.ts';
import { GatewayDesire } from '../desire/gateway-desire.ts';
import type { Path } from '../desire/path.ts';
import type { PathHistory } from '../desire/path-history.ts';
import { apiServices } from '../desire/reserved.ts';
import { ServiceTable } from '../desire/service-table.ts';
import type { AssignmentChange } from '../ipam/controller.ts';
import type { LinuxKernel } from '../kernel/linux.ts';
import type { LinuxNeighbours } from '../kernel/linux-neighbours.ts';
import type { LinuxSegment } from '../kernel/linux-segment.ts';
import type { LookupPort } from '../kernel/lookup-port.ts';
import type { ReadService } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { changeObject, keyOf, type Link } from '../model/object.ts';
import type { Pace } from '../model/pace.ts';
import type { Problem } from '../model/problem.ts';
import { ShadowedEips } from '../probe/shadowed-eips.ts';
import type { Reason, Report } from '../reconcile/report.ts';
import type { AgentTerms } from '../status/agents.ts';
import { lateCarriers } from '../status/eips.ts';
import { eipOf } from '../status/need.ts';
import { CurrentAgentTerms } from './agent-terms.ts';
import { Allocating, type AllocationInputs } from './allocation.ts';
import { Announcing } from './announcing.ts';
import type { ClusterChanges } from './cluster-changes.ts';
import { CoveringMemory, coveringFile } from './covering-memory.ts';
import { type Daemon, listen } from './daemon.ts';
import type { DaemonRole, Watch } from './daemon-role.ts';
import type { Draining } from './draining.ts';
import { GatewayAnswers } from './gateway-answers.ts';
import type { GatewayClusters } from './gateway-clusters.ts';
import { type GatewayRole, roleOf } from './gateway-role.ts';
import { keepHeapSmall } from './heap.ts';
import { Layer2 } from './layer2.ts';
import { NatFlows } from './nat-flows.ts';
import { NodeTroubles } from './node-troubles.ts';
import { Probing } from './probing.ts';
import { Publishing } from './publishing.ts';
import { RoutedEips } from './routed-eips.ts';

const none: readonly Problem[] = [];
const noCarriers: readonly Carrier[] = [];

/** ms between the first round with all lists and the collection of the heap, which holds everything else up. */
const heapRest = 2000;

export interface GatewayDaemonInputs {
  readonly config: GatewayConfig;
  readonly daemon: Daemon;
  readonly kernel: LinuxKernel;
  readonly neighbours: LinuxNeighbours;
  readonly lookups: LookupPort;
  readonly segment: LinuxSegment;
  readonly clusters: GatewayClusters;
  readonly changes: ClusterChanges;
  /** The ConfigMaps that this gateway publishes; empty: none. */
  readonly published: ReturnType<GatewayClusters['configMaps']>;
  readonly draining: Draining;
  /** Who this gateway is, for the Lease and for those who publish. */
  readonly identity: string;
}

/**
 * The gateway's role in its daemon: its parts, the work beside the rounds, and what a round reads of the parts and tells
 * them. How each part is made stands at the end, in the order of the constructor.
 */
export class GatewayDaemon implements DaemonRole {
  readonly name = 'gateway';
  readonly runtimeDirectory: string;
  readonly start: DaemonRole['start'];
  readonly listen: DaemonRole['listen'];
  readonly commands: DaemonRole['commands'];
  readonly answers: GatewayAnswers;
  #config: GatewayConfig;
  readonly #daemon: Daemon;
  readonly #kernel: LinuxKernel;
  readonly #clusters: GatewayClusters;
  readonly #cluster: Cluster;
  readonly #changes: ClusterChanges;
  /** For the probe and the desire; a reload makes another desire. */
  readonly #services = new ServiceTable();
  readonly #draining: Draining;
  readonly #probing: Probing;
  readonly #covering: CoveringMemory;
  readonly #announcing: Announcing;
  readonly #layer2: Layer2;
  readonly #natFlows: NatFlows;
  readonly #shadowed: ShadowedEips;
  /** undefined: this gateway gives no addresses. */
  readonly #allocating: Allocating | undefined;
  readonly #publishing: readonly Publishing[];
  readonly #troubles = new NodeTroubles();
  readonly #terms = new CurrentAgentTerms();
  #role: GatewayRole;
  /** The role of the present round; a reload makes another one. */
  #taken: GatewayRole;
  /** What should be routed, as of the last round. */
  #counts: GatewayDesire['paths']['counts'];
  /** As of the last round. */
  #links: readonly Link[] | undefined;

  constructor(inputs: GatewayDaemonInputs) {
    const { config, daemon, clusters } = inputs;
    this.#config = config;
    this.#daemon = daemon;
    this.#kernel = inputs.kernel;
    this.#clusters = clusters;
    this.#cluster = clusters.cluster;
    this.#changes = inputs.changes;
    this.#draining = inputs.draining;

    this.#allocating = this.#makeAllocating(inputs.identity);
    this.#probing = this.#makeProbing(inputs.neighbours, inputs.published.length > 0);
    this.#covering = this.#makeCovering(config.stateDirectory);
    this.#layer2 = new Layer2({ port: inputs.segment, changed: () => this.#wake('cluster', 'layer 2') });
    this.#announcing = this.#makeAnnouncing(inputs.draining);
    this.#publishing = this.#makePublishing(inputs.published, inputs.identity);
    this.#natFlows = this.#makeNatFlows();
    this.#shadowed = this.#makeShadowed(inputs.lookups);

    this.#role = this.#makeRole(config);
    this.#taken = this.#role;
    this.#counts = this.#role.desire.paths.counts;
    this.answers = this.#makeAnswers();

    this.runtimeDirectory = config.runtimeDirectory;
    const { lan, uplink, protocol } = config.gateway;
    this.start = { event: 'started', facts: { lan, uplink, protocol } };
    this.listen = config.metrics;
    this.commands = new Map([
      ['/drain', () => this.#announcing.drain()],
      ['/undrain', () => this.#announcing.undrain()],
    ]);
  }

  /** Reads what earlier runs have left on the disk. */
  async recall(): Promise<void> {
    const kept = await this.#covering.recall();
    if (kept !== undefined) this.#probing.covering.recall(kept);
  }

  /** @param reloads yields a valid configuration at each reload */
  watches(reloads: AsyncIterable<GatewayConfig>): readonly Watch[] {
    return [
      (signal) => this.#changes.saveApplied(this.#clusters, signal),
      (signal) => this.#collectAfterLists(signal),
      (signal) => this.#follow(signal),
      () => listen(reloads, (config) => this.#reload(config)),
      (signal) => this.#probing.run(signal),
      (signal) => this.#covering.run(signal),
      (signal) => this.#natFlows.run(signal),
      (signal) => this.#natFlows.watch(signal),
      (signal) => this.#shadowed.run(signal),
      (signal) => this.#layer2.duplicates.run(signal),
      ...this.#publishing.map((one) => (signal: AbortSignal) => one.run(signal)),
      ...(this.#allocating?.watches(this.#clusters.each, (changes) => this.#assigned(changes)) ?? []),
    ];
  }

  role(): GatewayRole {
    this.#shadowed.rounding();
    this.#taken = this.#role;
    return this.#role;
  }

  rounded(report: Report): void {
    this.#changes.rounded(report);
    const { desire } = this.#taken;
    this.#counts = desire.paths.counts;
    this.#probing.rounded(
      report.failed.map(({ change }) => keyOf(changeObject(change))),
      reroutedBy(report),
    );
    this.#natFlows.rounded(report.done);
    this.#covering.rounded();
    this.#announcing.rounded();
    const active = this.#config.gateway.announce?.active ?? [];
    this.#layer2.rounded(desire.announcing, active, report, this.#daemon.actual);
    this.#announcing.tell(this.#daemon.journal);
    const { links } = this.#daemon;
    if (this.#links !== links) this.#allocating?.controller.notify();
    this.#links = links;
    for (const one of this.#publishing) one.notify();
    this.#allocating?.controller.rerouted(reroutedBy(report));
    this.#shadowed.rounded({ dumped: report.dumped, isDue: report.reasons.some(looksAtAll) });
  }

  pace(): Pace {
    return this.#config.pace;
  }

  history(): PathHistory {
    return this.#role.desire.paths.takeHistory();
  }

  leaving(path: Path): readonly string[] {
    const late = [...lateCarriers(path, this.#probing.lately)];
    return late.flatMap(([node, { standing }]) => (standing === 'leaving' ? [node] : []));
  }

  look(signal: AbortSignal): Promise<void> {
    return this.#probing.look(signal);
  }

  credentialsEnd(): number | undefined {
    return this.#clusters.credentialsEnd();
  }

  leaseTransitions(): number | undefined {
    return this.#allocating?.transitions;
  }

  othersChanged(): void {
    this.#shadowed.othersChanged();
  }

  /** Starts a round. */
  #wake(kind: Reason['kind'], text: string): void {
    this.#daemon.roundSignal.notify({ kind, text });
  }

  #follow(signal: AbortSignal): Promise<void> {
    const { journal } = this.#daemon;
    // The feeds may have failed already: a missing kubeconfig is known before the first change.
    journal.feeds(this.#cluster.overview());
    return listen(this.#cluster.changes(signal), (delta) => {
      this.#changes.add(delta);
      journal.feeds(this.#cluster.overview());
      this.#wake('cluster', 'cluster');
    });
  }

  /** The allocation has finished a pass. */
  #assigned(changes: readonly AssignmentChange[]): void {
    this.#daemon.journal.assignments(changes);
    // A write starts a round through the watch. An empty list means new problems, which start none by themselves.
    if (changes.length === 0) this.#wake('cluster', 'allocation');
  }

  #reload(config: GatewayConfig): void {
    this.#daemon.asked();
    this.#config = config;
    this.#role = this.#makeRole(config);
    this.#allocating?.controller.notify();
    this.#wake('config', 'configuration');
  }

  /** The lists leave garbage behind. */
  async #collectAfterLists(signal: AbortSignal): Promise<void> {
    for await (const _round of this.#changes.listed.listen(signal)) {
      await sleep(heapRest, undefined, { signal });
      await keepHeapSmall();
    }
  }

  #agentTerms(): AgentTerms {
    const { gateway, publish } = this.#config;
    return this.#terms.of(this.#daemon.links, gateway, publish?.lan ?? []);
  }

  #allocationInputs(): AllocationInputs {
    const { nodes, apiPeers } = this.#cluster.overview();
    return {
      nodes,
      apiPeers,
      apis: apiServices(this.#cluster),
      gateway: this.#config.gateway,
      links: this.#daemon.links,
    };
  }

  #makeAllocating(identity: string): Allocating | undefined {
    const { allocation } = this.#config.gateway;
    const writers = this.#clusters.writers();
    if (!allocation || !writers) return undefined;
    return new Allocating({
      allocation,
      writers,
      cluster: this.#cluster,
      inputs: () => this.#allocationInputs(),
      installed: (ip) => this.#daemon.has(routeKey(ip, this.#config.gateway.table)),
      answered: (service) => !this.#probing.isUnanswered(service),
      identity,
      troubled: () => this.#wake('cluster', 'Lease'),
      clock: systemClock,
    });
  }

  #makeProbing(port: LinuxNeighbours, tells: boolean): Probing {
    return new Probing({
      port,
      service: (key) => this.#services.get(key),
      cluster: this.#cluster,
      gateway: () => this.#config.gateway,
      terms: () => this.#config.probe,
      tells,
      isPublished: (of) => this.#publishing.some((one) => one.cluster === of && one.isAnswered),
      links: () => this.#daemon.links,
      has: (key) => this.#daemon.has(key),
      carriersOf: (eip) => this.#taken.desire.paths.set(eip)?.carriers ?? noCarriers,
      changed: () => this.#wake('cluster', 'probe'),
      answered: (service) => this.#allocating?.controller.answered(service),
    });
  }

  #makeCovering(stateDirectory: string): CoveringMemory {
    const { covering } = this.#probing;
    return new CoveringMemory(join(stateDirectory, coveringFile), {
      kept: () => covering.kept(),
      changes: () => covering.changes,
      clock: Date.now,
    });
  }

  #makeAnnouncing(draining: Draining): Announcing {
    return new Announcing({
      gateway: () => this.#config.gateway,
      draining,
      table: () => this.#taken.desire.announcing,
      claims: () => this.#layer2.duplicates.counts,
      actual: () => this.#daemon.actual,
      changed: () => this.#wake('operator', 'drain'),
    });
  }

  #makePublishing(published: GatewayDaemonInputs['published'], id: string): readonly Publishing[] {
    const name = this.#config.publish?.name ?? hostname();
    return published.map(
      ({ name: of, port }) =>
        new Publishing({
          port,
          cluster: of,
          name,
          id,
          wanted: () => ({
            pools: this.#config.gateway.pools.map((pool) => ({ name: pool.name, networks: pool.addresses })),
            lan: this.#agentTerms().published,
            state: this.#announcing.state,
            draining: this.#probing.handingOf(of),
            leaving: this.#probing.leavingIn(of),
          }),
          clock: systemClock,
          readable: (leaving) => this.#probing.readable(leaving),
          changed: () => this.#wake('cluster', 'ConfigMap'),
        }),
    );
  }

  #makeNatFlows(): NatFlows {
    const standing = (ip: Ip) => this.#probing.standings.get(ip);
    return new NatFlows({
      gateway: () => this.#config.gateway,
      isDraining: (ip) => standing(ip) === 'draining' || standing(ip) === 'drained',
      isGone: (ip) =>
        standing(ip) === 'silent' ||
        !this.#cluster.overview().nodes.some(({ addresses }) => addresses.includes(ip)),
      desired: () => this.#taken.desire.table,
      changed: () => this.#wake('cluster', 'conntrack'),
    });
  }

  #makeShadowed(port: LookupPort): ShadowedEips {
    const gateway = (): Gateway => this.#config.gateway;
    const routed = new RoutedEips({ gateway, actual: () => this.#daemon.actual });
    return new ShadowedEips({
      port,
      gateway,
      links: () => this.#daemon.links,
      names: this.#daemon.names,
      routed: () => routed.walk(),
      isRouted: (eip) => routed.has(eip),
      // A hint: the loop decides when the dump is due.
      doubted: (eip) => this.#wake('route', `another route or a rule takes the packets of ${eip}`),
      changed: () => this.#wake('cluster', 'route lookup'),
    });
  }

  #makeRole(config: GatewayConfig): GatewayRole {
    const desire = new GatewayDesire(config.gateway, {
      cluster: this.#cluster,
      takeDelta: () => this.#changes.take(this.#clusters.listed()),
      services: this.#services,
      read: (again) => this.#read(again),
      probed: this.#probing,
      isDraining: () => this.#draining.since !== undefined,
      uniqueness: this.#layer2.duplicates,
      problems: () => this.#problems(),
    });
    return roleOf(config, desire);
  }

  /** Before the desire acts on them: what moves follows from what the probe makes of them, in the journal as well. */
  #read(services: readonly ReadService[]): void {
    this.#probing.read(services);
    this.#daemon.journal.drains(this.#probing.verdicts);
  }

  #problems(): readonly (readonly Problem[])[] {
    return [
      this.#kernel.problems,
      this.#daemon.reloadProblems,
      this.#allocating?.problems() ?? none,
      this.#troubles.of(this.#cluster.overview().nodes, this.#agentTerms()),
      this.#layer2.duplicates.problems,
      this.#natFlows.problems,
      this.#shadowed.problems,
      this.#covering.problems,
      ...this.#probing.problems(),
      ...this.#publishing.map((one) => one.problems()),
    ];
  }

  #makeAnswers(): GatewayAnswers {
    return new GatewayAnswers({
      config: () => this.#config,
      desire: () => this.#taken.desire,
      counts: () => this.#counts,
      inputs: () => this.#allocationInputs(),
      cluster: this.#cluster,
      clusters: this.#clusters,
      probing: this.#probing,
      announcing: this.#announcing,
      allocating: this.#allocating,
      publishing: this.#publishing,
      natFlows: this.#natFlows,
      shadowed: this.#shadowed,
      agentTerms: () => this.#agentTerms(),
    });
  }
}

/** The EIPs whose routes were added, changed or deleted in a round. */
function* reroutedBy({ done }: Report): Generator<Ip> {
  for (const change of done) {
    const object = changeObject(change);
    const ip = eipOf(object);
    if (ip !== undefined) yield ip;
  }
}

/** After such a round all EIPs are asked for; a dump for a hint may come several times a second. */
function looksAtAll({ kind }: Reason): boolean {
  return kind === 'start' || kind === 'resync' || kind === 'config' || kind === 'operator';
}
