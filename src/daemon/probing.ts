import { systemClock } from '../cluster/clock.ts';
import type { ProbeTerms } from '../config/config.ts';
import type { Carrier } from '../desire/carriers.ts';
import type { ClusterReader } from '../desire/cluster-reader.ts';
import { routeKey } from '../desire/eip-routes.ts';
import type { Verdict } from '../desire/verdict.ts';
import type { NeighbourPort } from '../kernel/neighbour-port.ts';
import { clusterOf, type ReadService, type Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Hosts } from '../model/host.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import type { Key, Link } from '../model/object.ts';
import type { ProbePaths } from '../model/probe-path.ts';
import {
  type ByFamily,
  type FormerNodes,
  type LateCarrier,
  type LateCarriers,
  nobodyLately,
  noStandings,
  type Probed,
  type Standing,
} from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import type { LeavingNodes } from '../model/publication.ts';
import { AwakeClock } from '../probe/awake-clock.ts';
import { HealthConnections } from '../probe/health-connections.ts';
import { askHealth, type Health } from '../probe/health-port.ts';
import { HungNodes } from '../probe/hung-nodes.ts';
import { PortQuestion } from '../probe/port-question.ts';
import { ProxyHealths } from '../probe/proxy-health.ts';
import { Reachability } from '../probe/reachability.ts';
import type { ServiceChange } from '../probe/service-change.ts';
import { Serving } from '../probe/serving.ts';
import { Ticker } from '../probe/ticker.ts';
import { Covering } from './covering.ts';
import { EipQuestions } from './eip-questions.ts';
import { Leaving } from './leaving.ts';
import { NeighbourOverflow } from './neighbour-overflow.ts';
import { ProbedNodes } from './probed-nodes.ts';
import { Standings } from './standings.ts';

export interface ProbingInputs {
  readonly port: NeighbourPort;
  readonly cluster: ClusterReader;
  /** A Service as it was last read, by its key. */
  readonly service: (key: string) => Service | undefined;
  readonly gateway: () => Gateway;
  readonly terms: () => ProbeTerms;
  /** Whether agents of the nodes are told of drains; they hear of one before the traffic moves. */
  readonly tells: boolean;
  /**
   * Whether agents are told what is published now.
   *
   * @param cluster undefined: there is one, without a name
   */
  readonly isPublished: (cluster: string | undefined) => boolean;
  /** As of the last dump. */
  readonly links: () => readonly Link[];
  /** Whether our object with this key is in the kernel. */
  readonly has: (key: string) => boolean;
  /** The nodes that an EIP leads to; the same array as long as they are the same. */
  readonly carriersOf: (eip: Ip) => readonly Carrier[];
  /** Called when the desire or the problems have changed. */
  readonly changed: () => void;
  /** Called when a node has said that it serves the Service `namespace/name`. */
  readonly answered: (service: string) => void;
}

/** ms between two looks at how long nodes have been draining */
const drainPace = 200;
/** ms by which agents hear of a drain before the traffic moves: a write to the API, a watch, and a table of nftables. */
const drainLead = 1000;

