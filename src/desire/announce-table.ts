import type { DesiredTable, KernelState } from '../model/desired.ts';
import type { Announce, Gateway } from '../model/gateway.ts';
import { type Family, families, family, type Ip, onlyIp } from '../model/ip.ts';
import { type Key, keyOf, type Link, nftKey } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import { standbyFilterName } from '../model/standby-filter.ts';
import type { Uniqueness } from '../model/uniqueness.ts';
import {
  type Announcer,
  type AnnounceStates,
  announcer,
  announceStates,
  mayAnnounce,
  presence,
  proxyStates,
  segmentOf,
  standbyFilters,
  standbyWhy,
} from './announcements.ts';
import { isEipObject, routeKey } from './eip-routes.ts';
import type { ProxyState } from './standby-filter.ts';

export interface AnnounceTableInputs {
  readonly gateway: Gateway;
  readonly announce: Announce;
  readonly owner: Owner;
  readonly desired: DesiredTable;
  readonly uniqueness: Uniqueness;
}

/** The entries of an announced EIP. */
interface Announced {
  /** Of its own route. */
  readonly key: Key;
  readonly entries: readonly Key[];
}

/**
 * What is announced, kept up to date by what changed: routes of the announce table, and proxy neighbours.
 * {@link announcements} is its specification.
 *
 * An EIP is looked at when its route was written or withdrawn, while its route is not in the kernel yet, when a dump has
 * found other objects, when another set of deletes is held, and when somebody has claimed it or does so no more.
 */
export class AnnounceTable {
  readonly #gateway: Gateway;
  readonly #announce: Announce;
  readonly #desired: DesiredTable;
  readonly #announcer: Announcer;
  readonly #uniqueness: Uniqueness;
  readonly #announced = new Map<Ip, Announced>();
  /** EIPs whose desired routes are not in the kernel. */
  readonly #waiting = new Set<Ip>();
  /** How many announced EIPs want each entry. */
  readonly #uses = new Map<Key, number>();
  /** EIPs with a desired route that layer 2 announces, or will once this gateway is the active one. */
  readonly #answered = new Set<Ip>();
  /** Those that came to it or left it since they were last taken. */
  #turned = new Set<Ip>();
  /** Those that would be announced, had nobody else claimed them, and had the nodes been heard. */
  readonly #withheld = new Set<Ip>();
  #areNodesHeard = true;
  #segment: Link | undefined;
  #states: AnnounceStates = { 4: 'no LAN', 6: 'no LAN' };
  #proxies: Readonly<Record<Family, ProxyState>> = { 4: 'answered', 6: 'answered' };
  /** The tables that are desired. */
  readonly #filters = new Map<Family, Key>();
  #objects: unknown;
  #refusals = -1;

  constructor({ gateway, announce, owner, desired, uniqueness }: AnnounceTableInputs) {
    this.#gateway = gateway;
    this.#announce = announce;
    this.#desired = desired;
    this.#announcer = announcer(gateway, announce, owner);
    this.#uniqueness = uniqueness;
  }

  /** As of the last update. */
  get states(): AnnounceStates {
    return this.#states;
  }

  /** How many routes of the announce table are desired. */
  get routes(): number {
    return this.#uses.size - this.#desired.counts.neighbour;
  }

