import type { Service } from '../model/cluster.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import { type Answer, EipQuestion } from './eip-question.ts';
import type { Inquiry } from './inquiry.ts';
import type { ServiceChange } from './service-change.ts';

export interface AnswersInputs {
  /** The Service `namespace/name` as it was last read. */
  service(key: string): Service | undefined;
  /** Whether the EIP has a route in the kernel. */
  isRouted(eip: Ip): boolean;
  /** Whether an EIP can be asked by way of a node: where its packets are not changed on the way. */
  isAskable(eip: Ip): boolean;
  /** The nodes that get the packets of an EIP. */
  carriersOf(eip: Ip): readonly Ip[];
  /** Nodes that wait for the Service, and get nothing yet. */
  waitingOf(service: string, of: Family): readonly Ip[];
}

/** An EIP of a Service that nodes are asked for. */
interface Open {
  /** Some node that gets its packets has not answered for it. */
  isUnanswered: boolean;
  readonly service: string;
  readonly eip: Ip;
  readonly ports: readonly number[];
  readonly since: number;
  readonly questions: Map<Ip, EipQuestion>;
  /** When it was first looked at, in ms of the awake clock. */
  looked: number | undefined;
  /** When it is to be looked at next. */
  next: number;
}

/** The most EIPs that are looked at in one turn. */
const mostLooks = 200;
/** With more open EIPs than these, an answer for one counts for those before it as well. */
const manyOpen = 64;
/** The most ms between two looks at an EIP without an answer: its nodes may have changed. */
const longestRest = 250;
/** ms that kube-proxy may hear of a Service and of its endpoints apart: these come by two watches */
const apart = 1000;

/**
 * Whether the dataplane of each node answers for the new EIPs of a Service. Nodes are not asked for EIPs that had a
 * route before this program started.
 *
 * kube-proxy takes the Services in the order of their changes, and writes all that it knows at once. So with many EIPs
 * open at a time, a node that answers for one of them answers for those that came a second or more before it.
 */
export class Answers {
  readonly #inputs: AnswersInputs;
  readonly #inquiry: Inquiry;
  readonly #open = new Map<string, Open>();
  /** Those with a route. */
  readonly #active = new Map<string, Open>();
  /** Those without: a Service may have no endpoint for days. */
  readonly #parked = new Map<Ip, Set<string>>();
  /** How many EIPs of a Service are unanswered. */
  readonly #counts = new Map<string, number>();
  readonly #heardUpTo = new Map<Ip, number>();
  /** Which carrier is asked first: each time another one, so that any carrier that answers can end a silence. */
  #firstAsked = 0;

  constructor(inputs: AnswersInputs, inquiry: Inquiry) {
    this.#inputs = inputs;
    this.#inquiry = inquiry;
  }

  get isIdle(): boolean {
    return this.#active.size === 0;
  }

