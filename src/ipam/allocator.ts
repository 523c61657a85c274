import type { Outcome } from '../cluster/writer.ts';
import type { Allocation } from '../model/allocation.ts';
import { clusterOf, type Service } from '../model/cluster.ts';
import type { Pool } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { termsOf } from '../model/pool.ts';
import { Assignments, type Claim } from './assignments.ts';
import type { Book } from './book.ts';
import { byWaiting, type Candidate, candidateOf, isSame, namedBy, statusOf } from './candidate.ts';
import { converge, type Rules } from './converge.ts';
import type { Decision } from './decision.ts';
import type { Task } from './due.ts';
import { inOrder } from './grant.ts';
import { mayKeep } from './keep.ts';
import { type NodeAddresses, NodePorts } from './nodes.ts';
import { OwnWrites } from './own-writes.ts';
import { sameIps } from './same-ips.ts';
import { poolTopic, type Topic, Waiters } from './waiters.ts';

/** What decides beside the Services themselves. */
export interface Terms {
  readonly pools: readonly Pool[];
  readonly allocation: Allocation;
  /** Addresses in other use, which no Service may have, and by what: `node n1` */
  readonly reserved: ReadonlyMap<Ip, string>;
  /** Those of them that an object of the cluster claims: a Service that was given one before keeps it. Absent: none. */
  readonly claimed?: ReadonlySet<Ip>;
  readonly nodeAddresses: NodeAddresses;
}

export interface AllocatorOptions {
  /** The former allocator, which had other terms or another book: its decisions and writes remain valid. */
  readonly before?: Allocator | undefined;
  /** Absent: all clusters are known. */
  readonly book?: Book;
}

/**
 * Keeps a decision for each Service of ours. {@link observe} takes in what the cluster shows, {@link converge} decides
 * about one Service; both name the Services that have to be converged next. Decisions follow from the Services alone,
 * in any order of observation: those that have an address keep it, and those that wait are served before
 * new ones, the longest waiting first.
 */
export class Allocator {
  readonly assignments: Assignments;
  readonly #terms: Terms;
  readonly #book: Book | undefined;
  readonly #rules: Rules;
  readonly #nodes: NodePorts | undefined;
  readonly #add: (key: string) => void;
  readonly #candidates = new Map<string, Candidate>();
  readonly #decisions: Map<string, Decision>;
  readonly #unsatisfied: Set<string>;
  readonly #waiters = new Waiters();
  readonly #writes: OwnWrites;

