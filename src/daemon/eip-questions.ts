import { takingTraffic } from '../desire/answering.ts';
import type { Carrier } from '../desire/carriers.ts';
import type { ClusterReader } from '../desire/cluster-reader.ts';
import { routeKey } from '../desire/eip-routes.ts';
import { isNat } from '../desire/nat-mode.ts';
import { currentPoolFinder, type PoolFinder } from '../desire/pools.ts';
import { askHalfOpen, type HalfOpenEnds } from '../kernel/half-open.ts';
import type { Node, Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import { type Key, nftKey } from '../model/object.ts';
import { type ProbePaths, probeMark, probeTableName } from '../model/probe-path.ts';
import type { Standing } from '../model/probed.ts';
import { Answers, askedPorts, eipsOf } from '../probe/answers.ts';
import { AwakeClock } from '../probe/awake-clock.ts';
import type { Answer } from '../probe/eip-question.ts';
import { Inquiry } from '../probe/inquiry.ts';
import { Newcomers, type Sample } from '../probe/newcomers.ts';
import { CurrentProbePaths } from '../probe/probe-paths.ts';
import { asAwaited, type ServiceChange } from '../probe/service-change.ts';
import { Ticker } from '../probe/ticker.ts';

export interface EipQuestionsInputs {
  readonly cluster: ClusterReader;
  /** The Service as it was last read. */
  readonly service: (key: string) => Service | undefined;
  readonly gateway: () => Gateway;
  /** ms for which a node that says nothing is waited for; 0: nobody is asked */
  readonly wait: () => number;
  /** Whether our object with this key is in the kernel. */
  readonly has: (key: string) => boolean;
  /** The nodes that an EIP leads to; the same array as long as they are the same. */
  readonly carriersOf: (eip: Ip) => readonly Carrier[];
  /** Nodes that wait for a Service, by their addresses. */
  readonly waitingOf: (service: string, of: Family) => readonly Ip[];
  readonly standings: () => ReadonlyMap<Ip, Standing>;
  /** ms; must never run backwards */
  readonly clock: () => number;
  /** Called when other nodes wait. @returns whether one stands otherwise than before */
  readonly stand: () => boolean;
  /** Called when the desire has changed. */
  readonly changed: () => void;
  /** Called when every node has answered for the Service `namespace/name`. */
  readonly answered: (service: string) => void;
}

/** ms between two turns of questions, while there are any; and for which a node has to answer one */
const turnPace = 25;
const askPatience = 1000;
/** ms for which a sample of what nodes serve stays good */
const sampleFor = 500;

/** The questions for EIPs that go by way of single nodes: for which EIPs, by which nodes, and what came of them. */
export class EipQuestions {
  readonly #inputs: EipQuestionsInputs;
  readonly #answers: Answers;
  readonly #newcomers: Newcomers;
  readonly #inquiry: Inquiry;
  readonly #paths = new CurrentProbePaths();
  /** The time in which this program did not run is no silence. */
  readonly #turns: AwakeClock;
  readonly #poolOf: PoolFinder;
  /** The addresses of the carriers that get traffic, with these standings. EIPs share their carriers. */
  #taking: { readonly of: unknown; readonly ips: WeakMap<readonly Carrier[], readonly Ip[]> } = {
    of: undefined,
    ips: new WeakMap(),
  };
  readonly #ticker = new Ticker({
    pace: turnPace,
    isIdle: () => this.#isIdle && !this.#paths.isWanted,
    tick: (signal) => this.#turn(signal),
  });
  /** By family and cluster. */
  readonly #samples = new Map<string, { readonly sample: Sample | undefined; readonly until: number }>();

  constructor(inputs: EipQuestionsInputs) {
    const { service, gateway, has, waitingOf, clock } = inputs;
    this.#inputs = inputs;
    this.#poolOf = currentPoolFinder(gateway);
    this.#turns = new AwakeClock(clock, 4 * turnPace);
    this.#inquiry = new Inquiry({ ask: askEip, mark: (via) => this.#mark(via) });
    this.#answers = new Answers(
      {
        service,
        isRouted: (eip) => has(routeKey(eip, gateway().table)),
        isAskable: (eip) => !this.#isNat(eip),
        carriersOf: (eip) => this.#carriersOf(eip),
        waitingOf,
      },
      this.#inquiry,
    );
    this.#newcomers = new Newcomers({ sample: (ip, name) => this.#sampleFor(ip, name) }, this.#inquiry);
  }

  /** The paths that are to be in the kernel. */
  get paths(): ProbePaths {
    return this.#paths.wanted;
  }

  /** Addresses of nodes that get no traffic yet; the same set as long as they are the same. */
  get waiting(): ReadonlySet<Ip> {
    return this.#newcomers.waiting;
  }

  /** See {@link Answers.isUnanswered}. */
  isUnanswered(service: string): boolean {
    return this.#answers.isUnanswered(service);
  }

  /** See {@link Answers.answerOf}. */
  answerOf(service: string, via: Ip): Answer | undefined {
    return this.#answers.answerOf(service, via);
  }

  /** See {@link Answers.read}. */
  readService(change: ServiceChange): void {
    this.#answers.read(asAwaited(change, this.#inputs.wait()), () => this.#turns.now());
  }

  /** See {@link Newcomers.read}. */
  readNodes(nodes: readonly Node[], silent: ReadonlySet<Ip>, isListed: (node: Node) => boolean): void {
    const isAsked = (node: Node): boolean => this.#inputs.wait() > 0 && isListed(node);
    this.#newcomers.read(nodes, silent, isAsked, this.#turns.now());
  }

  /** @param nodes addresses on the LAN */
  follow(nodes: readonly Ip[]): void {
    this.#paths.follow(nodes);
  }

  /** A round begins. */
  act(): void {
    this.#begin();
    this.#paths.act();
  }

  /**
   * A round is over.
   *
   * @param refused what the kernel has refused
   * @param rerouted EIPs whose routes came, went or changed
   */
  rounded(refused: readonly Key[], rerouted: Iterable<Ip>): void {
    const { protocol } = this.#inputs.gateway();
    const tables = [nftKey(probeTableName(protocol, 4)), nftKey(probeTableName(protocol, 6))];
    if (refused.some((key) => tables.includes(key))) this.#paths.refused();
    this.#answers.rerouted(rerouted);
    this.#begin();
    if (refused.length === 0) this.#paths.applied();
  }

  /** Puts the questions, as long as there are any. */
  run(signal: AbortSignal): Promise<void> {
    return this.#ticker.run(signal);
  }

  #turn(signal: AbortSignal): void {
    const { stand, changed, answered, wait } = this.#inputs;
    const now = this.#turns.now();
    this.#inquiry.turn();
    const isOther = this.#newcomers.turn(now, wait(), signal) && stand();
    this.#answers.turn(now, wait(), answered, signal);
    if (this.#paths.want(!this.#isIdle, now) || isOther) changed();
  }

  get #isIdle(): boolean {
    return this.#answers.isIdle && this.#newcomers.isIdle;
  }

  #begin(): void {
    if (this.#isIdle) return;
    if (this.#paths.want(true, this.#turns.now())) this.#inputs.changed();
    this.#ticker.begin();
  }

  /** Its packets are changed on their way, so that no node can be asked for it. */
  #isNat(eip: Ip): boolean {
    return isNat(this.#inputs.gateway(), this.#poolOf(eip));
  }

  /** undefined: the kernel has no path by way of this node yet. */
  #mark(via: Ip): number | undefined {
    const { protocol } = this.#inputs.gateway();
    const number = this.#paths.number(via);
    const isThere = this.#inputs.has(nftKey(probeTableName(protocol, family(via))));
    return number !== undefined && isThere ? probeMark(protocol, number) : undefined;
  }

  /** Those that get its packets. */
  #carriersOf(eip: Ip): readonly Ip[] {
    const carriers = this.#inputs.carriersOf(eip);
    const standings = this.#inputs.standings();
    if (this.#taking.of !== standings) this.#taking = { of: standings, ips: new WeakMap() };
    const { ips } = this.#taking;
    const known = ips.get(carriers);
    if (known !== undefined) return known;
    const found = takingTraffic(carriers, standings).map(({ ip }) => ip);
    ips.set(carriers, found);
    return found;
  }

  /** An EIP of a Service under Cluster that is answered, and another node that gets its packets. */
  #sampleFor(ip: Ip, cluster: string | undefined): Sample | undefined {
    const id = `${family(ip)} ${cluster}`;
    const now = this.#turns.now();
    let known = this.#samples.get(id);
    if (known === undefined || now >= known.until || known.sample?.control === ip) {
      known = { sample: this.#findSample(ip, cluster), until: now + sampleFor };
      this.#samples.set(id, known);
    }
    return known.sample?.control === ip ? undefined : known.sample;
  }

  #findSample(ip: Ip, cluster: string | undefined): Sample | undefined {
    const { gateway, has, carriersOf } = this.#inputs;
    const standings = this.#inputs.standings();
    const settings = gateway();
    for (const service of this.#inputs.cluster.services()) {
      if (service.externalTrafficPolicy !== 'Cluster' || service.cluster !== cluster) continue;
      const ports = askedPorts(service);
      if (ports.length === 0 || this.#answers.isUnanswered(service.key)) continue;
      for (const eip of eipsOf(service)) {
        if (family(eip) !== family(ip) || this.#isNat(eip)) continue;
        if (!has(routeKey(eip, settings.table))) continue;
        const control = carriersOf(eip).find(({ ip: via }) => via !== ip && !standings.has(via))?.ip;
        if (control !== undefined) return { eip, ports, control };
      }
    }
    return undefined;
  }
}

/** Whether somebody answers for an EIP. */
async function askEip(ends: HalfOpenEnds, signal: AbortSignal): Promise<Answer> {
  const code = await askHalfOpen(ends, askPatience, signal);
  if (code === undefined) return 'serves';
  // A reset, or an ICMP error: unreachable, or a packet that went in circles until its TTL ended.
  return code === 'ECONNREFUSED' || code === 'EHOSTUNREACH' ? 'refuses' : 'no answer';
}
