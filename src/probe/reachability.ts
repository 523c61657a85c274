import { KernelError } from '../kernel/kernel.ts';
import type { NeighbourPort } from '../kernel/neighbour-port.ts';
import type { Hosts } from '../model/host.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { AwakeClock } from './awake-clock.ts';
import { HostTable, type Look } from './host-table.ts';
import { type Doubt, doubtFor, judge, nobodyDoubted } from './judge.ts';
import { blind, doubted, flappingNode, silentNode } from './reachability-problems.ts';
import { Rests } from './rests.ts';
import { fewAddresses, schedule, siblings } from './schedule.ts';
import type { Targets } from './targets.ts';

export interface ReachabilityOptions {
  readonly port: NeighbourPort;
  /** ms between two questions to one node that the kernel has not heard meanwhile */
  readonly every: () => number;
  /** See {@link judge}. */
  readonly share: () => number;
  /** ms; must never run backwards */
  readonly clock: () => number;
  /** ms since the epoch */
  readonly time: () => number;
  /** Called when the silent nodes or the problems have changed. */
  readonly changed: () => void;
}

/** Questions in one go: more ARP requests at once overflow the queues of network cards and switches. */
const mostAtOnce = 400;

/** ms; a turn of the loop takes less, unless this program was stopped */
const longestLook = 1000;

/**
 * Turns between two looks at all entries. A fixed entry may have become an ordinary one, and an entry may be REACHABLE
 * by an old timer: no notification reports either.
 */
const turnsOfAll = 64;

/** ms for which a look counts as up to date */
const young = 1000;

const none: readonly Problem[] = [];
const nobody: Targets = { lan: undefined, nodes: [] };

/**
 * Whether the nodes answer ARP and NDP. The kernel asks them, and waits for the answers. This program makes the kernel
 * ask nodes without traffic as well, and reads which of them failed. So a stall of this program makes no node silent.
 */
export class Reachability {
  readonly #port: NeighbourPort;
  readonly #every: () => number;
  readonly #share: () => number;
  readonly #clock: AwakeClock;
  readonly #time: () => number;
  readonly #changed: () => void;
  readonly #table = new HostTable();
  #targets = nobody;
  /** For each turn, the batches of addresses that are asked one after the other. */
  #turns: readonly (readonly (readonly Ip[])[])[] = [[]];
  /** The kernel was not asked about these yet. */
  #fresh: readonly Ip[] = [];
  #silent: ReadonlySet<Ip> = new Set();
  #unheard: ReadonlySet<Ip> = new Set();
  #doubted = nobodyDoubted;
  /** Every node has answered or is silent, since this LAN is there. Nodes that come later do not change it. */
  #isHeard = false;
  /** The LAN went away while it was watched. */
  #wasLost = false;
  #problems = none;
  #said = '';
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor({ port, every, share, clock, time, changed }: ReachabilityOptions) {
    this.#port = port;
    this.#every = every;
    this.#share = share;
    this.#clock = new AwakeClock(clock, longestLook);
    this.#time = time;
    this.#changed = changed;
  }

  /** Nodes that do not answer; the same set as long as they are the same. */
  get silent(): ReadonlySet<Ip> {
    return this.#silent;
  }

  /** Nodes that do not answer, with those whose silence is doubted; the same set as long as they are the same. */
  get unheard(): ReadonlySet<Ip> {
    return this.#unheard;
  }

  /**
   * Every node has answered or is silent, since packets can leave by the LAN; true while the kernel cannot be asked.
   */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** As of the last look at each. */
  get hosts(): Hosts {
    return this.#table.hosts;
  }

