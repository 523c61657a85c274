import type { DesiredTable, KernelState } from '../model/desired.ts';
import type { Announce, Gateway } from '../model/gateway.ts';
import { type Family, family, type Ip, onlyIp } from '../model/ip.ts';
import { type Key, keyOf } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import {
  type Announcement,
  type AnnounceStates,
  announcer,
  announceStates,
  mayAnnounce,
} from './announcements.ts';
import { isEipObject, routeKey } from './eip-routes.ts';

export interface AnnounceTableInputs {
  readonly gateway: Gateway;
  readonly announce: Announce;
  readonly owner: Owner;
  readonly desired: DesiredTable;
}

/** The entries of an announced EIP. */
interface Announced {
  /** Of its own route. */
  readonly key: Key;
  readonly entries: readonly Key[];
}

const families: readonly Family[] = [4, 6];

/**
 * The announce table, kept up to date by what changed. {@link announcements} is its specification.
 *
 * An EIP is looked at when its route was written or withdrawn, while its route is not in the kernel yet, when a dump has
 * found other objects, and when another set of deletes is held.
 */
export class AnnounceTable {
  readonly #gateway: Gateway;
  readonly #announce: Announce;
  readonly #desired: DesiredTable;
  readonly #entriesOf: (eip: Ip) => readonly Announcement[];
  readonly #announced = new Map<Ip, Announced>();
  /** EIPs whose desired routes are not in the kernel. */
  readonly #waiting = new Set<Ip>();
  /** How many announced EIPs want each entry. */
  readonly #uses = new Map<Key, number>();
  #states: AnnounceStates = { 4: 'no LAN', 6: 'no LAN' };
  #objects: unknown;
  #refusals = -1;

  constructor({ gateway, announce, owner, desired }: AnnounceTableInputs) {
    this.#gateway = gateway;
    this.#announce = announce;
    this.#desired = desired;
    this.#entriesOf = announcer(gateway, announce, owner);
  }

  /** As of the last update. */
  get states(): AnnounceStates {
    return this.#states;
  }

  /** How many entries are desired. */
  get size(): number {
    return this.#uses.size;
  }

  /** How many EIPs of a family are announced; a walk over all. */
  count(of: Family): number {
    let count = 0;
    for (const eip of this.#announced.keys()) if (family(eip) === of) count += 1;
    return count;
  }

  /**
   * @param written EIPs whose routes were written or withdrawn since the last update; 'all': any may have been
   * @returns whether an EIP waits for the kernel to have its route
   */
  update(kernel: KernelState, isDraining: boolean, written: Iterable<Ip> | 'all'): boolean {
    const before = this.#states;
    const { links } = kernel;
    this.#states = announceStates({ gateway: this.#gateway, announce: this.#announce, links, isDraining });
    const isAny = written === 'all' || families.some((of) => before[of] !== this.#states[of]);
    for (const eip of isAny ? this.#known() : written) this.#look(eip, kernel);
    // What is announced was in the kernel when it was looked at; a dump may have found it gone.
    if (this.#objects !== kernel.objects)
      for (const [eip, { key }] of this.#announced) if (!kernel.objects.has(key)) this.#look(eip, kernel);
    if (isAny || this.#refusals !== kernel.refusals) this.#readStuck(kernel);
    for (const eip of this.#waiting) this.#look(eip, kernel);
    this.#objects = kernel.objects;
    this.#refusals = kernel.refusals;
    return this.#waiting.size > 0;
  }

  /** Routes whose delete is held, or is not any more. */
  #readStuck(kernel: KernelState): void {
    for (const key of kernel.stuck) {
      const route = kernel.objects.get(key);
      const eip = route?.kind === 'route' ? onlyIp(route.dst) : undefined;
      if (eip !== undefined) this.#look(eip, kernel);
    }
    for (const [eip, { key }] of this.#announced)
      if (this.#desired.get(key) === undefined) this.#look(eip, kernel);
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
    const isOpen = this.#states[family(eip)] === 'announced';
    const isThere = mayAnnounce(key, isDesired, kernel);
    if (isOpen && isDesired && !isThere) this.#waiting.add(eip);
    else this.#waiting.delete(eip);
    if (isOpen && isThere) this.#enter(eip, key);
    else this.#leave(eip);
  }

  #enter(eip: Ip, key: Key): void {
    if (this.#announced.has(eip)) return;
    const entries = this.#entriesOf(eip).map(({ route, why }) => {
      const entry = keyOf(route);
      const uses = this.#uses.get(entry) ?? 0;
      this.#uses.set(entry, uses + 1);
      if (uses === 0) this.#desired.set(route, why, entry);
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
