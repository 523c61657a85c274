import type { Allocation } from '../model/allocation.ts';
import { type Service, serviceName } from '../model/cluster.ts';
import type { Pool } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import { adoption } from './adopt.ts';
import { Books } from './books.ts';
import { byAge, byWaiting, type Claimant, claimant } from './claimant.ts';
import { type Grant, grant, inOrder } from './grant.ts';
import { type NodeAddresses, NodePorts } from './nodes.ts';
import type { Lost, Verdict } from './verdict.ts';

/** What decides beside the Services themselves. */
export interface Terms {
  readonly pools: readonly Pool[];
  readonly allocation: Allocation;
  /** Addresses that belong to somebody, with whom. */
  readonly reserved: ReadonlyMap<Ip, string>;
  readonly nodeAddresses: NodeAddresses;
}

/**
 * Gives addresses to Services. What their statuses show is the state, and all else follows from it: the same
 * Services come to the same verdicts in whatever order they are told, and after a restart. Between two
 * tellings only what a change can touch is thought over again.
 */
export class Allocator {
  readonly books: Books;
  readonly #terms: Terms;
  readonly #pools: readonly Pool[];
  readonly #nodes: NodePorts | undefined;
  readonly #claimants = new Map<string, Claimant>();
  /** Who shows an address that it does not hold, by address. */
  readonly #losers = new Map<Ip, Set<string>>();
  readonly #verdicts = new Map<string, Verdict>();
  readonly #lacking = new Set<string>();
  /** Served, but with one family where they would like both. */
  readonly #hopeful = new Set<string>();
  /** Who asked in vain for an address by name, by the address; some may have got it since. */
  readonly #askers = new Map<Ip, Set<string>>();
  /** One that had a sharing key has changed, or is gone. */
  #sharerLeft = false;
  /** Somebody moved away from an address while others were served. */
  #cameFree = false;
  /** Given, and on the way into the status. */
  readonly #promised: Map<string, Promised>;

  /** @param promised by the allocator before this one, under other terms */
  constructor(terms: Terms, promised: ReadonlyMap<string, Promised> = new Map()) {
    this.#terms = terms;
    this.#pools = inOrder(terms.pools);
    this.books = new Books(terms.pools, terms.reserved);
    const nodePool = terms.pools.find((pool) => termsOf(pool).nodeAddresses);
    this.#nodes = nodePool && new NodePorts(nodePool, terms.nodeAddresses);
    this.#promised = new Map(promised);
  }

