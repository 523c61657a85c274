import type { Allocation } from '../model/allocation.ts';
import { type Service, serviceName } from '../model/cluster.ts';
import type { Pool } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import { adoption } from './adopt.ts';
import { Assignments } from './assignments.ts';
import { byAge, byWaiting, type Candidate, candidate } from './candidate.ts';
import type { Decision, Lost } from './decision.ts';
import { type Grant, grant, inOrder } from './grant.ts';
import { type NodeAddresses, NodePorts } from './nodes.ts';

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
 * Services come to the same decisions in whatever order they are told, and after a restart. Between two
 * tellings only what a change can touch is thought over again.
 */
export class Allocator {
  readonly assignments: Assignments;
  readonly #terms: Terms;
  readonly #pools: readonly Pool[];
  readonly #nodes: NodePorts | undefined;
  readonly #candidates = new Map<string, Candidate>();
  /** Who shows an address that it does not hold, by address. */
  readonly #losers = new Map<Ip, Set<string>>();
  readonly #decisions = new Map<string, Decision>();
  readonly #unsatisfied = new Set<string>();
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
    this.assignments = new Assignments(terms.pools, terms.reserved);
    const nodePool = terms.pools.find((pool) => termsOf(pool).nodeAddresses);
    this.#nodes = nodePool && new NodePorts(nodePool, terms.nodeAddresses);
    this.#promised = new Map(promised);
  }

  /** Of the Services of ours. */
  get decisions(): ReadonlyMap<string, Decision> {
    return this.#decisions;
  }

  /** Keys of the Services of ours that do not have what they ask for. */
  get unsatisfied(): ReadonlySet<string> {
    return this.#unsatisfied;
  }

  get promised(): ReadonlyMap<string, Promised> {
    return this.#promised;
  }

  /** Every address that somebody holds, by whom, and of which pool; what no pool covers any more is left out. */
  *held(): Generator<readonly [ip: Ip, keys: readonly string[], pool: string]> {
    for (const [ip, holders] of this.assignments.entries()) {
      const pool = this.assignments.poolOf(ip);
      if (pool) yield [ip, holders.map(({ key }) => key), pool.name];
    }
    const nodes = this.#nodes;
    for (const [key, { ips }] of nodes ? this.#decisions : []) {
      if (nodes?.holds(key)) for (const ip of ips) yield [ip, [key], nodes.pool.name];
    }
  }

  candidate(key: string): Candidate | undefined {
    return this.#candidates.get(key);
  }

  /**
   * Thinks over what these changes touch.
   *
   * @param changed Services as they are now
   * @param gone keys of Services that there are no more
   * @returns the keys whose decision is new
   */
  tell(changed: readonly Service[], gone: readonly string[]): ReadonlySet<string> {
    this.#sharerLeft = false;
    const touched = this.#touched(changed, gone);
    if (touched.size === 0) return touched;
    const nodesBefore = this.#nodes && [...touched].some((key) => this.#nodes?.holds(key));
    const had: Ip[] = [];
    const candidates: Candidate[] = [];
    for (const key of touched) {
      const held = this.assignments.heldBy(key);
      if (held.length > 0) had.push(...held);
      this.assignments.release(key);
      this.#nodes?.release(key);
      const one = this.#candidates.get(key);
      if (one) candidates.push(one);
    }
    const lost = this.#adopt(candidates);
    for (const key of touched) {
      this.#unsatisfied.delete(key);
      this.#hopeful.delete(key);
      if (this.#candidates.get(key)?.role !== 'ours') this.#decisions.delete(key);
    }
    // An address came free, or somebody is there to share with, or no more: whoever waits may be lucky now, or waits
    // for another reason.
    const sharers = this.#sharerLeft || candidates.some(({ sharing }) => sharing.key !== undefined);
    const chance = nodesBefore || sharers || had.some((ip) => this.assignments.holders(ip).length === 0);
    this.#serve(chance ? [...candidates, ...this.#waiting()] : candidates, lost, touched);
    while (this.#cameFree && this.#unsatisfied.size + this.#hopeful.size > 0) {
      this.#serve(this.#waiting(), lost, touched);
    }
    const stirred = this.#askersOf(
      [...had, ...[...touched].flatMap((key) => this.assignments.heldBy(key))],
      touched,
    );
    if (stirred.length > 0) this.#serve(stirred, lost, touched);
    return touched;
  }

  /** Who asks in vain for one of these addresses by name: it has another holder now, which is another reason. */
  #askersOf(ips: readonly Ip[], but: ReadonlySet<string>): readonly Candidate[] {
    if (this.#askers.size === 0) return [];
    const keys = new Set(ips.flatMap((ip) => [...(this.#askers.get(ip) ?? [])]));
    return [...keys]
      .filter((key) => !but.has(key) && this.#unsatisfied.has(key))
      .map((key) => this.#candidates.get(key))
      .filter((one) => one !== undefined);
  }

  #unnote(one: Candidate): void {
    for (const ip of namedBy(one)) {
      const askers = this.#askers.get(ip);
      if (askers?.delete(one.key) && askers.size === 0) this.#askers.delete(ip);
    }
  }

  #note(one: Candidate): void {
    const { key } = one;
    for (const ip of namedBy(one)) {
      const askers = this.#askers.get(ip);
      if (askers) askers.add(key);
      else this.#askers.set(ip, new Set([key]));
    }
  }

  #waiting(): readonly Candidate[] {
    const keys = [...this.#unsatisfied, ...this.#hopeful];
    return keys.map((key) => this.#candidates.get(key)).filter((one) => one !== undefined);
  }

  /** The Services that a change of theirs or of their neighbours on an address can touch; notes the changes. */
  #touched(changed: readonly Service[], gone: readonly string[]): Set<string> {
    const touched = new Set<string>();
    for (const key of gone) {
      this.#promised.delete(key);
      this.#put(key, undefined, touched);
    }
    for (const service of changed) {
      const now = candidate(service, this.#terms.allocation);
      // One and the same string in all maps: they then need not compare it letter by letter.
      this.#put(now?.key ?? serviceName(service), now, touched);
    }
    // Grows while it is walked: neighbours of neighbours, which two families can make.
    for (const key of touched) {
      for (const ip of this.assignments.heldBy(key)) this.#touchAll(ip, touched);
      for (const ip of this.#shownBy(key)) this.#touchAll(ip, touched);
    }
    return touched;
  }

  #touchAll(ip: Ip, touched: Set<string>): void {
    if (this.#losers.size > 0) for (const loser of this.#losers.get(ip) ?? []) touched.add(loser);
    for (const holder of this.assignments.holders(ip)) touched.add(holder.key);
  }

  #put(key: string, now: Candidate | undefined, touched: Set<string>): void {
    const before = this.#candidates.get(key);
    if (before === undefined && now === undefined) return;
    if (before && now && sameClaim(before, now) && !this.#nodes) {
      // Its endpoints moved, or a label that no pool looks at.
      this.#candidates.set(key, now);
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
      this.#candidates.delete(key);
      return;
    }
    this.#candidates.set(key, now);
    const promise = this.#promised.get(key);
    // It is in the status now, or something else is, which somebody wrote there since.
    if (promise && !sameIps(promise.over, now.shown)) this.#promised.delete(key);
  }

  #shownBy(key: string): readonly Ip[] {
    return this.#promised.get(key)?.ips ?? this.#candidates.get(key)?.shown ?? none;
  }

  /** All that is there already comes before anything new. */
  #adopt(candidates: readonly Candidate[]): Map<string, Adopted> {
    const result = new Map<string, Adopted>();
    const rank = (one: Candidate): number => {
      if (one.role === 'leaving' || this.#promised.has(one.key)) return 0;
      if (one.role === 'bystander') return one.service.ingress.length > 0 ? 1 : 2;
      return one.given !== undefined && one.shown.some((ip) => one.given?.ips.includes(ip)) ? 0 : 1;
    };
    const having = candidates.filter(({ key }) => this.#shownBy(key).length > 0);
    for (const one of having.sort((a, b) => rank(a) - rank(b) || byAge(a, b))) {
      const shown = this.#shownBy(one.key);
      const nodes = this.#nodes;
      if (nodes && one.role === 'ours' && one.given?.pool === nodes.pool.name) {
        if (nodes.grant(one, shown).kind === 'granted') nodes.hold(one);
        continue;
      }
      const { keep, warnings, lost } = adoption(one, shown, this.assignments);
      if (keep.length > 0) this.assignments.hold(one, keep);
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

  #serve(all: readonly Candidate[], adopted: Map<string, Adopted>, touched: Set<string>): void {
    this.#cameFree = false;
    const queue = all.filter(({ role }) => role === 'ours');
    const sorted = queue.length < 2 ? queue : queue.sort(byWaiting);
    const avoid = this.#named(sorted);
    for (const one of sorted) {
      // Who was not touched, but waits and gets another chance, still has what was said of it.
      const before = touched.has(one.key) ? undefined : this.#decisions.get(one.key);
      if (before) adopted.set(one.key, before);
      const decision = this.#judge(one, avoid, adopted.get(one.key) ?? noDoubt);
      this.#decisions.set(one.key, decision);
      if (decision.unsatisfied === undefined) this.#unsatisfied.delete(one.key);
      else this.#unsatisfied.add(one.key);
      if (decision.unsatisfied !== undefined) this.#note(one);
      if (this.#couldHaveMore(one, decision)) this.#hopeful.add(one.key);
      else this.#hopeful.delete(one.key);
      touched.add(one.key);
    }
  }

  /** It would like both families, has one, and its pool has addresses of the other: one may come free. */
  #couldHaveMore({ asked }: Candidate, { ips, unsatisfied, ofNodes }: Decision): boolean {
    const [first] = ips;
    if (first === undefined || unsatisfied !== undefined || ofNodes || asked?.kind !== 'request')
      return false;
    const missing = asked.request.families.filter((of) => !ips.some((ip) => family(ip) === of));
    const home = missing.length > 0 ? this.assignments.poolOf(first) : undefined;
    return home?.addresses.some((prefix) => missing.includes(family(prefix))) ?? false;
  }

  #judge(one: Candidate, avoid: (ip: Ip) => boolean, { warnings, lost }: Adopted): Decision {
    const held = this.#nodes?.holds(one.key) ? this.#shownBy(one.key) : this.assignments.heldBy(one.key);
    const found = this.#find(one, held, avoid);
    if (found.kind === 'granted' && !sameIps(found.ips, held)) {
      this.assignments.hold(one, found.node ? [] : found.ips);
      this.#cameFree ||= held.some((ip) => !found.ips.includes(ip));
      this.#promised.set(one.key, { ips: found.ips, over: one.shown });
    }
    if (found.kind === 'granted' && found.node) this.#nodes?.hold(one);
    else if (found.kind === 'granted') this.#nodes?.release(one.key);
    const ips = found.kind === 'granted' ? found.ips : held;
    const ofNodes = this.#nodes?.holds(one.key) === true;
    const pool = ofNodes ? this.#nodes?.pool : ips[0] && this.assignments.poolOf(ips[0]);
    return {
      ips,
      pool: ips.length === 0 ? undefined : (pool?.name ?? one.given?.pool),
      enforce: pool === undefined ? one.given?.enforce === true : termsOf(pool).enforce,
      ofNodes,
      unsatisfied: found.kind === 'refused' ? found.unsatisfied : undefined,
      warnings,
      lost: lost.length === 0 ? lost : lost.filter(({ ip }) => !ips.includes(ip)),
    };
  }

  #find(
    one: Candidate,
    held: readonly Ip[],
    avoid: (ip: Ip) => boolean,
  ): Grant & { readonly node?: boolean } {
    const { asked } = one;
    if (asked === undefined) throw new Error(`${one.key} is not ours to serve`);
    if (asked.kind === 'invalid') return { kind: 'refused', unsatisfied: asked.unsatisfied };
    const { request } = asked;
    const nodes = this.#nodes;
    if (nodes === undefined || request.addresses.length > 0 || barredFrom(nodes.pool, one.service)) {
      return grant(one, request, this.#pools, this.assignments, avoid);
    }
    const here = nodes.holds(one.key);
    if (request.pool === nodes.pool.name || (here && request.pool === undefined)) {
      return { ...nodes.grant(one, here ? held : []), node: true };
    }
    if (request.pool !== undefined || held.length > 0 || !termsOf(nodes.pool).autoAssign) {
      return grant(one, request, this.#pools, this.assignments, avoid);
    }
    // In its place among the pools: those before it first, then the nodes, then those behind.
    const at = this.#pools.indexOf(nodes.pool);
    const first = grant(one, request, this.#pools.slice(0, at), this.assignments, avoid);
    if (first.kind === 'granted') return first;
    const here2 = nodes.grant(one, []);
    if (here2.kind === 'granted') return { ...here2, node: true };
    const last = grant(one, request, this.#pools.slice(at + 1), this.assignments, avoid);
    return last.kind === 'granted' ? last : here2;
  }

  /** The addresses that somebody in the queue asks for by name. */
  #named(queue: readonly Candidate[]): (ip: Ip) => boolean {
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

function namedBy({ asked }: Candidate): readonly Ip[] {
  return asked?.kind === 'request' ? asked.request.addresses : none;
}
const noDoubt: Adopted = { warnings: [], lost: [] };

/** Nothing that the assignments look at differs. By identity: what was not read anew is the same. */
function sameClaim(a: Candidate, b: Candidate): boolean {
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
