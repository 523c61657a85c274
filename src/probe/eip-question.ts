import type { Ip } from '../model/ip.ts';

/** What came of a question for an EIP by way of a node; refuses: a reset, or an ICMP error. */
export type Answer = 'serves' | 'refuses' | 'no answer';

/** ms between the first two questions, and the longest time between two: each time half as much again */
const first = 25;
const longest = 10_000;

/** Whether an EIP is answered by way of a node, asked again and again until it is. Times are ms of the awake clock. */
export class EipQuestion {
  readonly eip: Ip;
  readonly via: Ip;
  readonly ports: readonly number[];
  readonly since: number;
  #last: Answer | undefined;
  #asked = 0;
  #due: number;
  #pause = first;
  #isAsking = false;

  constructor(eip: Ip, via: Ip, ports: readonly number[], now: number) {
    this.eip = eip;
    this.via = via;
    this.ports = ports;
    this.since = now;
    this.#due = now;
  }

  /** undefined: it was not asked yet. */
  get last(): Answer | undefined {
    return this.#last;
  }

  /** When it is to be put; Infinity while it is under way, and once it is answered. */
  get due(): number {
    return this.#last === 'serves' || this.#isAsking ? Number.POSITIVE_INFINITY : this.#due;
  }

  isDue(now: number): boolean {
    return now >= this.due;
  }

  /** One port after the other: kube-proxy writes the rules of all at once, and a pod may not listen on each. */
  get port(): number {
    return this.ports[this.#asked % this.ports.length] ?? 0;
  }

  begins(now: number): void {
    this.#isAsking = true;
    this.#asked += 1;
    this.#due = now + this.#pause;
    this.#pause = Math.min(longest, this.#pause * 1.5);
  }

  ends(answer: Answer): void {
    this.#isAsking = false;
    // Silence after a refusal changes nothing: the refusal is the last thing that the node has said.
    if (answer !== 'no answer' || this.#last === undefined) this.#last = answer;
  }
}