  /** Of the Services of ours. */
  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts;
  }

  /** Keys of the Services of ours that do not have what they ask for. */
  get lacking(): ReadonlySet<string> {
    return this.#lacking;
  }

  get promised(): ReadonlyMap<string, Promised> {
    return this.#promised;
  }

  /** Every address that somebody holds, by whom, and of which pool; what no pool covers any more is left out. */
  *held(): Generator<readonly [ip: Ip, keys: readonly string[], pool: string]> {
    for (const [ip, holders] of this.books.entries()) {
      const pool = this.books.poolOf(ip);
      if (pool) yield [ip, holders.map(({ key }) => key), pool.name];
    }
    const nodes = this.#nodes;
    for (const [key, { ips }] of nodes ? this.#verdicts : []) {
      if (nodes?.holds(key)) for (const ip of ips) yield [ip, [key], nodes.pool.name];
    }
  }

  claimant(key: string): Claimant | undefined {
    return this.#claimants.get(key);
  }

  /**
   * Thinks over what these changes touch.
   *
   * @param changed Services as they are now
   * @param gone keys of Services that there are no more
   * @returns the keys whose verdict is new
   */
  tell(changed: readonly Service[], gone: readonly string[]): ReadonlySet<string> {
    this.#sharerLeft = false;
    const touched = this.#touched(changed, gone);
    if (touched.size === 0) return touched;
    const nodesBefore = this.#nodes && [...touched].some((key) => this.#nodes?.holds(key));
    const had: Ip[] = [];
    const claimants: Claimant[] = [];
    for (const key of touched) {
      const held = this.books.heldBy(key);
      if (held.length > 0) had.push(...held);
      this.books.release(key);
      this.#nodes?.release(key);
      const one = this.#claimants.get(key);
      if (one) claimants.push(one);
    }
    const lost = this.#adopt(claimants);
    for (const key of touched) {
      this.#lacking.delete(key);
      this.#hopeful.delete(key);
      if (this.#claimants.get(key)?.role !== 'ours') this.#verdicts.delete(key);
    }
    // An address came free, or somebody is there to share with, or no more: whoever waits may be lucky now, or waits
    // for another reason.
    const sharers = this.#sharerLeft || claimants.some(({ sharing }) => sharing.key !== undefined);
    const chance = nodesBefore || sharers || had.some((ip) => this.books.holders(ip).length === 0);
    this.#serve(chance ? [...claimants, ...this.#waiting()] : claimants, lost, touched);
    while (this.#cameFree && this.#lacking.size + this.#hopeful.size > 0) {
      this.#serve(this.#waiting(), lost, touched);
    }
    const stirred = this.#askersOf(
      [...had, ...[...touched].flatMap((key) => this.books.heldBy(key))],
      touched,
    );
    if (stirred.length > 0) this.#serve(stirred, lost, touched);
    return touched;
  }

  /** Who asks in vain for one of these addresses by name: it has another holder now, which is another reason. */
  #askersOf(ips: readonly Ip[], but: ReadonlySet<string>): readonly Claimant[] {
    if (this.#askers.size === 0) return [];
    const keys = new Set(ips.flatMap((ip) => [...(this.#askers.get(ip) ?? [])]));
    return [...keys]
      .filter((key) => !but.has(key) && this.#lacking.has(key))
      .map((key) => this.#claimants.get(key))
      .filter((one) => one !== undefined);
  }

  #unnote(one: Claimant): void {
    for (const ip of namedBy(one)) {
      const askers = this.#askers.get(ip);
      if (askers?.delete(one.key) && askers.size === 0) this.#askers.delete(ip);
    }
  }

  #note(one: Claimant): void {
    const { key } = one;
    for (const ip of namedBy(one)) {
      const askers = this.#askers.get(ip);
      if (askers) askers.add(key);
      else this.#askers.set(ip, new Set([key]));
    }
  }

  #waiting(): readonly Claimant[] {
    const keys = [...this.#lacking, ...this.#hopeful];
    return keys.map((key) => this.#claimants.get(key)).filter((one) => one !== undefined);
  }

  /** The Services that a change of theirs or of their neighbours on an address can touch; notes the changes. */
  #touched(changed: readonly Service[], gone: readonly string[]): Set<string> {
    const touched = new Set<string>();
    for (const key of gone) {
      this.#promised.delete(key);
      this.#put(key, undefined, touched);
    }
    for (const service of changed) {
      const now = claimant(service, this.#terms.allocation);
      // One and the same string in all maps: they then need not compare it letter by letter.
      this.#put(now?.key ?? serviceName(service), now, touched);
    }
    // Grows while it is walked: neighbours of neighbours, which two families can make.
    for (const key of touched) {
      for (const ip of this.books.heldBy(key)) this.#touchAll(ip, touched);
      for (const ip of this.#shownBy(key)) this.#touchAll(ip, touched);
    }
    return touched;
  }

  #touchAll(ip: Ip, touched: Set<string>): void {
    if (this.#losers.size > 0) for (const loser of this.#losers.get(ip) ?? []) touched.add(loser);
    for (const holder of this.books.holders(ip)) touched.add(holder.key);
  }

  #put(key: string, now: Claimant | undefined, touched: Set<string>): void {
    const before = this.#claimants.get(key);
    if (before === undefined && now === undefined) return;
    if (before && now && sameClaim(before, now) && !this.#nodes) {
      // Its endpoints moved, or a label that no pool looks at.
      this.#claimants.set(key, now);
      return;
    }
    touched.add(key);
    if (before?.sharing.key !== undefined) this.#sharerLeft = true;
    if (before) this.#unnote(before);
    for (const ip of before?.shown ?? []) {
      const losers = this.#losers.get(ip);
      if (losers?.delete(key) && losers.size === 0) this.#losers.delete(ip);
    }
    if (now === undefined) {
      this.#claimants.delete(key);
      return;
    }
    this.#claimants.set(key, now);
    const promise = this.#promised.get(key);
    // It is in the status now, or something else is, which somebody wrote there since.
    if (promise && !sameIps(promise.over, now.shown)) this.#promised.delete(key);
  }

  #shownBy(key: string): readonly Ip[] {
    return this.#promised.get(key)?.ips ?? this.#claimants.get(key)?.shown ?? none;
  }

  /** All that is there already comes before anything new. */
  #adopt(claimants: readonly Claimant[]): Map<string, Adopted> {
    const result = new Map<string, Adopted>();
    const rank = (one: Claimant): number => {
      if (one.role === 'leaving' || this.#promised.has(one.key)) return 0;
      if (one.role === 'bystander') return one.service.ingress.length > 0 ? 1 : 2;
      return one.given !== undefined && one.shown.some((ip) => one.given?.ips.includes(ip)) ? 0 : 1;
    };
    const having = claimants.filter(({ key }) => this.#shownBy(key).length > 0);
    for (const one of having.sort((a, b) => rank(a) - rank(b) || byAge(a, b))) {
      const shown = this.#shownBy(one.key);
      const nodes = this.#nodes;
      if (nodes && one.role === 'ours' && one.given?.pool === nodes.pool.name) {
        if (nodes.grant(one, shown).kind === 'granted') nodes.hold(one);
        continue;
      }
      const { keep, warnings, lost } = adoption(one, shown, this.books);
      if (keep.length > 0) this.books.hold(one, keep);
      for (const { ip, conflict } of lost) if (conflict) this.#lose(ip, one.key);
      if (warnings.length > 0 || lost.length > 0) result.set(one.key, { warnings, lost });
    }
    return result;
  }

  #lose(ip: Ip, key: string): void {
    const losers = this.#losers.get(ip);
    if (losers) losers.add(key);
    else this.#losers.set(ip, new Set([key]));
  }

  #serve(all: readonly Claimant[], adopted: Map<string, Adopted>, touched: Set<string>): void {
    this.#cameFree = false;
    const queue = all.filter(({ role }) => role === 'ours');
    const sorted = queue.length < 2 ? queue : queue.sort(byWaiting);
    const avoid = this.#named(sorted);
    for (const one of sorted) {
      // Who was not touched, but waits and gets another chance, still has what was said of it.
      const before = touched.has(one.key) ? undefined : this.#verdicts.get(one.key);
      if (before) adopted.set(one.key, before);
      const verdict = this.#judge(one, avoid, adopted.get(one.key) ?? noDoubt);
      this.#verdicts.set(one.key, verdict);
      if (verdict.lack === undefined) this.#lacking.delete(one.key);
      else this.#lacking.add(one.key);
      if (verdict.lack !== undefined) this.#note(one);
      if (this.#couldHaveMore(one, verdict)) this.#hopeful.add(one.key);
      else this.#hopeful.delete(one.key);
      touched.add(one.key);
    }
  }

  /** It would like both families, has one, and its pool has addresses of the other: one may come free. */
  #couldHaveMore({ asked }: Claimant, { ips, lack, ofNodes }: Verdict): boolean {
    const [first] = ips;
    if (first === undefined || lack !== undefined || ofNodes || asked?.kind !== 'request') return false;
    const missing = asked.request.families.filter((of) => !ips.some((ip) => family(ip) === of));
    const home = missing.length > 0 ? this.books.poolOf(first) : undefined;
    return home?.addresses.some((prefix) => missing.includes(family(prefix))) ?? false;
  }

  #judge(one: Claimant, avoid: (ip: Ip) => boolean, { warnings, lost }: Adopted): Verdict {
    const held = this.#nodes?.holds(one.key) ? this.#shownBy(one.key) : this.books.heldBy(one.key);
    const found = this.#find(one, held, avoid);
    if (found.kind === 'granted' && !sameIps(found.ips, held)) {
      this.books.hold(one, found.node ? [] : found.ips);
      this.#cameFree ||= held.some((ip) => !found.ips.includes(ip));
      this.#promised.set(one.key, { ips: found.ips, over: one.shown });
    }
    if (found.kind === 'granted' && found.node) this.#nodes?.hold(one);
    else if (found.kind === 'granted') this.#nodes?.release(one.key);
    const ips = found.kind === 'granted' ? found.ips : held;
    const ofNodes = this.#nodes?.holds(one.key) === true;
    const pool = ofNodes ? this.#nodes?.pool : ips[0] && this.books.poolOf(ips[0]);
    return {
      ips,
      pool: ips.length === 0 ? undefined : (pool?.name ?? one.given?.pool),
      enforce: pool === undefined ? one.given?.enforce === true : termsOf(pool).enforce,
      ofNodes,
      lack: found.kind === 'lacking' ? found.lack : undefined,
      warnings,
      lost: lost.length === 0 ? lost : lost.filter(({ ip }) => !ips.includes(ip)),
    };
  }

  #find(one: Claimant, held: readonly Ip[], avoid: (ip: Ip) => boolean): Grant & { readonly node?: boolean } {
    const { asked } = one;
    if (asked === undefined) throw new Error(`${one.key} is not ours to serve`);
    if (asked.kind === 'wrong') return { kind: 'lacking', lack: asked.lack };
    const { request } = asked;
    const nodes = this.#nodes;
    if (nodes === undefined || request.addresses.length > 0 || barredFrom(nodes.pool, one.service)) {
      return grant(one, request, this.#pools, this.books, avoid);
    }
    const here = nodes.holds(one.key);
    if (request.pool === nodes.pool.name || (here && request.pool === undefined)) {
      return { ...nodes.grant(one, here ? held : []), node: true };
    }
    if (request.pool !== undefined || held.length > 0 || !termsOf(nodes.pool).autoAssign) {
      return grant(one, request, this.#pools, this.books, avoid);
    }
    // In its place among the pools: those before it first, then the nodes, then those behind.
    const at = this.#pools.indexOf(nodes.pool);
    const first = grant(one, request, this.#pools.slice(0, at), this.books, avoid);
    if (first.kind === 'granted') return first;
    const here2 = nodes.grant(one, []);
    if (here2.kind === 'granted') return { ...here2, node: true };
    const last = grant(one, request, this.#pools.slice(at + 1), this.books, avoid);
    return last.kind === 'granted' ? last : here2;
  }

  /** The addresses that somebody in the queue asks for by name. */
  #named(queue: readonly Claimant[]): (ip: Ip) => boolean {
    const named = new Set<Ip>();
    for (const one of queue) for (const ip of namedBy(one)) named.add(ip);
    return (ip) => named.has(ip);
  }
}

/** A promise, and what the status showed when it was made. */
export interface Promised {
  readonly ips: readonly Ip[];
  readonly over: readonly Ip[];
}

interface Adopted {
  readonly warnings: readonly string[];
  readonly lost: readonly Lost[];
}

const none: readonly Ip[] = [];

function namedBy({ asked }: Claimant): readonly Ip[] {
  return asked?.kind === 'request' ? asked.request.addresses : none;
}
const noDoubt: Adopted = { warnings: [], lost: [] };

/** Nothing that the books look at differs. By identity: what was not read anew is the same. */
function sameClaim(a: Claimant, b: Claimant): boolean {
  const one = a.service;
  const two = b.service;
  return (
    a.role === b.role &&
    one.asks === two.asks &&
    one.ingress === two.ingress &&
    one.externalIps === two.externalIps &&
    one.ports === two.ports &&
    one.externalTrafficPolicy === two.externalTrafficPolicy
  );
}

/** As sets: the status as read is sorted. */
export function sameIps(a: readonly Ip[], b: readonly Ip[]): boolean {
  return a.length === b.length && a.every((ip) => b.includes(ip));
}
