import { KernelError } from '../kernel/kernel.ts';
import type { Heard, SegmentPort } from '../kernel/segment-port.ts';
import type { Ip } from '../model/ip.ts';
import { isVirtualMac } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { Uniqueness } from '../model/uniqueness.ts';
import { duplicateEip, segmentBlind } from './duplicate-problems.ts';

export interface DuplicatesOptions {
  readonly port: SegmentPort;
  /** ms; must never run backwards */
  readonly clock: () => number;
  /** Called when another EIP is unique than before, or other problems are there. */
  readonly changed: () => void;
}

/** Where this gateway answers for EIPs. */
export interface Segment {
  readonly index: number;
  readonly name: string;
}

/**
 * How often hosts are asked before an EIP is taken for unique, and ms between two questions, and after the last. RFC 5227
 * has up to 9 s in all, for a host whose switch port has just come up; a gateway is up for long, hosts answer within
 * a millisecond, and a claim that comes later is noticed too.
 */
const probes = 3;
const probeEvery = 250;
/** EIPs that are asked about at once, and ms to the next: every host of the segment gets each question. */
const mostAtOnce = 500;
const sliceEvery = 25;
/** ms after which hosts are asked again about an EIP that somebody claims */
const againAfter = 30_000;
/** ms after which it is tried again what the kernel has refused */
const retryAfter = 2000;
/** ms from the first announcement to each: frames get lost, and some caches take only one a second */
const announceAt: readonly number[] = [0, 1000, 5000];
/** ms; DEFEND_INTERVAL of RFC 5227, so that two hosts with one address do not fill the segment with claims */
const defendEvery = 10_000;

/** EIPs that are asked or told about together. */
interface Batch {
  readonly ips: readonly Ip[];
  /** Only who claims one from now on counts. */
  readonly isAnew?: boolean;
  /** How often that was done. */
  sent: number;
  /** ms, when it is done next */
  due: number;
}

interface Entry {
  state: 'tentative' | 'unique' | 'duplicate';
  /** Who claims it; of the latest claim. */
  mac: string | undefined;
  /** Somebody has claimed it since hosts were asked anew. */
  isClaimed: boolean;
  /** ms, when it was told last that it is here; undefined: never, or to all at once */
  defended: number | undefined;
}

const none: readonly Problem[] = [];

/**
 * Whether the EIPs that this gateway answers ARP and NDP for are its alone: duplicate address detection for hosts that
 * no kernel has the address of. An EIP is tentative until all hosts were asked and nobody has claimed it. It is listened
 * on: who claims an EIP later is told of, and the claim is contradicted, but the EIP is not given up, or any host could
 * take it from its clients by one packet.
 *
 * Another gateway of ours has the same EIPs. It is known by the address that makes a gateway the active one: who claims
 * that is no stranger. What others ask before they take an address (an ARP probe) is no claim.
 */
export class Duplicates implements Uniqueness {
  readonly #port: SegmentPort;
  readonly #clock: () => number;
  readonly #changed: () => void;
  readonly #entries = new Map<Ip, Entry>();
  /** EIPs that the kernel answers for now. */
  readonly #answered = new Set<Ip>();
  /** Link-layer addresses of other gateways. */
  readonly #gateways = new Set<string>();
  #active: readonly Ip[] = [];
  #segment: Segment | undefined;
  #isBound = false;
  /** Another gateway has the same link-layer address. */
  #isShared = false;
  #role: 'active' | 'standby' = 'active';
  #asking: Batch[] = [];
  #telling: Batch[] = [];
  #turned = new Set<Ip>();
  #blind: string | undefined;
  #problems = none;
  #wake = new AbortController();
  #claims = 0;

  constructor({ port, clock, changed }: DuplicatesOptions) {
    this.#port = port;
    this.#clock = clock;
    this.#changed = changed;
  }

  isUnique(eip: Ip): boolean {
    return this.#entries.get(eip)?.state === 'unique';
  }

  isClaimed(eip: Ip): boolean {
    return this.#entries.get(eip)?.state === 'duplicate';
  }

  takeTurned(): ReadonlySet<Ip> {
    const turned = this.#turned;
    this.#turned = new Set();
    return turned;
  }

