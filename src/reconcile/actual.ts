import type { KernelState } from '../model/desired.ts';
import type { Ip } from '../model/ip.ts';
import type { Listing, Neighbour } from '../model/listing.ts';
import { type Change, changeObject, type KernelObject, type Key, type Link } from '../model/object.ts';
import { equal } from '../model/same-object.ts';
import { OverlayMap } from './overlay-map.ts';
import type { Failed, PlannedChange } from './report.ts';

/**
 * The known state of the kernel: the last dump, our acknowledged writes since then, and the refused changes.
 */
export class Actual implements KernelState {
  #objects: OverlayMap<Key, KernelObject>;
  #former: Map<string, string>;
  #listing: Pick<Listing, 'foreignIds' | 'lookedUp' | 'links' | 'neighbours'>;
  #refused = new Map<Key, Failed>();
  #stuck: KernelState['stuck'] = new Map();
  #dumps = 1;
  #refusals = 1;
  #carrying = 0;
  /** How many nexthops lead to each address: two, while one with another id takes the place of the first. */
  readonly #nexthops = new Map<Ip, number>();

  constructor(listing: Listing) {
    this.#objects = new OverlayMap(listing.objects);
    this.#former = new Map(listing.formerSysctls);
    this.#listing = listing;
    this.#count();
  }

  get objects(): ReadonlyMap<Key, KernelObject> {
    return this.#objects;
  }

  get foreignIds(): ReadonlySet<number> {
    return this.#listing.foreignIds;
  }

  get lookedUp(): ReadonlySet<number> {
    return this.#listing.lookedUp;
  }

  get links(): readonly Link[] {
    return this.#listing.links;
  }

  get neighbours(): readonly Neighbour[] {
    return this.#listing.neighbours;
  }

  get formerSysctls(): ReadonlyMap<string, string> {
    return this.#former;
  }

  get refused(): ReadonlyMap<Key, Failed> {
    return this.#refused;
  }

  get stuck(): KernelState['stuck'] {
    return this.#stuck;
  }

  get dumps(): number {
    return this.#dumps;
  }

  get refusals(): number {
    return this.#refusals;
  }

  /** How many routes lead to a nexthop object. */
  get carrying(): number {
    return this.#carrying;
  }

  /** How many addresses nexthops lead to. */
  get nexthops(): number {
    return this.#nexthops.size;
  }

  /**
   * Replaces the known state by a new dump.
   *
   * @returns the keys of objects that differ from the known state, and of objects that it did not have
   */
  refresh(listing: Listing): { readonly changed: ReadonlySet<Key>; readonly appeared: ReadonlySet<Key> } {
    const before = this.#objects;
    this.#listing = listing;
    this.#former = new Map(listing.formerSysctls);
    this.#dumps += 1;
    const changed = new Set<Key>();
    const appeared = new Set<Key>();
    // A kernel port may return the same map again when nothing has changed.
    if (before.base === listing.objects && before.isPlain) return { changed, appeared };
    this.#objects = new OverlayMap(listing.objects);
    for (const [key, object] of before) {
      const now = listing.objects.get(key);
      if (now === undefined || !equal(now, object)) changed.add(key);
    }
    for (const key of listing.objects.keys()) if (!before.has(key)) appeared.add(key);
    this.#count();
    return { changed, appeared };
  }

  /** The interfaces were read anew; everything else stays known as it was. */
  setLinks(links: readonly Link[]): void {
    this.#listing = { ...this.#listing, links };
  }

  /** The kernel has acknowledged the change. */
  acknowledge(change: Change & Pick<PlannedChange, 'key'>): void {
    const { key } = change;
    const object = changeObject(change);
    if (object.kind === 'sysctl') this.#acknowledgeSysctl(change, key);
    else if (change.verb === 'delete') this.#objects.delete(key);
    else this.#objects.set(key, object);
    if (change.verb !== 'add') this.#tally(change.have, -1);
    if (change.verb !== 'delete') this.#tally(change.want, 1);
  }

  refuse(key: Key, failed: Failed): void {
    this.#refused.set(key, failed);
    this.#refusals += 1;
  }

  /** @param solved undefined: all of them */
  forgetRefused(solved: (key: Key, failed: Failed) => boolean = () => true): void {
    for (const [key, failed] of this.#refused) {
      if (!solved(key, failed)) continue;
      this.#refused.delete(key);
      this.#refusals += 1;
    }
  }

  /** @returns whether they have changed */
  setStuck(stuck: KernelState['stuck']): boolean {
    const isSame = [...stuck].every(([key, why]) => this.#stuck.get(key) === why);
    if (isSame && stuck.size === this.#stuck.size) return false;
    this.#stuck = stuck;
    this.#refusals += 1;
    return true;
  }

  #acknowledgeSysctl(change: Change, key: Key): void {
    const before = this.#objects.get(key);
    if (change.verb !== 'delete') {
      if (change.want.kind !== 'sysctl') return;
      if (before?.kind === 'sysctl' && !this.#former.has(before.name))
        this.#former.set(before.name, before.value);
      this.#objects.set(key, change.want);
      return;
    }
    if (change.have.kind !== 'sysctl') return;
    const { name } = change.have;
    const former = this.#former.get(name);
    this.#former.delete(name);
    if (former !== undefined) this.#objects.set(key, { kind: 'sysctl', name, value: former });
  }

  #count(): void {
    this.#carrying = 0;
    this.#nexthops.clear();
    for (const object of this.#objects.values()) this.#tally(object, 1);
  }

  #tally(object: KernelObject, step: 1 | -1): void {
    if (object.kind === 'nexthop') {
      const count = (this.#nexthops.get(object.via) ?? 0) + step;
      if (count > 0) this.#nexthops.set(object.via, count);
      else this.#nexthops.delete(object.via);
    }
    if (object.kind === 'route' && object.nhid !== undefined) this.#carrying += step;
  }
}
