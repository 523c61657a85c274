import type { Ip } from '../model/ip.ts';
import type { ByFamily } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { AwakeClock } from './awake-clock.ts';
import type { Answer } from './eip-question.ts';
import type { Health } from './health-port.ts';
import type { LateNode } from './late-nodes.ts';
import { asAwaited, type ServiceChange } from './service-change.ts';
import { type Question, type ServingInputs, ServingTable } from './serving-table.ts';
import { Ticker } from './ticker.ts';

export interface ServingOptions extends ServingInputs {
  readonly ask: (ip: Ip, port: number, signal: AbortSignal) => Promise<Health>;
  /** What the EIPs of the Service came to by way of a node; undefined: nobody has asked. */
  readonly eipAnswer: (service: string, via: Ip) => Answer | undefined;
  /** ms after which a node that never answered gets traffic all the same; 0: nobody waits */
  readonly wait: () => number;
  /** ms; must never run backwards */
  readonly clock: () => number;
  /** Called when a node waits no more, or when other problems are there. */
  readonly changed: () => void;
  /** Called when a node has said that it serves a Service: `namespace/name`. */
  readonly answered: (service: string) => void;
}

/** ms between two questions to one node while it waits */
const pace = 25;
/** ms between two questions to a node that got traffic without an answer */
const latePace = 5000;
/** Questions at one time. */
const mostAtOnce = 64;

const none: readonly Problem[] = [];

/**
 * Whether a node's kube-proxy has rules for a Service under Local. Its health check port is asked as long as the node
 * waits, and not otherwise.
 */
export class Serving {
  readonly #options: ServingOptions;
  readonly #table: ServingTable;
  readonly #clock: AwakeClock;
  readonly #asking = new Set<Question>();
  readonly #ticker = new Ticker({
    pace,
    isIdle: () => this.#table.isIdle,
    tick: (signal) => this.#turn(signal),
  });
  /** Why a node did not answer last. */
  readonly #why = new WeakMap<Question, string>();
  /** Since when a node says 200 and refuses an EIP, in ms of the awake clock. */
  readonly #contradicting = new WeakMap<Question, number>();
  #lateAgain = 0;
  #problems = none;

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#table = new ServingTable(options);
    this.#clock = new AwakeClock(options.clock, 4 * pace);
  }

  waiting(service: string): ByFamily {
    return this.#table.waiting(service);
  }

  takeTurned(): ReadonlySet<string> {
    return this.#table.takeTurned();
  }

  /** See {@link ServingTable.isUnanswered}. */
  isUnanswered(service: string): boolean {
    return this.#table.isUnanswered(service);
  }

  /** The same array as long as nothing in it changes. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** See {@link ServingTable.read}. */
  read(change: ServiceChange): void {
    this.#table.read(asAwaited(change, this.#options.wait()), () => this.#clock.now());
    this.#ticker.begin();
    if (this.#problems.length > 0) this.#report();
  }

  /** Asks until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    return this.#ticker.run(signal);
  }

  #turn(signal: AbortSignal): void {
    const now = this.#clock.now();
    for (const question of [...this.#table.questions]) {
      const ip = this.#options.addressOf(question.node, question.of);
      const answer = ip && this.#options.eipAnswer(question.service, ip);
      const isOver = now - question.since >= this.#options.wait();
      if (answer === 'serves') this.#answered(question);
      // One that refuses what it should serve is known not to serve it.
      else if (isOver && answer !== 'refuses') this.#overdue(question);
      else if (!isOver || this.#contradicting.has(question) || now >= this.#lateAgain)
        this.#ask(question, signal);
    }
    if (now < this.#lateAgain) return;
    this.#lateAgain = now + latePace;
    // One of each node is enough to hear that it answers again; its answer makes the next one due.
    for (const { question } of this.#table.late) this.#ask(question, signal);
  }

  #overdue(question: Question): void {
    this.#table.overdue(question);
    this.#report();
    this.#options.changed();
  }

  #ask(question: Question, signal: AbortSignal): void {
    if (this.#asking.has(question) || this.#asking.size >= mostAtOnce) return;
    const ip = this.#options.addressOf(question.node, question.of);
    if (ip === undefined) return;
    this.#asking.add(question);
    void this.#options.ask(ip, question.port, signal).then((health) => {
      this.#asking.delete(question);
      if (health.kind !== 'serves') {
        this.#why.set(question, health.why);
        this.#contradicting.delete(question);
        return;
      }
      if (this.#isContradicting(question, ip)) return;
      this.#lateAgain = 0;
      this.#answered(question);
    });
  }

  /**
   * kube-proxy says 200 when the rules are written that it knows of: those of an EIP that was given to the Service since come
   * with a later sync. But pods may refuse each port that is asked, and serve others.
   */
  #isContradicting(question: Question, ip: Ip): boolean {
    if (this.#options.eipAnswer(question.service, ip) !== 'refuses') return false;
    const now = this.#clock.now();
    const since = this.#contradicting.get(question) ?? now;
    this.#contradicting.set(question, since);
    return now - since < this.#options.wait();
  }

  #answered(question: Question): void {
    this.#table.answered(question);
    this.#report();
    this.#options.changed();
    this.#options.answered(question.service);
  }

  #report(): void {
    const { late } = this.#table;
    if (late.length === 0 && this.#problems.length === 0) return;
    this.#problems = late.length === 0 ? none : late.map((each) => this.#problem(each));
  }

  #problem({ node, question, services }: LateNode): Problem {
    const { service, port } = question;
    const others = services - 1;
    const more = others > 0 ? ` and ${others} more Service${others > 1 ? 's' : ''}` : '';
    const why = this.#why.get(question) ?? 'no answer';
    return {
      code: 'node-does-not-say-it-serves',
      severity: 'warn',
      subject: `health checks of node ${node}`,
      message: `the health check port ${port} of node ${node} did not say that it serves ${service}${more} (${why}); it got traffic all the same after ${this.#options.wait()} ms`,
      advice: `curl http://NODE:${port}/healthz; open the health check node ports to this gateway, or set probe.wait to 0s where the dataplane has none`,
      node,
      service,
    };
  }
}
