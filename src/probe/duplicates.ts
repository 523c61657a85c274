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
  /** Called when the unique EIPs or the problems have changed. */
  readonly changed: () => void;
}

/** Where this gateway answers for EIPs. */
export interface Segment {
  readonly index: number;
  readonly name: string;
}

/**
 * Probes before an EIP counts as unique, and ms between two of them, and after the last. RFC 5227 allows up to 9 s in
 * all, for a host whose switch port has just come up. A gateway has been up for long, hosts answer within a
 * millisecond, and a later claim is noticed too.
 */
const probes = 3;
const probeEvery = 250;
/** EIPs that are probed at once, and ms to the next ones: every host of the segment receives each probe. */
const mostAtOnce = 500;
const sliceEvery = 25;
/** ms after which an EIP that another host claims is probed again */
const againAfter = 30_000;
/** ms after which packets that the kernel refused are tried again */
const retryAfter = 2000;
/** ms from the first announcement to each: frames get lost, and some caches take only one a second */
const announceAt: readonly number[] = [0, 1000, 5000];
/** ms; DEFEND_INTERVAL of RFC 5227, so that two hosts with one address do not fill the segment with claims */
const defendEvery = 10_000;

/** EIPs that are probed or announced together. */
interface Batch {
  readonly ips: readonly Ip[];
  /** Claims from before the first probe do not count. */
  readonly isAnew?: boolean;
  /** How often the packets were sent. */
  sent: number;
  /** When they are sent next, in ms of the clock. */
  due: number;
}

interface Entry {
  state: 'tentative' | 'unique' | 'duplicate';
  /** The link-layer address of the latest claim. */
  mac: string | undefined;
  /** Another host has claimed it since probing began anew. */
  isClaimed: boolean;
  /** When a claim to it was last contradicted, in ms of the clock; undefined: never. */
  defended: number | undefined;
}

const none: readonly Problem[] = [];

/**
 * Duplicate address detection for the EIPs that this gateway answers ARP and NDP for: no kernel has these addresses, so
 * no kernel does it. An EIP is tentative until it was probed and no host has claimed it. Later claims are reported and
 * contradicted, but the EIP is not given up: otherwise any host could take it from its clients by one packet.
 *
 * Another gateway of ours has the same EIPs. It is recognized by the address that makes a gateway the active one: a
 * host that claims this address is a gateway. An ARP probe, which a host sends before it takes an address, is no claim.
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

  /** The EIPs that another host has, with the link-layer address of that host. */
  *duplicates(): Generator<readonly [eip: Ip, mac: string]> {
    for (const [eip, { state, mac }] of this.#entries)
      if (state === 'duplicate' && mac !== undefined) yield [eip, mac];
  }

  /** EIPs that another host has now; packets in which other hosts have claimed one, since the start. */
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
   * @param role a standby sends nothing from a link-layer address that it shares with the active gateway: the switch
   *   would send it that gateway's packets
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
    // The new segment may have other hosts.
    const all = [...this.#entries.keys()];
    this.#entries.clear();
    this.ask(all);
  }

  /** Begins to probe those of the EIPs that are not known yet. */
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

  /** Forgets these EIPs, which this gateway has nothing to do with any more. */
  forget(eips: Iterable<Ip>): void {
    for (const eip of eips) this.#entries.delete(eip);
    this.#judge();
  }

  /** Forgets all EIPs but these. */
  retain(eips: ReadonlySet<Ip>): void {
    this.forget([...this.#entries.keys()].filter((eip) => !eips.has(eip)));
  }

  /** The kernel answers for these from now on: they are announced to all hosts. */
  answers(eips: readonly Ip[]): void {
    if (eips.length === 0) return;
    for (const eip of eips) this.#answered.add(eip);
    this.#telling.push({ ips: eips, sent: 0, due: this.#clock() });
    this.#wake.abort();
    this.#judge();
  }

  /** The kernel answers for these already: a former process has announced them. */
  adopt(eips: Iterable<Ip>): void {
    for (const eip of eips) this.#answered.add(eip);
  }

  /** The kernel answers for these no more. */
  falls(eips: readonly Ip[]): void {
    for (const eip of eips) this.#answered.delete(eip);
    if (eips.length > 0) this.#judge();
  }

  /** Probes, announces and listens until the signal is aborted. */
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

  /** Takes in what other hosts sent. */
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
        // The claim may come from a gateway that takes over: the EIP is probed again, and with it the address of the
        // active gateway.
        if (!entry.isClaimed && entry.state === 'unique') suspected.push(ip);
        entry.isClaimed = true;
      }
      // Linux does not answer ARP probes for proxies. A claim is contradicted once the host is known to be no gateway.
      if (kind === 'probe' || entry.state === 'duplicate') contradicted.push(ip);
    }
    if (suspected.length > 0) {
      this.#asking.push({ ips: suspected, sent: 0, due: this.#clock() });
      this.#wake.abort();
    }
    if (isOther) this.#judge();
    await this.#contradict(contradicted);
  }

  /** Announces EIPs again, each at most once in {@link defendEvery}. */
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
    // The active gateway has to be recognized, by its own address, before its claims to the EIPs are judged.
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

  /** @returns false: it failed, and a problem says why */
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