  /** The same array as long as nothing in it changes. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** @param targets the same object as long as nothing in it changes */
  follow(targets: Targets): void {
    if (targets === this.#targets) return;
    const { lan } = this.#targets;
    this.#targets = targets;
    const isOther = targets.lan?.index !== lan?.index;
    const ips = targets.lan === undefined ? [] : [...new Set(targets.nodes.map(({ ip }) => ip))];
    const known = new Set(isOther ? [] : this.#table.ips);
    const asked = new Set(ips);
    if (lan !== undefined && targets.lan === undefined) this.#wasLost = true;
    this.#table.follow(ips, isOther ? (this.#wasLost ? 'back' : 'anew') : 'as they are');
    if (targets.lan !== undefined) this.#wasLost = false;
    this.#fresh = [...this.#fresh.filter((ip) => asked.has(ip)), ...ips.filter((ip) => !known.has(ip))];
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    if (isOther) this.#isHeard = false;
    this.#slice();
    this.#judge();
  }

  /** Divides the addresses into turns, and each turn into batches. Until every node was heard, each turn asks all. */
  #slice(): void {
    const { asked } = this.#table;
    if (!this.#isHeard) {
      this.#turns = [slicesOf(asked)];
      return;
    }
    const { always, seldom } = schedule(asked, this.#targets.nodes, new Set(this.#table.silent));
    // The same arrays in each turn: the port encodes the packets of an array once.
    const slices = slicesOf(always);
    this.#turns = seldom.map((some) => [...slices, ...slicesOf(some)]);
  }

  /** Asks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#hear(signal), this.#ask(signal)]);
  }

  /** Brings {@link hosts} up to date, unless they were a moment ago. */
  async look(signal: AbortSignal): Promise<void> {
    if (this.#time() - this.#lookedAt < young) return;
    this.#looking ??= this.#read(this.#table.ips, this.#clock.now(), signal).finally(() => {
      this.#looking = undefined;
      this.#lookedAt = this.#time();
    });
    await this.#looking;
  }

  async #hear(signal: AbortSignal): Promise<void> {
    for await (const failed of this.#port.failures(signal)) {
      const now = this.#clock.now();
      if (failed === 'unknown') await this.#read(this.#table.ips, now, signal);
      else {
        const known = failed.filter((ip) => this.#table.has(ip));
        await this.#read(known, now, signal, 'reported');
      }
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const rests = new Rests(signal);
    let turn = 0;
    while (!signal.aborted) {
      // Read before the first question, which turns FAILED into INCOMPLETE. An address that is silent here has been so
      // for long. More may come during the read; none is asked before it is read, since asking turns a fixed entry into
      // an ordinary one.
      while (this.#fresh.length > 0) {
        const fresh = this.#fresh;
        this.#fresh = [];
        await this.#read(fresh, this.#clock.now() - doubtFor, signal);
        await this.#expire();
        turn = 0;
      }
      const { lan } = this.#targets;
      const slices = this.#turns[turn % this.#turns.length] ?? [];
      for (const slice of slices) {
        if (lan !== undefined) {
          this.#table.asks(slice);
          await this.#try(() => this.#port.solicit(lan.index, slice));
        }
        if (!(await rests.take(this.#every() / slices.length))) return;
        this.#clock.now();
      }
      if (slices.length === 0 && !(await rests.take(this.#every()))) return;
      turn += 1;
      // Until every node was heard, each may have answered since.
      const expected = this.#isHeard ? this.#table.silent : this.#table.ips;
      if (!isOfAll(turn)) await this.#read(expected, this.#clock.now(), signal);
      else {
        await this.#read(this.#table.ips, this.#clock.now(), signal);
        await this.#expire();
      }
      // Where nobody is silent, nothing was read in most turns, and these end all the same: a node that flapped long ago, a
      // kernel that could not be asked once.
      if (this.#problems.length > 0) this.#judge();
    }
  }

  /** Makes the kernel ask all reachable addresses again, whatever its timers were when they answered last. */
  async #expire(): Promise<void> {
    const { lan } = this.#targets;
    const { reachable } = this.#table;
    if (lan !== undefined && reachable.length > 0)
      await this.#try(() => this.#port.expire(lan.index, reachable));
  }

  /**
   * Reads what the kernel says of some addresses now.
   *
   * @param since when those that are silent began to be
   * @param failed see {@link Look}
   */
  async #read(
    ips: readonly Ip[],
    since: number,
    signal: AbortSignal,
    failed: Look['failed'] = 'unreported',
  ): Promise<void> {
    const { lan } = this.#targets;
    if (lan === undefined || ips.length === 0) return;
    const states = await this.#try(() => this.#port.states(lan.index, ips, signal));
    if (states === undefined || lan.index !== this.#targets.lan?.index) return;
    const before = this.#table.fixed.length;
    const now = this.#clock.now();
    const at = this.#time();
    for (const [i, ip] of ips.entries()) this.#table.saw(ip, { state: states[i], failed, now, since, at });
    if (this.#table.fixed.length !== before) this.#slice();
    const silent = this.#unheard;
    this.#judge();
    if (this.#unheard !== silent) await this.#askOthers(this.#unheard.difference(silent));
  }

  /** Asks the other addresses of nodes that have just fallen silent at once, where these are asked seldom. */
  async #askOthers(silent: ReadonlySet<Ip>): Promise<void> {
    if (this.#table.ips.length <= fewAddresses) return;
    this.#slice();
    const { lan, nodes } = this.#targets;
    const asked = new Set(this.#table.asked);
    const others = siblings(silent, nodes).filter((ip) => asked.has(ip));
    if (lan === undefined || others.length === 0) return;
    await this.#try(() => this.#port.expire(lan.index, others));
    await this.#try(() => this.#port.solicit(lan.index, others));
  }

  /** @returns undefined when the kernel could not be asked: then no state is known */
  async #try<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#table.forget();
      this.#unheard = new Set();
      this.#doubted = nobodyDoubted;
      this.#isHeard = true;
      this.#publish(new Set(), [blind(error.message)]);
      return undefined;
    }
  }

  #judge(): void {
    const unheard = new Set(this.#table.silent);
    if (unheard.symmetricDifference(this.#unheard).size > 0) this.#unheard = unheard;
    this.#listenForAll();
    const now = this.#clock.now();
    const terms = { share: this.#share(), now };
    const { silent, doubts, doubted } = judge(this.#table.signals, terms, this.#doubted);
    this.#doubted = doubted;
    this.#publish(silent, this.#problemsOf(silent, doubts, now));
  }

  #listenForAll(): void {
    const { lan, isPartial } = this.#targets;
    // What was under way when the LAN was lost may say how they were before: those that are to be read yet are not heard.
    const isAsked = lan !== undefined && isPartial === undefined && this.#fresh.length === 0;
    if (this.#isHeard || !isAsked || this.#table.unheard.length > 0) return;
    this.#isHeard = true;
    this.#slice();
    this.#changed();
  }

  #problemsOf(silent: ReadonlySet<Ip>, doubts: readonly Doubt[], now: number): readonly Problem[] {
    const { nodes, lan } = this.#targets;
    const flapping = this.#table.flapping(now);
    if (silent.size === 0 && doubts.length === 0 && flapping.length === 0) return none;
    const name = lan?.name ?? '';
    return [
      ...doubts.map((doubt) => doubted(doubt, nodes, name)),
      ...nodes.filter(({ ip }) => silent.has(ip)).map((target) => silentNode(target, name)),
      ...flapping.flatMap((each) =>
        nodes.filter(({ ip }) => ip === each.ip).map((target) => flappingNode(target, each, name)),
      ),
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

/** Evenly divided, none longer than what may be sent at once. */
function slicesOf(ips: readonly Ip[]): readonly (readonly Ip[])[] {
  const count = Math.ceil(ips.length / mostAtOnce);
  return Array.from({ length: count }, (_, nth) => ips.filter((_ip, i) => i % count === nth));
}

/** Often at first, then less: the round that sets the timers of the kernel may come after the first question. */
function isOfAll(turn: number): boolean {
  return turn % turnsOfAll === 0 || Number.isInteger(Math.log2(turn));
}
