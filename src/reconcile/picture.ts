import type { Listing, Neighbour } from '../model/listing.ts';
import { type Change, equal, type KernelObject, type Key, keyOf, type Link } from '../model/object.ts';
import type { Wanted } from '../model/want.ts';

/**
 * What we believe to be in the kernel: the last listing, kept current by the kernel's answers to our own
 * writes. Every new look replaces it.
 */
export class Picture implements Listing {
  /** As listed, and shared with whoever listed it. */
  readonly #listed: ReadonlyMap<Key, KernelObject>;
  /** Our own copy, from the first change on: most looks are followed by none. */
  #changed: Map<Key, KernelObject> | undefined;
  readonly foreignIds: ReadonlySet<number>;
  readonly links: readonly Link[];
  readonly neighbours: readonly Neighbour[];
  readonly formerSysctls: Map<string, string>;
  /** How many of the objects are sysctls: they come and go only with a new look. */
  readonly sysctls: number;
  /**
   * What was last compared with this picture, and what of it did not stand. The rest still stands: nothing is
   * taken out of a picture but what is not wanted any more.
   */
  met: { readonly want: readonly Wanted[]; readonly unmet: ReadonlySet<Wanted> } | undefined;

  /** @param before the picture that this one replaces */
  constructor(listing: Listing, before?: Picture) {
    this.#listed = listing.objects;
    this.foreignIds = listing.foreignIds;
    this.links = listing.links;
    this.neighbours = listing.neighbours;
    this.formerSysctls = new Map(listing.formerSysctls);
    let sysctls = 0;
    for (const { kind } of listing.objects.values()) if (kind === 'sysctl') sysctls += 1;
    this.sysctls = sysctls;
    // What was compared with the very same objects still holds.
    if (before?.objects === listing.objects) this.met = before.met;
  }

  get objects(): ReadonlyMap<Key, KernelObject> {
    return this.#changed ?? this.#listed;
  }

  /** The kernel has acknowledged the change. */
  acknowledge(change: Change): void {
    const object = change.verb === 'delete' ? change.have : change.want;
    const key = keyOf(object);
    this.#changed ??= new Map(this.#listed);
    if (object.kind === 'sysctl') this.#acknowledgeSysctl(this.#changed, change, key);
    else if (change.verb === 'delete') this.#changed.delete(key);
    else this.#changed.set(key, object);
  }

  #acknowledgeSysctl(objects: Map<Key, KernelObject>, change: Change, key: Key): void {
    if (change.verb !== 'delete') {
      if (change.want.kind !== 'sysctl') return;
      const before = objects.get(key);
      if (before?.kind === 'sysctl' && !this.formerSysctls.has(before.name)) {
        this.formerSysctls.set(before.name, before.value);
      }
      objects.set(key, change.want);
      return;
    }
    if (change.have.kind !== 'sysctl') return;
    const { name } = change.have;
    const former = this.formerSysctls.get(name);
    this.formerSysctls.delete(name);
    if (former !== undefined) objects.set(key, { kind: 'sysctl', name, value: former });
  }

  /** Keys of what we believed in and a new listing shows otherwise: somebody else was at work. */
  disturbed(listing: Listing): readonly Key[] {
    const keys: Key[] = [];
    // A kernel port that finds all as it was may hand out the same map again.
    if (listing.objects === this.objects) return keys;
    for (const [key, object] of this.objects) {
      const now = listing.objects.get(key);
      if (now === undefined || !equal(now, object)) keys.push(key);
    }
    return keys;
  }
}