  /**
   * @param add queues a Service to be converged
   */
  constructor(terms: Terms, add: (key: string) => void, { before, book }: AllocatorOptions = {}) {
    this.#terms = terms;
    this.#add = add;
    this.#book = book;
    this.assignments = new Assignments(terms.pools, terms);
    const nodePool = terms.pools.find((pool) => termsOf(pool).nodeAddresses);
    this.#nodes = nodePool && new NodePorts(nodePool, terms.nodeAddresses);
    this.#rules = {
      pools: inOrder(terms.pools),
      nodes: this.#nodes,
      avoid: (ip) => this.#waiters.for(ip).size > 0,
      awaited: book?.awaited ?? [],
    };
    this.#writes = before === undefined ? new OwnWrites() : before.#writes;
    const taken = before !== undefined && before.#book === book ? undefined : book?.taken;
    const isTaken = (key: string): boolean => taken?.has(clusterOf(key)) === true;
    const isKept = (key: string): boolean => this.#decidesFor(clusterOf(key)) && !isTaken(key);
    this.#writes.forgetAll(isTaken);
    this.#decisions = new Map([...(before?.decisions ?? [])].filter(([key]) => isKept(key)));
    this.#unsatisfied = new Set([...(before?.unsatisfied ?? [])].filter(isKept));
  }

  /** Of the Services of ours. */
  get decisions(): ReadonlyMap<string, Decision> {
    return this.#decisions;
  }

  /** Keys of the Services of ours that do not have what they ask for. */
  get unsatisfied(): ReadonlySet<string> {
    return this.#unsatisfied;
  }

  /** Every address with its holders and its pool; those that no pool covers any more are left out. */
  *assigned(): Generator<readonly [ip: Ip, keys: readonly string[], pool: string]> {
    for (const [ip, holders] of this.assignments.entries()) {
      const pool = this.assignments.poolOf(ip);
      if (pool) yield [ip, holders.map(({ key }) => key), pool.name];
    }
    const nodes = this.#nodes;
    for (const [key, { ips, ofNodes }] of nodes ? this.#decisions : []) {
      if (nodes && ofNodes) for (const ip of ips) yield [ip, [key], nodes.pool.name];
    }
  }

  candidate(key: string): Candidate | undefined {
    return this.#candidates.get(key);
  }

  /**
   * Takes in Services as the cluster shows them.
   *
   * @param gone keys of deleted Services
   */
  observe(services: readonly Service[], gone: readonly string[]): void {
    const changed: Ip[] = [];
    for (const key of gone) {
      this.#writes.forget(key);
      this.#drop(key, changed);
    }
    const touched: Candidate[] = [];
    for (const service of services) this.#observe(service, touched, changed);
    if (touched.length > 1) touched.sort(byWaiting);
    for (const { key } of touched) this.#add(key);
    this.#affect(changed);
  }

  /** Decides about one Service. @returns undefined when it is not ours to serve, or not now */
  converge(key: string): Decision | undefined {
    const candidate = this.#candidates.get(key);
    if (candidate?.role !== 'ours') return undefined;
    if (!this.#decidesFor(candidate.service.cluster)) return undefined;
    const before = this.#decisions.get(key);
    const decision = converge(candidate, before, this.assignments, this.#rules);
    this.#decisions.set(key, decision);
    if (decision.unsatisfied === undefined) this.#unsatisfied.delete(key);
    else this.#unsatisfied.add(key);
    this.#waiters.set(key, topicsOf(candidate, decision));
    const has = before ?? { ips: statusOf(candidate), ofNodes: false };
    if (has.ofNodes !== decision.ofNodes || !sameIps(has.ips, decision.ips)) {
      this.#affect(this.#claim(candidate), key);
    }
    return decision;
  }

  /** A write begins: until its end is known, its addresses are this Service's. @returns what ends it */
  begin(service: Service, task: Task): (outcome: Outcome) => void {
    const before = this.#writes.of(service);
    const key = service.key;
    const decision = this.#decisions.get(key);
    this.#writes.begin(service, task);
    this.#refresh(key);
    return (outcome) => this.#writes.end(service, task, decision, outcome, before);
  }

  /** What is known of the status of a Service has changed: a write of ours has ended. */
  ended(key: string): void {
    if (this.#candidates.has(key) || this.#decisions.has(key)) this.#refresh(key);
    else this.#writes.forget(key);
  }

  /** The status of this Service may hold addresses that are in no decision: another write confirms it. */
  isUnconfirmed(service: Service): boolean {
    const own = this.#writes.of(service);
    if (own === undefined) return false;
    const ips = this.#decisions.get(service.key)?.ips;
    if (ips === undefined) return own.ips.length + own.unconfirmed.length > 0;
    return [...own.ips, ...own.unconfirmed].some((ip) => !ips.includes(ip));
  }

  /** The addresses that our last write left in a Service's status; undefined: we did not write to it. */
  wrote(service: Service): readonly Ip[] | undefined {
    return this.#writes.of(service)?.ips;
  }

  /** The status shows other addresses than our last write left there, or that kube-proxy is to leave them alone. */
  isOverwritten(service: Service): boolean {
    const own = this.#writes.of(service);
    if (own === undefined || own.unconfirmed.length > 0) return false;
    return !sameIps(own.ips, service.ingress) || (own.proxied === undefined && service.proxied !== undefined);
  }

  #decidesFor(cluster: string | undefined): boolean {
    return this.#book?.open.has(cluster) ?? true;
  }

  #observe(service: Service, touched: Candidate[], changed: Ip[]): void {
    const key = service.key;
    const now = candidateOf(service, this.#terms.allocation, this.#writes.of(service));
    const before = this.#candidates.get(key);
    if (now === undefined) {
      this.#drop(key, changed);
      return;
    }
    // The same string object in all maps: a lookup then does not compare characters.
    this.#candidates.set(now.key, now);
    if (before !== undefined && isSame(before, now) && !this.#nodes) return;
    if (before !== undefined && before.service.uid !== service.uid) this.#forget(key);
    if (now.role !== 'ours') this.#forget(key);
    if (now.role === 'bystander') this.#writes.forget(key);
    changed.push(...this.#claim(now));
    const named = namedBy(now);
    if (named.length > 0) this.#waiters.set(now.key, [...new Set([...this.#waiters.of(key), ...named])]);
    touched.push(now);
  }

  #drop(key: string, changed: Ip[]): void {
    const before = this.#candidates.get(key);
    this.#forget(key);
    if (before === undefined) return;
    this.#candidates.delete(key);
    changed.push(...this.assignments.release(key));
    this.#releasePorts(key);
  }

  #forget(key: string): void {
    this.#decisions.delete(key);
    this.#unsatisfied.delete(key);
    this.#waiters.set(key, []);
  }

  #refresh(key: string): void {
    const before = this.#candidates.get(key);
    if (before === undefined) return;
    const now = candidateOf(before.service, this.#terms.allocation, this.#writes.of(before.service));
    if (now === undefined) {
      const changed: Ip[] = [];
      this.#drop(key, changed);
      this.#affect(changed);
      return;
    }
    this.#candidates.set(key, now);
    this.#affect(this.#claim(now));
  }

  /** @returns the addresses that others hold or show now */
  #claim(candidate: Candidate): readonly Ip[] {
    const decided = this.#decisions.get(candidate.key);
    const nodes = this.#nodes;
    if (nodes !== undefined && candidate.role === 'ours') {
      if (decided?.ofNodes ?? candidate.allocated?.pool === nodes.pool.name) {
        for (const key of nodes.assign(candidate)) this.#add(key);
        this.#serveNodes(nodes);
        return this.assignments.release(candidate.key);
      }
      this.#releasePorts(candidate.key);
    }
    const claims = claimsOf(candidate, decided, this.assignments);
    const isAwaited = this.#book?.awaited.includes(candidate.service.cluster) === true;
    return this.assignments.assign(candidate, isAwaited ? claims.map(remembered) : claims);
  }

  #releasePorts(key: string): void {
    const nodes = this.#nodes;
    if (nodes === undefined || !nodes.has(key)) return;
    for (const other of nodes.release(key)) this.#add(other);
    this.#serveNodes(nodes);
  }

  /** Ports may have come free. */
  #serveNodes({ pool }: NodePorts): void {
    for (const { key } of this.#longestWaiting([poolTopic(pool.name)])) this.#add(key);
  }

  /** Queues the Services that a change of these addresses' holders affects, and assigns what came free. */
  #affect(changed: readonly Ip[], by?: string): void {
    if (changed.length === 0) return;
    const free: Ip[] = [];
    const topics = new Set<Topic>();
    for (const ip of changed) {
      for (const { key } of this.assignments.claimants(ip)) if (key !== by) this.#add(key);
      for (const key of this.#waiters.for(ip)) this.#add(key);
      const isFree = this.assignments.isFree(ip);
      const shared = this.assignments.holders(ip).some(({ sharing }) => sharing.key !== undefined);
      const pool = isFree || shared ? this.assignments.poolOf(ip) : undefined;
      if (pool === undefined) continue;
      if (isFree) {
        free.push(ip);
        topics.add(ip).add(poolTopic(pool.name));
      } else {
        const waiting = this.#longestWaiting([poolTopic(pool.name)]);
        for (const { key, sharing } of waiting) if (sharing.key !== undefined) this.#add(key);
      }
    }
    if (free.length === 0) return;
    // At once, and not in their turn: a new Service may be in the queue before them.
    for (const { key } of this.#longestWaiting(topics)) {
      // The others wait on as they are: thousands may wait for one address.
      if (!free.some((ip) => this.assignments.isFree(ip))) return;
      this.converge(key);
      this.#add(key);
    }
  }

  #longestWaiting(topics: Iterable<Topic>): readonly Candidate[] {
    const keys = new Set<string>();
    for (const topic of topics) for (const key of this.#waiters.for(topic)) keys.add(key);
    if (keys.size === 0) return [];
    return [...keys]
      .map((key) => this.#candidates.get(key))
      .filter((one) => one !== undefined)
      .sort(byWaiting);
  }
}