  /** Routes of these EIPs have come or gone. */
  rerouted(eips: Iterable<Ip>): void {
    if (this.#parked.size === 0) return;
    for (const eip of eips) {
      if (!this.#parked.has(eip) || !this.#inputs.isRouted(eip)) continue;
      for (const id of this.#parked.get(eip) ?? []) {
        const open = this.#open.get(id);
        if (open !== undefined) this.#active.set(id, open);
      }
      this.#parked.delete(eip);
    }
  }

  /** An EIP of the Service leads to a node that has not answered for it. */
  isUnanswered(service: string): boolean {
    return this.#counts.has(service);
  }

  /** The answer of a node for the Service's EIPs of its family; undefined: it was not asked for them. */
  answerOf(service: string, via: Ip): Answer | undefined {
    if (this.#open.size === 0) return undefined;
    const answers = eipsOf(this.#inputs.service(service)).flatMap(
      (eip) => this.#open.get(idOf(service, eip))?.questions.get(via)?.last ?? [],
    );
    return answers.find((answer) => answer === 'refuses') ?? answers[0];
  }

  /**
   * Reads a Service that has changed. Nodes are asked for an EIP when it is new, and when it has no route because it
   * had no endpoints; nodes that wait for the Service are always asked.
   *
   * @param now ms of the awake clock
   */
  read({ key, before, after, how }: ServiceChange, now: () => number): void {
    if (before === undefined && how === 'as it is') return;
    const eips = new Set(eipsOf(after));
    for (const eip of eipsOf(before)) if (!eips.has(eip)) this.#close(idOf(key, eip));
    if (after === undefined) return;
    for (const eip of eips) this.#lookAt(idOf(key, eip));
    const ports = askedPorts(after);
    const known = new Set(eipsOf(before));
    for (const eip of eips) {
      const id = idOf(key, eip);
      if (ports.length === 0 || !this.#inputs.isAskable(eip)) this.#close(id);
      else if (how === 'changed' && !this.#open.has(id)) {
        const isUnanswered = !known.has(eip) || !this.#inputs.isRouted(eip);
        if (!isUnanswered && this.#inputs.waitingOf(key, family(eip)).length === 0) continue;
        const since = now();
        const open: Open = {
          isUnanswered,
          service: key,
          eip,
          ports,
          since,
          questions: new Map(),
          looked: undefined,
          next: since,
        };
        this.#open.set(id, open);
        if (this.#inputs.isRouted(eip)) this.#active.set(id, open);
        else this.#park(id, eip);
        if (isUnanswered) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
      }
    }
  }

  /**
   * @param patience ms after which a node that did not answer at all cannot be asked
   * @param answered called with a Service of which no EIP is unanswered any more
   */
  turn(now: number, patience: number, answered: (service: string) => void, signal: AbortSignal): void {
    // EIPs that are put back come last, and are not looked at twice in a turn.
    let left = Math.min(mostLooks, this.#active.size);
    for (const [id, open] of this.#active) {
      // In a silence the looks go on without room for questions: a node that was not asked has not answered either.
      if (left === 0 || !(this.#inquiry.hasRoom || this.#inquiry.isSilent)) return;
      left -= 1;
      this.#active.delete(id);
      if (now < open.next) {
        this.#active.set(id, open);
        continue;
      }
      if (!this.#inputs.isRouted(open.eip)) {
        this.#park(id, open.eip);
        continue;
      }
      // The next turn begins with those that this one has not come to.
      this.#active.set(id, open);
      this.#look(id, open, now, { patience, answered, signal });
    }
  }

  #look(
    id: string,
    open: Open,
    now: number,
    {
      patience,
      answered,
      signal,
    }: {
      readonly patience: number;
      readonly answered: (service: string) => void;
      readonly signal: AbortSignal;
    },
  ): void {
    const { service, eip, ports, questions } = open;
    const { looked = now } = open;
    open.looked = looked;
    open.next = now + longestRest;
    const ask = (via: Ip): EipQuestion | undefined => {
      const { hasRoom, isSilent } = this.#inquiry;
      let question = questions.get(via);
      if (question === undefined) {
        if (isSilent && !hasRoom) return undefined;
        // In a silence the patience begins with the first look, so that the few questions at a time delay no EIP
        // further.
        question = new EipQuestion(eip, via, ports, isSilent ? looked : now);
        questions.set(via, question);
      }
      this.#inquiry.put(question, now, () => this.#heard(open, question), signal);
      if (hasRoom || !isSilent) open.next = Math.min(open.next, question.due);
      return question;
    };
    const waiting = this.#inputs.waitingOf(service, family(eip));
    for (const via of waiting) ask(via);
    if (open.isUnanswered && this.#isAnswered(open, ask, now, patience)) {
      this.#count(open);
      if (!this.isUnanswered(service)) answered(service);
    }
    if (!open.isUnanswered && waiting.length === 0) this.#close(id);
  }

  #isAnswered(open: Open, ask: (via: Ip) => EipQuestion | undefined, now: number, patience: number): boolean {
    const carriers = this.#inputs.carriersOf(open.eip);
    const first = this.#firstAsked % Math.max(1, carriers.length);
    this.#firstAsked += 1;
    let isAnswered = carriers.length > 0;
    for (let i = 0; i < carriers.length; i += 1) {
      const via = carriers[(first + i) % carriers.length];
      if (via === undefined || open.since <= (this.#heardUpTo.get(via) ?? Number.NEGATIVE_INFINITY)) continue;
      const question = ask(via);
      const since = question?.since ?? open.looked ?? now;
      const saysNothing = question?.last !== 'refuses' && now - since >= patience;
      if (question?.last !== 'serves' && !saysNothing) isAnswered = false;
    }
    return isAnswered;
  }

  #lookAt(id: string): void {
    const open = this.#open.get(id);
    if (open !== undefined) open.next = Number.NEGATIVE_INFINITY;
  }

  #heard(open: Open, { last, via }: EipQuestion): void {
    open.next = Number.NEGATIVE_INFINITY;
    const { since } = open;
    if (last !== 'serves' || this.#active.size <= manyOpen) return;
    this.#heardUpTo.set(via, Math.max(since - apart, this.#heardUpTo.get(via) ?? since - apart));
  }

  #close(id: string): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#active.delete(id);
    this.#parked.get(open.eip)?.delete(id);
    if (this.#parked.get(open.eip)?.size === 0) this.#parked.delete(open.eip);
    if (open.isUnanswered) this.#count(open);
    // What opens from now on is later than all that was heard; nodes that have gone are forgotten.
    if (this.#open.size === 0) this.#heardUpTo.clear();
  }

  #park(id: string, eip: Ip): void {
    const parked = this.#parked.get(eip) ?? new Set<string>();
    parked.add(id);
    this.#parked.set(eip, parked);
  }

  /** Notes that it is answered. */
  #count(open: Open): void {
    open.isUnanswered = false;
    const count = (this.#counts.get(open.service) ?? 1) - 1;
    if (count > 0) this.#counts.set(open.service, count);
    else this.#counts.delete(open.service);
  }
}

/** The ports at which a Service can be asked; none where our own address may not connect, and where there is no TCP. */
export function askedPorts({ ports, sourceRanges }: Service): readonly number[] {
  if (sourceRanges !== undefined) return [];
  return ports.flatMap(({ protocol, port }) => (protocol === 'TCP' ? [port] : []));
}

export function eipsOf(service: Service | undefined): readonly Ip[] {
  return service === undefined ? [] : [...service.ingress, ...service.externalIps];
}

function idOf(service: string, eip: Ip): string {
  return `${service} ${eip}`;
}
