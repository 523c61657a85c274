import { KernelError } from '../kernel/kernel.ts';
import type { NeighbourPort } from '../kernel/neighbour-port.ts';
import type { Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';
import type { Problem } from '../model/problem.ts';
import { AwakeClock } from './awake-clock.ts';
import { type Doubt, doubtFor, judge, type Signal } from './judge.ts';
import { blind, doubted, silentNode } from './reachability-problems.ts';
import { rest } from './rest.ts';

/** An address of a node, on the LAN. */
export interface Target {
  readonly node: string;
  readonly ip: Ip;
}

/** Whom to ask, and where. */
export interface Targets {
  /** The interface; undefined while there is none that packets can leave by. */
  readonly lan: { readonly index: number; readonly name: string } | undefined;
  readonly nodes: readonly Target[];
}

export interface ReachabilityOptions {
  readonly port: NeighbourPort;
  /** ms between two questions to one node that the kernel has not heard meanwhile */
  readonly every: () => number;
  /** See {@link judge}. */
  readonly share: () => number;
  /** ms; must never run backwards */
  readonly clock: () => number;
  /** Called when other nodes are silent than before, or other problems are there. */
  readonly changed: () => void;
}

/** Questions in one go: more ARP requests at once overflow the queues of network cards and switches. */
const mostAtOnce = 400;

/** ms for which a node that was silent must answer before it gets traffic again */
const steadyFor = 1000;

/** ms; a turn of the loop takes less, unless this program was stopped */
const longestLook = 1000;

const none: readonly Problem[] = [];
const nobody: Targets = { lan: undefined, nodes: [] };

/**
 * Whether the nodes are there. It is the kernel that asks, by ARP and NDP, and counts the answers: this program only
 * sees to it that nodes without traffic are asked as well, and reads who failed. So no stall of ours makes a node
 * silent.
 */
export class Reachability {
  readonly #port: NeighbourPort;
  readonly #every: () => number;
  readonly #share: () => number;
  readonly #clock: AwakeClock;
  readonly #changed: () => void;
  #targets = nobody;
  #ips: ReadonlySet<Ip> = new Set();
  /** Whose link-layer address somebody has fixed (NUD_PERMANENT): asking would make an ordinary entry of it. */
  readonly #fixed = new Set<Ip>();
  #slices: readonly (readonly Ip[])[] = [];
  readonly #silentSince = new Map<Ip, number>();
  /** Since when those of them that were silent answer again, in ms of the awake clock. */
  readonly #answersSince = new Map<Ip, number>();
  /** The kernel was not asked about these yet. */
  #fresh: readonly Ip[] = [];
  #silent: ReadonlySet<Ip> = new Set();
  #problems = none;
  #said = '';

  constructor({ port, every, share, clock, changed }: ReachabilityOptions) {
    this.#port = port;
    this.#every = every;
    this.#share = share;
    this.#clock = new AwakeClock(clock, longestLook);
    this.#changed = changed;
  }

  /** Nodes that do not answer; the same set as long as they are the same. */
  get silent(): ReadonlySet<Ip> {
    return this.#silent;
  }

  /** The same array as long as nothing in it changes. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** @param targets the same object as long as nothing in it changes */
  follow(targets: Targets): void {
    if (targets === this.#targets) return;
    const before = this.#targets;
    this.#targets = targets;
    const ips = targets.lan === undefined ? [] : [...new Set(targets.nodes.map(({ ip }) => ip))];
    const isOther = targets.lan?.index !== before.lan?.index;
    const known = isOther ? new Set<Ip>() : new Set(before.nodes.map(({ ip }) => ip));
    const asked = new Set(ips);
    this.#ips = asked;
    for (const silent of [this.#silentSince, this.#answersSince])
      for (const ip of silent.keys()) if (isOther || !asked.has(ip)) silent.delete(ip);
    this.#fresh = [...this.#fresh.filter((ip) => asked.has(ip)), ...ips.filter((ip) => !known.has(ip))];
    for (const ip of this.#fixed) if (isOther || !asked.has(ip)) this.#fixed.delete(ip);
    this.#slice();
    this.#judge();
  }

  /** Divides those that are asked into what is sent at once. */
  #slice(): void {
    const ips = [...this.#ips].filter((ip) => !this.#fixed.has(ip));
    const count = Math.ceil(ips.length / mostAtOnce);
    this.#slices = Array.from({ length: count }, (_, nth) => ips.filter((_ip, i) => i % count === nth));
  }

  /** Asks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#hear(signal), this.#ask(signal)]);
  }

  async #hear(signal: AbortSignal): Promise<void> {
    for await (const failed of this.#port.failures(signal)) {
      const known = failed === 'unknown' ? [...this.#ips] : failed.filter((ip) => this.#ips.has(ip));
      await this.#read(known, this.#clock.now(), signal);
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Read before the first question, which makes INCOMPLETE of FAILED. Who was silent then has been so for long.
      const fresh = this.#fresh;
      this.#fresh = [];
      await this.#read(fresh, this.#clock.now() - doubtFor, signal);
      const { lan } = this.#targets;
      const slices = this.#slices;
      for (const slice of slices) {
        if (lan !== undefined) await this.#try(() => this.#port.solicit(lan.index, slice));
        if (!(await rest(this.#every() / slices.length, signal))) return;
        this.#clock.now();
      }
      if (slices.length === 0 && !(await rest(this.#every(), signal))) return;
      if (this.#silentSince.size > 0)
        await this.#read([...this.#silentSince.keys()], this.#clock.now(), signal);
    }
  }

  /** Reads what the kernel says of some addresses now. @param since when those that are silent began to be */
  async #read(ips: readonly Ip[], since: number, signal: AbortSignal): Promise<void> {
    const { lan } = this.#targets;
    if (lan === undefined || ips.length === 0) return;
    const states = await this.#try(() => this.#port.states(lan.index, ips, signal));
    if (states === undefined || lan.index !== this.#targets.lan?.index) return;
    const fixed = this.#fixed.size;
    for (const [i, ip] of ips.entries()) {
      if (!this.#ips.has(ip)) continue;
      if (states[i] === 'PERMANENT') this.#fixed.add(ip);
      const answer = answerOf(states[i]);
      if (answer === 'answers') this.#hears(ip);
      else if (answer === 'silent') {
        this.#answersSince.delete(ip);
        if (!this.#silentSince.has(ip)) this.#silentSince.set(ip, since);
      }
    }
    if (this.#fixed.size !== fixed) this.#slice();
    this.#judge();
  }

  #hears(ip: Ip): void {
    if (!this.#silentSince.has(ip)) return;
    const now = this.#clock.now();
    const since = this.#answersSince.get(ip) ?? now;
    this.#answersSince.set(ip, since);
    // A node that was away answers ARP before its routes and its kube-proxy are what they should be.
    if (now - since < steadyFor) return;
    this.#silentSince.delete(ip);
    this.#answersSince.delete(ip);
  }

  /** @returns undefined when the kernel could not be asked: then nothing is known of anybody */
  async #try<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#silentSince.clear();
      this.#answersSince.clear();
      this.#publish(new Set(), [blind(error.message)]);
      return undefined;
    }
  }

  #judge(): void {
    const signals: Signal[] = [...this.#ips].map((ip) => ({ ip, silentSince: this.#silentSince.get(ip) }));
    const { silent, doubts } = judge(signals, { share: this.#share(), now: this.#clock.now() });
    this.#publish(silent, this.#problemsOf(silent, doubts));
  }

  #problemsOf(silent: ReadonlySet<Ip>, doubts: readonly Doubt[]): readonly Problem[] {
    const { nodes, lan } = this.#targets;
    if (silent.size === 0 && doubts.length === 0) return none;
    const name = lan?.name ?? '';
    return [
      ...doubts.map((doubt) => doubted(doubt, nodes, name)),
      ...nodes.filter(({ ip }) => silent.has(ip)).map((target) => silentNode(target, name)),
    ];
  }

  #publish(silent: ReadonlySet<Ip>, problems: readonly Problem[]): void {
    const said = problems.map(({ subject, message }) => `${subject} ${message}`).join('\n');
    const isSame = silent.symmetricDifference(this.#silent).size === 0;
    if (isSame && said === this.#said) return;
    this.#said = said;
    this.#problems = problems;
    if (!isSame) this.#silent = silent;
    this.#changed();
  }
}

/**
 * An entry that failed becomes INCOMPLETE with the next question, and an unused one is forgotten: neither says anything
 * new.
 */
function answerOf(state: NeighbourState | undefined): 'answers' | 'silent' | 'as before' {
  switch (state) {
    case 'REACHABLE':
    case 'STALE':
    case 'DELAY':
    case 'PROBE':
    case 'PERMANENT':
      return 'answers';
    case 'FAILED':
      return 'silent';
    case 'INCOMPLETE':
    case undefined:
      return 'as before';
    default:
      return state satisfies never;
  }
}