/** Decides about all Services of a cluster at once, as at a start. */
export function allocate(terms: Terms, services: readonly Service[]): Allocator {
  const queued = new Set<string>();
  const allocator = new Allocator(terms, (key) => queued.add(key));
  allocator.observe(services, []);
  for (const key of queued) {
    queued.delete(key);
    allocator.converge(key);
  }
  return allocator;
}

function topicsOf(candidate: Candidate, { unsatisfied, waitsFor }: Decision): readonly Topic[] {
  if (unsatisfied === undefined) return waitsFor;
  const named = namedBy(candidate);
  return named.length === 0 ? waitsFor : [...new Set([...waitsFor, ...named])];
}

/**
 * The claims of a Service: the addresses of its decision, those that its status shows or may show, and those in its
 * spec.
 */
function claimsOf(
  candidate: Candidate,
  decided: Decision | undefined,
  assignments: Assignments,
): readonly Claim[] {
  const { role, service, own, allocated } = candidate;
  const claims = new Map<Ip, Claim>();
  const add = (ip: Ip, strength: Claim['strength']): void => {
    if (!claims.has(ip)) claims.set(ip, { ip, strength });
  };
  const decidedIps = role === 'ours' ? (decided?.ips ?? none) : none;
  for (const ip of decidedIps) add(ip, mayKeep(candidate, ip, assignments) ? 'given' : 'cleared');
  const moves = decidedIps.length > 0 || role === 'former';
  for (const ip of own?.ips ?? none) {
    if (moves || !mayKeep(candidate, ip, assignments)) add(ip, 'cleared');
    else add(ip, allocated?.ips.includes(ip) === true ? 'given' : 'shown');
  }
  for (const ip of own?.unconfirmed ?? none) add(ip, moves ? 'cleared' : 'given');
  if (service.type === 'LoadBalancer') {
    for (const ip of service.ingress) {
      const gave = own === undefined && (role === 'leaving' || allocated?.ips.includes(ip) === true);
      const keeps = mayKeep(candidate, ip, assignments);
      // The status of another implementation is not ours to clear: addresses that it may not have do not count.
      if (!keeps && role === 'bystander') continue;
      add(ip, moves || !keeps ? 'cleared' : gave ? 'given' : 'shown');
    }
  }
  if (role === 'bystander' || role === 'former') {
    for (const ip of service.externalIps) if (mayKeep(candidate, ip, assignments)) add(ip, 'claimed');
  }
  return [...claims.values()];
}

/**
 * The address may have been returned since, and given to another Service: the claim keeps it from being free, and
 * displaces no holder.
 */
function remembered({ ip, strength }: Claim): Claim {
  return { ip, strength: strength === 'given' || strength === 'shown' ? 'remembered' : strength };
}

const none: readonly Ip[] = [];
