import type { Node } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import { EipQuestion } from './eip-question.ts';
import type { Inquiry } from './inquiry.ts';

/** An EIP that nodes serve, and one of these. */
export interface Sample {
  readonly eip: Ip;
  readonly ports: readonly number[];
  /** Of another node. */
  readonly control: Ip;
}

export interface NewcomersInputs {
  /**
   * An EIP that every node of a cluster serves, of the family of the address; undefined: there is none.
   *
   * @param cluster its name
   */
  sample(ip: Ip, cluster: string | undefined): Sample | undefined;
}

interface Held {
  readonly cluster: string | undefined;
  readonly since: number;
  own: EipQuestion | undefined;
  control: EipQuestion | undefined;
}

/**
 * Nodes that get no traffic yet: they are new, or were silent, and have not answered for an EIP that they should serve. A
 * machine answers ARP long before its kube-proxy has written the rules.
 *
 * The same question goes by way of a node that serves already. As long as that one is answered, the new one is held to it; else
 * nothing is known, and it gets traffic.
 */
export class Newcomers {
  readonly #inputs: NewcomersInputs;
  readonly #inquiry: Inquiry;
  /** Nodes with their addresses that were seen. */
  #known = new Set<string>();
  #silent: ReadonlySet<Ip> = new Set();
  #nodes: readonly Node[] | undefined;
  readonly #held = new Map<Ip, Held>();
  #waiting: ReadonlySet<Ip> = new Set();

  constructor(inputs: NewcomersInputs, inquiry: Inquiry) {
    this.#inputs = inputs;
    this.#inquiry = inquiry;
  }

  get isIdle(): boolean {
    return this.#held.size === 0;
  }

  /** Addresses of nodes that get no traffic yet; the same set as long as they are the same. */
  get waiting(): ReadonlySet<Ip> {
    return this.#waiting;
  }

  /**
   * Reads the nodes as they are. The same array, with the same set, says nothing new.
   *
   * @param isAsked whether a node that is new is asked: those that were there before this program are not
   * @param now ms of the awake clock
   */
  read(nodes: readonly Node[], silent: ReadonlySet<Ip>, isAsked: (node: Node) => boolean, now: number): void {
    // An event must not cost what the nodes weigh.
    if (nodes === this.#nodes && silent === this.#silent) return;
    this.#nodes = nodes;
    const known = new Set<string>();
    const there = new Set<Ip>();
    const fresh: { readonly ip: Ip; readonly node: Node }[] = [];
    for (const node of nodes)
      for (const ip of node.addresses) {
        const id = `${node.uid} ${ip}`;
        known.add(id);
        const isBack = this.#silent.has(ip) && !silent.has(ip);
        if (isBack || !this.#known.has(id)) fresh.push({ ip, node });
        else there.add(ip);
      }
    for (const { ip, node } of fresh) {
      // A machine that is registered under another name as well goes on serving.
      const isOfAnother = there.has(ip);
      if (!isOfAnother && isAsked(node)) this.#hold(ip, node.cluster, now);
    }
    for (const { ip } of fresh) there.add(ip);
    this.#known = known;
    this.#silent = silent;
    for (const ip of this.#held.keys()) if (!there.has(ip) || silent.has(ip)) this.#held.delete(ip);
    this.#note();
  }

  /** @param patience ms after which nothing is known. @returns whether other nodes wait */
  turn(now: number, patience: number, signal: AbortSignal): boolean {
    const before = this.#waiting;
    for (const [ip, held] of this.#held) {
      const sample = this.#inputs.sample(ip, held.cluster);
      if (sample === undefined || this.#isOver(ip, held, sample, now, patience, signal))
        this.#held.delete(ip);
    }
    this.#note();
    return this.#waiting !== before;
  }

  #hold(ip: Ip, cluster: string | undefined, now: number): void {
    if (this.#inputs.sample(ip, cluster) === undefined) return;
    this.#held.set(ip, { cluster, since: now, own: undefined, control: undefined });
  }

  #isOver(
    ip: Ip,
    held: Held,
    { eip, ports, control }: Sample,
    now: number,
    patience: number,
    signal: AbortSignal,
  ): boolean {
    if (held.own?.eip !== eip) held.own = new EipQuestion(eip, ip, ports, now);
    if (held.control?.eip !== eip || held.control.via !== control)
      held.control = new EipQuestion(eip, control, ports, now);
    this.#inquiry.put(held.control, now, () => {}, signal);
    this.#inquiry.put(held.own, now, () => {}, signal);
    if (held.own.last === 'serves') return true;
    return held.control.last !== 'serves' && now - held.since >= patience;
  }

  #note(): void {
    const waiting = new Set(this.#held.keys());
    if (waiting.symmetricDifference(this.#waiting).size > 0) this.#waiting = waiting;
  }
}