  /** How many EIPs of a family are announced; a walk over all. */
  count(of: Family): number {
    let count = 0;
    if (this.#states[of] !== 'announced') return count;
    for (const eip of this.#announced.keys()) if (family(eip) === of) count += 1;
    return count;
  }

  /** The interface on which this gateway answers for EIPs; undefined: none, or it is dead. */
  get segment(): Link | undefined {
    return this.#segment;
  }

  /**
   * EIPs whose routes are desired and whose pool is announced by layer 2, whether they are announced now or not: a
   * standby gateway must know already whether somebody else has them.
   */
  get answered(): ReadonlySet<Ip> {
    return this.#answered;
  }

  /** The families whose proxy neighbours the kernel keeps from answering. */
  filtered(kernel: Pick<KernelState, 'objects'> | undefined): ReadonlySet<Family> {
    const { protocol } = this.#gateway;
    const has = (of: Family): boolean =>
      kernel?.objects.has(nftKey(standbyFilterName(protocol, of))) ?? false;
    return new Set(families.filter(has));
  }

  /** Those that came to {@link answered} or left it since the last call. */
  takeTurned(): ReadonlySet<Ip> {
    const turned = this.#turned;
    this.#turned = new Set();
    return turned;
  }

  /**
   * @param written EIPs whose routes were written or withdrawn since the last update; 'all': any may have been
   * @returns whether an EIP waits for the kernel to have its route
   */
  update(
    kernel: KernelState,
    { isDraining, areNodesHeard }: { readonly isDraining: boolean; readonly areNodesHeard: boolean },
    written: Iterable<Ip> | 'all',
  ): boolean {
    const before = this.#states;
    const { links } = kernel;
    this.#states = announceStates({ gateway: this.#gateway, announce: this.#announce, links, isDraining });
    const proxiesBefore = this.#proxies;
    this.#readFilters(kernel);
    const segment = segmentOf(this.#announce, links);
    const isElsewhere = segment?.index !== this.#segment?.index;
    this.#segment = segment;
    if (isElsewhere) for (const eip of this.#answered) this.#leave(eip);
    const isOther = isElsewhere || areNodesHeard !== this.#areNodesHeard;
    this.#areNodesHeard = areNodesHeard;
    const isAny =
      written === 'all' ||
      isOther ||
      families.some((of) => before[of] !== this.#states[of] || proxiesBefore[of] !== this.#proxies[of]);
    for (const eip of this.#uniqueness.takeTurned()) this.#look(eip, kernel);
    for (const eip of isAny ? this.#known() : written) this.#look(eip, kernel);
    if (this.#objects !== kernel.objects) this.#readDump(kernel);
    if (isAny || this.#refusals !== kernel.refusals) this.#readStuck(kernel);
    for (const eip of this.#waiting) this.#look(eip, kernel);
    this.#objects = kernel.objects;
    this.#refusals = kernel.refusals;
    return this.#waiting.size > 0 || families.some((of) => this.#proxies[of] === 'being filtered');
  }

  #readFilters(kernel: KernelState): void {
    const tables = standbyFilters(this.#gateway, kernel.links, this.#states);
    this.#proxies = proxyStates(this.#states, tables, kernel);
    for (const of of families) {
      const table = tables[of];
      const key = this.#filters.get(of);
      if (table === undefined) {
        if (key !== undefined) this.#desired.delete(key);
        this.#filters.delete(of);
        continue;
      }
      this.#desired.set(table, standbyWhy);
      this.#filters.set(of, keyOf(table));
    }
  }

  /** What is announced was in the kernel when it was looked at; a dump may have found it gone, or there again. */
  #readDump(kernel: KernelState): void {
    const isGone = (key: Key): boolean => !kernel.objects.has(key);
    for (const [eip, { key, entries }] of this.#announced)
      if (isGone(key) || entries.some(isGone)) this.#look(eip, kernel);
    for (const eip of this.#answered) if (isGone(routeKey(eip, this.#gateway.table))) this.#look(eip, kernel);
    for (const eip of [...this.#withheld]) this.#look(eip, kernel);
  }

  /** Routes whose delete is held, or is not any more. */
  #readStuck(kernel: KernelState): void {
    for (const key of kernel.stuck.keys()) {
      const route = kernel.objects.get(key);
      const eip = route?.kind === 'route' ? onlyIp(route.dst) : undefined;
      if (eip !== undefined) this.#look(eip, kernel);
    }
    for (const [eip, { key }] of this.#announced)
      if (this.#desired.get(key) === undefined) this.#look(eip, kernel);
    for (const eip of this.#answered)
      if (this.#desired.get(routeKey(eip, this.#gateway.table)) === undefined) this.#look(eip, kernel);
  }

  /** EIPs that are announced or whose routes are desired. */
  #known(): ReadonlySet<Ip> {
    const eips = new Set<Ip>(this.#announced.keys());
    for (const { object } of this.#desired.values()) {
      const eip = object.kind === 'route' && isEipObject(object) ? onlyIp(object.dst) : undefined;
      if (eip !== undefined) eips.add(eip);
    }
    return eips;
  }

  #look(eip: Ip, kernel: KernelState): void {
    const key = this.#announced.get(eip)?.key ?? routeKey(eip, this.#gateway.table);
    const isDesired = this.#desired.get(key) !== undefined;
    const isThere = mayAnnounce(key, isDesired, kernel);
    const isProxied = this.#announcer.isAnswered(eip);
    const isOpen = isProxied
      ? this.#proxies[family(eip)] !== 'refused'
      : this.#states[family(eip)] === 'announced';
    if (isOpen && isDesired && !isThere) this.#waiting.add(eip);
    else this.#waiting.delete(eip);
    const isAnswered = (isDesired || isThere) && isProxied;
    if (isAnswered !== this.#answered.has(eip)) {
      this.#turned.add(eip);
      if (isAnswered) this.#answered.add(eip);
      else this.#answered.delete(eip);
    }
    this.#withheld.delete(eip);
    if (isOpen && isThere) this.#enter(eip, key, kernel);
    else this.#leave(eip);
  }

  #enter(eip: Ip, key: Key, kernel: KernelState): void {
    const found = this.#announcer.entriesOf(eip, this.#segment);
    const due = presence(eip, found, {
      kernel,
      uniqueness: this.#uniqueness,
      areNodesHeard: this.#areNodesHeard,
      state: this.#states[family(eip)],
      proxies: this.#proxies[family(eip)],
    });
    if (due === 'withheld') this.#withheld.add(eip);
    if (due !== 'present') {
      this.#leave(eip);
      return;
    }
    if (this.#announced.has(eip)) return;
    const entries = found.map(({ object, why }) => {
      const entry = keyOf(object);
      const uses = this.#uses.get(entry) ?? 0;
      this.#uses.set(entry, uses + 1);
      if (uses === 0) this.#desired.set(object, why, entry);
      return entry;
    });
    this.#announced.set(eip, { key, entries });
  }

  #leave(eip: Ip): void {
    const announced = this.#announced.get(eip);
    if (announced === undefined) return;
    this.#announced.delete(eip);
    for (const entry of announced.entries) {
      const uses = (this.#uses.get(entry) ?? 0) - 1;
      if (uses > 0) {
        this.#uses.set(entry, uses);
        continue;
      }
      this.#uses.delete(entry);
      this.#desired.delete(entry);
    }
  }
}