/** The probe of a gateway: which nodes to ask, and what its answers are for. */
export class Probing implements Probed {
  readonly covering: Covering;
  readonly #inputs: ProbingInputs;
  readonly #nodes: ProbedNodes;
  readonly #reachability: Reachability;
  readonly #serving: Serving;
  readonly #questions: EipQuestions;
  readonly #proxies: ProxyHealths;
  /** To the health checks of the kube-proxies. */
  readonly #connections = new HealthConnections();
  readonly #overflow = new NeighbourOverflow();
  readonly #hung: HungNodes;
  readonly #standings = new Standings();
  readonly #leaving: Leaving;
  /** A limit is not over sooner because this program, or the machine, slept. */
  readonly #awake: AwakeClock;
  /** The standings that the present round acts on, and those that the kernel has. */
  #acting = noStandings;
  #applied = noStandings;
  /** Names of the clusters whose first lists have been read. */
  readonly #started = new Set<string | undefined>();
  readonly #limitLooks = new Ticker({
    pace: drainPace,
    isIdle: () => this.#isTimeless,
    tick: () => this.#lookAtLimits(),
  });

  constructor(inputs: ProbingInputs) {
    const { port, service, gateway, terms, changed, answered } = inputs;
    const clock = (): number => performance.now();
    const addressOf = (node: string, of: Family): Ip | undefined => this.#nodes.addressOf(node, of);
    this.#inputs = inputs;
    this.#nodes = new ProbedNodes({
      gateway,
      links: inputs.links,
      followTargets: (targets) => {
        this.#reachability.follow(targets);
        this.#questions.follow([...new Set(targets.nodes.map(({ ip }) => ip))]);
      },
      followProxies: (proxies) => {
        this.#proxies.follow(proxies);
        this.#hung.follow(proxies);
        this.#connections.keep(new Set(proxies.map(({ ip }) => ip)));
      },
    });
    this.#reachability = new Reachability({
      port,
      // The kernel asks whom it has not heard for half to one and a half times this.
      every: () => gateway().neighbour.reachableMs / 2,
      share: () => terms().share,
      clock,
      time: systemClock.now,
      changed,
    });
    this.#awake = new AwakeClock(clock, 10 * drainPace);
    this.covering = new Covering({ limit: () => terms().drainLimit, now: () => this.#awake.now() });
    this.#leaving = new Leaving({
      cluster: inputs.cluster,
      gateway,
      addressOf,
      after: drainLead,
      limit: () => terms().drainLimit,
      now: () => this.#awake.now(),
      changed,
    });
    this.#questions = new EipQuestions({
      service,
      cluster: inputs.cluster,
      gateway,
      wait: () => terms().wait,
      has: inputs.has,
      carriersOf: inputs.carriersOf,
      waitingOf: (service, of) =>
        [...this.#serving.waiting(service)[of]].flatMap((node) => addressOf(node, of) ?? []),
      standings: () => this.standings,
      clock,
      stand: () => this.#stand(),
      changed,
      answered,
    });
    this.#hung = new HungNodes({
      ask: (ip, at) => new PortQuestion(ip, at),
      ports: () => ({ proxy: terms().proxyPort, kubelet: terms().kubeletPort }),
      share: () => terms().share,
      clock,
      changed,
    });
    const ask = (ip: Ip, at: number): Promise<Health> =>
      this.#hung.watch(ip, () => this.#connections.ask(ip, at));
    this.#proxies = new ProxyHealths({
      ask,
      port: () => terms().proxyPort,
      clock,
      changed,
      woke: () => this.#hung.wake(),
    });
    this.#serving = new Serving({
      service,
      isRouted: (service, of) => this.#isRouted(service, of),
      addressOf,
      ask: askHealth,
      eipAnswer: (service, via) => this.#questions.answerOf(service, via),
      wait: () => terms().wait,
      clock,
      changed,
      answered,
    });
  }

  get standings(): ReadonlyMap<Ip, Standing> {
    return this.#standings.standings;
  }

  get probePaths(): ProbePaths {
    return this.#questions.paths;
  }

  get areNodesHeard(): boolean {
    return this.#reachability.isHeard;
  }

  /**
   * See {@link Standings.handing}, of the nodes of one cluster: those of another one know nothing of its flows.
   *
   * @param cluster undefined: there is one, without a name
   * @returns undefined: no node of it is known yet
   */
  handingOf(cluster: string | undefined): readonly Ip[] | undefined {
    const nodes = this.#inputs.cluster.overview().nodes.filter((node) => node.cluster === cluster);
    if (nodes.length === 0) return undefined;
    const { handing } = this.#standings;
    if (cluster === undefined || handing.length === 0) return handing;
    const own = new Set(nodes.flatMap(({ addresses }) => addresses));
    return handing.filter((ip) => own.has(ip));
  }

  /**
   * The nodes that keep flows of single EIPs which the gateways send to others: agents hand these over to them.
   *
   * @param cluster undefined: there is one, without a name
   * @returns undefined: its Services are not known yet
   */
  leavingIn(cluster: string | undefined): LeavingNodes | undefined {
    if (!this.#started.has(cluster)) return undefined;
    const { standings } = this.#standings;
    return this.#leaving.table.told(
      (service) => clusterOf(service) === cluster,
      (ip) => standings.get(ip) === 'silent',
    );
  }

  /** The agents can read this. */
  readable(leaving: LeavingNodes): void {
    this.#leaving.readable(leaving);
  }

  /** What every node may be sent, by its name. */
  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#standings.verdicts;
  }

  /** The standings that the kernel has, as of the last round. */
  get applied(): ReadonlyMap<Ip, Standing> {
    return this.#applied;
  }

  /** Nodes that do not answer, also those whose silence is doubted; the same set as long as they are the same. */
  get unheard(): ReadonlySet<Ip> {
    return this.#reachability.unheard;
  }

  /** The nodes in the neighbour table, as of the last {@link look}. */
  get hosts(): Hosts {
    return this.#reachability.hosts;
  }

  look(signal: AbortSignal): Promise<void> {
    return this.#reachability.look(signal);
  }

  waiting(service: string) {
    return this.#serving.waiting(service);
  }

  isUnanswered(service: string): boolean {
    return this.#questions.isUnanswered(service) || this.#serving.isUnanswered(service);
  }

  formerCarriers(service: string): ByFamily {
    return this.covering.of(service);
  }

  get formerNodes(): FormerNodes {
    return this.covering.nodes;
  }

  leaving(service: string): ByFamily {
    return this.#leaving.table.of(service);
  }

  /** How many EIPs have left a node that keeps their flows, by its name. */
  get leftBy(): ReadonlyMap<string, number> {
    return this.#leaving.table.counts();
  }

  readonly lately: LateCarriers = (key, of) => {
    const service = this.#isTimeless ? undefined : this.#inputs.cluster.service(key);
    if (service === undefined) return nobodyLately(key, of);
    // A limit is counted by another clock than that of a person.
    const ends = systemClock.now() + this.#inputs.terms().drainLimit - this.#awake.now();
    const found = new Map<string, LateCarrier>();
    const add = (standing: LateCarrier['standing'], since: ReadonlyMap<string, number>): void => {
      for (const [node, at] of since)
        found.set(node, { standing, ip: this.#nodes.addressOf(node, of), until: ends + at });
    };
    add('covered', this.covering.since(service, of));
    if (service.externalTrafficPolicy === 'Local') add('leaving', this.#leaving.table.left(key, of));
    return found;
  };

  takeTurned(): ReadonlySet<string> {
    return this.#serving
      .takeTurned()
      .union(this.covering.takeTurned())
      .union(this.#leaving.table.takeTurned());
  }

  problems(): readonly (readonly Problem[])[] {
    return [
      this.#reachability.problems,
      this.#hung.problems,
      this.#serving.problems,
      this.#nodes.problems,
      this.#overflow.problems,
    ];
  }

  /**
   * Takes in what has changed, before a round acts on it.
   *
   * @param services that were read again
   */
  read(services: readonly ReadService[]): void {
    const { nodes } = this.#inputs.cluster.overview();
    const candidates = this.#nodes.read(nodes);
    if (candidates !== undefined) this.covering.readNodes(nodes, candidates);
    this.#stand();
    this.#acting = this.#standings.standings;
    // What comes with the first lists was there before this program.
    const how = (of: string | undefined): ServiceChange['how'] =>
      this.#started.has(of) ? 'changed' : 'as it is';
    for (const { key, before, after } of services)
      this.#readService({ key, before, after, how: how(clusterOf(key)) });
    this.#noteStarted();
    this.#questions.act();
    this.#limitLooks.begin();
  }

  #readService(change: ServiceChange): void {
    this.#serving.read(change);
    this.covering.readService(change);
    const { key, how } = change;
    const agents = how === 'changed' && this.#inputs.isPublished(clusterOf(key)) ? 'told' : 'not told';
    this.#leaving.read(change, agents);
    this.#questions.readService(change);
  }

  /** Notes the clusters whose first lists are in. */
  #noteStarted(): void {
    const { complete, clusters } = this.#inputs.cluster.overview();
    if (clusters === undefined) {
      if (complete) this.#started.add(undefined);
    } else for (const one of clusters) if (one.complete) this.#started.add(one.name);
  }

  /**
   * A round is over.
   *
   * @param refused what the kernel has refused
   * @param rerouted EIPs whose routes came, went or changed
   */
  rounded(refused: readonly Key[], rerouted: Iterable<Ip>): void {
    this.#questions.rounded(refused, rerouted);
    if (refused.length === 0) this.#applied = this.#acting;
    this.#nodes.rounded();
    if (this.#overflow.look(performance.now())) this.#inputs.changed();
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#connections.close(), { once: true });
    await Promise.all([
      this.#reachability.run(signal),
      this.#serving.run(signal),
      this.#proxies.run(signal),
      this.#hung.run(signal),
      this.#limitLooks.run(signal),
      this.#leaving.run(signal),
      this.#questions.run(signal),
    ]);
  }

  /** Nothing tells that the limit of a drain is over, or that a node is covered for no longer. */
  #lookAtLimits(): void {
    const isStanding = !this.#standings.isIdle && this.#stand();
    const isCovering = this.covering.expire();
    const isLeaving = this.#leaving.expire();
    if (isStanding || isCovering || isLeaving) this.#inputs.changed();
  }

  /** Whether time alone changes nothing. */
  get #isTimeless(): boolean {
    return this.#standings.isIdle && this.covering.isIdle && this.#leaving.table.isIdle;
  }

  /** @returns whether a node stands otherwise than before */
  #stand(): boolean {
    const { nodes } = this.#inputs.cluster.overview();
    const { silent } = this.#reachability;
    this.#questions.readNodes(nodes, silent, ({ cluster }) => this.#started.has(cluster));
    return this.#standings.read({
      nodes,
      silent,
      waiting: this.#questions.waiting,
      hung: this.#hung.hung,
      terms: this.#inputs.terms(),
      proxy: (node) => this.#proxies.health(node),
      proxyChanges: this.#proxies.changes,
      lead: this.#inputs.tells ? drainLead : 0,
      now: this.#awake.now(),
    });
  }

  #isRouted({ ingress, externalIps }: Service, of: Family): boolean {
    const { table } = this.#inputs.gateway();
    return [...ingress, ...externalIps].some(
      (ip) => family(ip) === of && this.#inputs.has(routeKey(ip, table)),
    );
  }
}