  /** The EIPs that somebody else has, with its link-layer address. */
  *duplicates(): Generator<readonly [eip: Ip, mac: string]> {
    for (const [eip, { state, mac }] of this.#entries)
      if (state === 'duplicate' && mac !== undefined) yield [eip, mac];
  }

  /** EIPs that somebody else has now; packets in which others have claimed one, since the start. */
  get counts(): { readonly claimed: number; readonly claims: number } {
    return { claimed: [...this.duplicates()].length, claims: this.#claims };
  }

  /** The same array as long as nothing in it changes. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /**
   * @param segment undefined while there is none that packets can leave by
   * @param active the addresses that make a gateway the active one
   * @param role a standby says nothing with a link-layer address that it shares with the active gateway: the switch would
   *   send it the packets
   */
  follow(segment: Segment | undefined, active: readonly Ip[], role: 'active' | 'standby' = 'active'): void {
    this.#active = active;
    this.#role = role;
    if (segment?.index === this.#segment?.index && segment?.name === this.#segment?.name) return;
    this.#segment = segment;
    this.#isBound = false;
    this.#asking = [];
    this.#telling = [];
    this.#gateways.clear();
    // Other hosts may be there.
    const all = [...this.#entries.keys()];
    this.#entries.clear();
    this.ask(all);
  }

  /** Begins to ask about EIPs that are not known. */
  ask(eips: Iterable<Ip>): void {
    const fresh = [...eips].filter((eip) => !this.#entries.has(eip));
    if (fresh.length === 0) return;
    for (const eip of fresh)
      this.#entries.set(eip, { state: 'tentative', mac: undefined, isClaimed: false, defended: undefined });
    const now = this.#clock();
    for (let from = 0; from < fresh.length; from += mostAtOnce)
      this.#asking.push({
        ips: fresh.slice(from, from + mostAtOnce),
        sent: 0,
        due: now + (from / mostAtOnce) * sliceEvery,
      });
    this.#wake.abort();
  }

  /** EIPs that are no business of this gateway any more. */
  forget(eips: Iterable<Ip>): void {
    for (const eip of eips) this.#entries.delete(eip);
    this.#judge();
  }

  /** Forgets all others. */
  retain(eips: ReadonlySet<Ip>): void {
    this.forget([...this.#entries.keys()].filter((eip) => !eips.has(eip)));
  }

  /** The kernel answers for these from now on: all hosts are told. */
  answers(eips: readonly Ip[]): void {
    if (eips.length === 0) return;
    for (const eip of eips) this.#answered.add(eip);
    this.#telling.push({ ips: eips, sent: 0, due: this.#clock() });
    this.#wake.abort();
    this.#judge();
  }

  /** The kernel answers for these already: a former process has told all hosts. */
  adopt(eips: Iterable<Ip>): void {
    for (const eip of eips) this.#answered.add(eip);
  }

  /** The kernel answers for these no more. */
  falls(eips: readonly Ip[]): void {
    for (const eip of eips) this.#answered.delete(eip);
    if (eips.length > 0) this.#judge();
  }

  /** Asks, tells and listens until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#listen(signal), this.#speak(signal)]);
  }

  /** Does what is due. @returns ms until something else is; Infinity: nothing */
  async step(): Promise<number> {
    const now = this.#clock();
    if (this.#segment !== undefined && !this.#isBound) this.#try(() => this.#bind());
    if (this.#isBound) {
      for (const batch of this.#asking.filter(({ due }) => due <= now)) await this.#ask(batch, now);
      for (const batch of this.#telling.filter(({ due }) => due <= now)) await this.#tell(batch, now);
    }
    const next = this.#isBound
      ? Math.min(...[...this.#asking, ...this.#telling].map(({ due }) => due))
      : this.#segment === undefined
        ? Number.POSITIVE_INFINITY
        : now + retryAfter;
    return Math.max(0, next - this.#clock());
  }

  /** Takes note of what others said. */
  async hear(heard: readonly Heard[]): Promise<void> {
    const contradicted: Ip[] = [];
    const suspected: Ip[] = [];
    let isOther = false;
    for (const { kind, ip, mac } of heard) {
      if (kind === 'claim' && this.#active.includes(ip) && !this.#gateways.has(mac)) {
        this.#gateways.add(mac);
        isOther = true;
      }
      const entry = this.#entries.get(ip);
      if (entry === undefined || this.#gateways.has(mac)) continue;
      if (kind === 'claim') {
        this.#claims += 1;
        if (entry.mac !== mac) isOther = true;
        entry.mac = mac;
        // It may be the gateway that takes over: hosts are asked, and with them for the address of the active one.
        if (!entry.isClaimed && entry.state === 'unique') suspected.push(ip);
        entry.isClaimed = true;
      }
      // Linux leaves ARP probes for proxies unanswered; a claim is contradicted once it is known for a stranger's.
      if (kind === 'probe' || entry.state === 'duplicate') contradicted.push(ip);
    }
    if (suspected.length > 0) {
      this.#asking.push({ ips: suspected, sent: 0, due: this.#clock() });
      this.#wake.abort();
    }
    if (isOther) this.#judge();
    await this.#contradict(contradicted);
  }

  /** Tells all hosts again that EIPs are here, each once in a while. */
  async #contradict(eips: readonly Ip[]): Promise<void> {
    const now = this.#clock();
    const due: Ip[] = [];
    for (const eip of eips) {
      const entry = this.#entries.get(eip);
      if (entry === undefined || !this.#answered.has(eip)) continue;
      if (now - (entry.defended ?? -defendEvery) < defendEvery) continue;
      entry.defended = now;
      due.push(eip);
    }
    if (due.length > 0 && this.#isBound) await this.#attempt(() => this.#port.announce(due));
  }

  async #listen(signal: AbortSignal): Promise<void> {
    for await (const heard of this.#port.heard(signal)) await this.hear(heard);
  }

  async #speak(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const wait = await this.step();
      await restUntil(wait, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  async #ask(batch: Batch, now: number): Promise<void> {
    const ips = batch.ips.filter((ip) => this.#entries.has(ip));
    const isSilent = this.#isShared && this.#role === 'standby';
    if (batch.sent === probes || ips.length === 0 || isSilent) {
      this.#asking = this.#asking.filter((one) => one !== batch);
      await this.#settle(ips, now);
      return;
    }
    if (batch.sent === 0 && batch.isAnew)
      for (const ip of ips) {
        const entry = this.#entries.get(ip);
        if (entry !== undefined) entry.isClaimed = false;
      }
    batch.due = now + probeEvery;
    // The active gateway is known by its own address, before what it says of the EIPs is judged.
    if (await this.#attempt(() => this.#port.probe([...this.#active, ...ips]))) batch.sent += 1;
  }

  /** All hosts were asked and had time to answer. */
  async #settle(ips: readonly Ip[], now: number): Promise<void> {
    const claimed: Ip[] = [];
    for (const ip of ips) {
      const entry = this.#entries.get(ip);
      if (entry === undefined) continue;
      const isTaken = entry.isClaimed && entry.mac !== undefined && !this.#gateways.has(entry.mac);
      if (isTaken) claimed.push(ip);
      entry.isClaimed = isTaken;
      const to = isTaken ? 'duplicate' : 'unique';
      if (entry.state !== to) this.#turned.add(ip);
      entry.state = to;
    }
    if (claimed.length > 0) this.#asking.push({ ips: claimed, sent: 0, due: now + againAfter, isAnew: true });
    this.#judge();
    await this.#contradict(claimed);
  }

  async #tell(batch: Batch, now: number): Promise<void> {
    const ips = batch.ips.filter((ip) => this.#answered.has(ip));
    if (!(await this.#attempt(() => this.#port.announce(ips)))) {
      batch.due = now + retryAfter;
      return;
    }
    const [first = 0] = announceAt;
    const began = batch.due - (announceAt[batch.sent] ?? first);
    batch.sent += 1;
    const next = announceAt[batch.sent];
    if (next === undefined || ips.length === 0) this.#telling = this.#telling.filter((one) => one !== batch);
    else batch.due = began + next;
  }

  #bind(): void {
    if (this.#segment === undefined) return;
    this.#isShared = isVirtualMac(this.#port.bind(this.#segment.index));
    this.#isBound = true;
  }

  /** @returns whether it went well; else the problem says it */
  async #attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#see(undefined);
      return true;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#see(error.message);
      return false;
    }
  }

  #try(work: () => void): void {
    try {
      work();
      this.#see(undefined);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#see(error.message);
    }
  }

  #see(blind: string | undefined): void {
    if (blind === this.#blind) return;
    this.#blind = blind;
    this.#judge();
  }

  #judge(): void {
    const name = this.#segment?.name ?? '';
    const found = [
      ...(this.#blind === undefined ? [] : [segmentBlind(this.#blind, name)]),
      ...[...this.duplicates()].map(([eip, mac]) =>
        duplicateEip({ eip, mac, isAnswered: this.#answered.has(eip) }, name),
      ),
    ];
    const text = (problems: readonly Problem[]): string => problems.map(({ message }) => message).join('\n');
    if (this.#turned.size === 0 && text(found) === text(this.#problems)) return;
    if (text(found) !== text(this.#problems)) this.#problems = found;
    this.#changed();
  }
}

/** @param ms Infinity: until the signal */
async function restUntil(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : undefined;
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
