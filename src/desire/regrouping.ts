import type { Remainder } from '../model/desired.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Carrier } from './carriers.ts';
import { contentOf, type Group } from './group.ts';
import type { GroupTable } from './group-table.ts';
import type { KernelView } from './kernel-view.ts';
import type { Placement, Placements } from './placements.ts';
import type { UsableSet, UsableSets } from './usable-sets.ts';

export interface RegroupingInputs {
  readonly kernel: KernelView;
  readonly sets: UsableSets;
  readonly groups: GroupTable;
  readonly placements: Placements;
}

/** A content that EIPs of a group need. */
interface Wish {
  readonly carriers: readonly Carrier[];
  readonly sets: CarrierSet[];
  /** How many EIPs. */
  eips: number;
}

/**
 * Gives every EIP a group with its carriers, by as few messages as possible.
 *
 * A group whose EIPs all move to the same carriers is replaced in place: one message moves a hundred thousand EIPs.
 * When they part, the fewest move to another group, one message each, and the rest follows in place once they have
 * left. Two groups with the same carriers are merged afterwards.
 */
export class Regrouping {
  readonly #kernel: KernelView;
  readonly #sets: UsableSets;
  readonly #groups: GroupTable;
  readonly #placements: Placements;
  /** Groups whose content is to change once others have left, or that are to be merged. */
  readonly #deferred = new Set<Group>();

  constructor({ kernel, sets, groups, placements }: RegroupingInputs) {
    this.#kernel = kernel;
    this.#sets = sets;
    this.#groups = groups;
    this.#placements = placements;
  }

  /** Takes up what the last update has deferred. */
  resume(): void {
    for (const group of this.#deferred) this.#placements.dirty.add(group);
  }

  /** No group waits for an EIP that is withdrawn. */
  forget({ named: { eip } }: Placement): void {
    for (const group of this.#deferred) group.leaving.delete(eip);
  }

  /** @returns what was deferred until the kernel has the present desired objects */
  settle(): Remainder {
    const { dirty } = this.#placements;
    this.#deferred.clear();
    let isChanged = false;
    // The set grows on the way, by groups that an EIP leaves.
    for (const group of dirty) {
      if (this.#groups.has(group) && this.#settleGroup(group)) isChanged = true;
    }
    // A merge moves no packet: it waits until nothing else is to be done.
    const isEarly = isChanged || this.#placements.isAnyPending;
    for (const group of dirty) {
      if (group.isChanging || (this.#hasTwin(group) && (isEarly || !this.#merge(group))))
        this.#deferred.add(group);
    }
    const homes = new Map<UsableSet, Group>();
    this.#placements.takePending((placement, kept) => this.#place(placement, kept, homes));
    for (const group of dirty) {
      if (!this.#groups.has(group)) continue;
      if (group.eips.size === 0) this.#groups.release(group);
      else this.#groups.write(group);
    }
    dirty.clear();
    if (this.#deferred.size === 0) return 'nothing';
    for (const { isChanging } of this.#deferred) if (isChanging) return 'objects';
    return 'merges';
  }

  /** @returns whether its content has changed, or will once EIPs have left */
  #settleGroup(group: Group): boolean {
    group.isChanging = false;
    for (const eip of group.leaving) if (!this.#kernel.leads(eip, group)) group.leaving.delete(eip);
    if (group.eips.size === 0) return false;
    const wishes = this.#wishes(group);
    // What was found and is not known can be given to no other group: it stays for the EIPs that need it unchanged.
    if (group.isFixed || (group.carriers.length === 0 && wishes.has(group.content))) {
      for (const [content, { sets }] of wishes) if (content !== group.content) this.#part(group, sets);
      return false;
    }
    const [best] = [...wishes].sort(
      ([a, one], [b, two]) =>
        two.eips - one.eips || Number(b === group.content) - Number(a === group.content) || (a < b ? -1 : 1),
    );
    if (best === undefined) return false;
    const [content, { carriers }] = best;
    for (const [other, { sets }] of wishes) if (other !== content) this.#part(group, sets);
    if (content === group.content) return false;
    const twin = this.#groups.best(content, group);
    // A group that only loses a nexthop which goes takes no message of its own, and is merged afterwards.
    if (twin !== undefined && group.eips.size === 1 && !this.#groups.shrinksTo(content, group)) {
      this.#evictAll(group);
      return false;
    }
    // EIPs that leave must not be routed to nodes that cannot serve them.
    group.isChanging = group.leaving.size > 0;
    if (group.isChanging) return true;
    this.#groups.fill(group, carriers);
    this.#groups.write(group);
    return true;
  }

  /** The contents that the EIPs of a group need. EIPs without an accepted node need it unchanged. */
  #wishes(group: Group): Map<string, Wish> {
    const wishes = new Map<string, Wish>();
    for (const [set, eips] of group.sets) {
      const usable = this.#sets.get(set);
      const { content, carriers } = usable === undefined || usable.carriers.length === 0 ? group : usable;
      const wish = wishes.get(content) ?? { carriers, eips: 0, sets: [] };
      wish.eips += eips;
      wish.sets.push(set);
      wishes.set(content, wish);
    }
    return wishes;
  }

  /** The EIPs of some sets leave their group. */
  #part(group: Group, sets: readonly CarrierSet[]): void {
    for (const set of sets) {
      const kept = this.#sets.get(set)?.carriers.length === 0 ? group.carriers : undefined;
      const leave = (placement: Placement | undefined): void => {
        if (placement?.group === group && placement.usable.set === set)
          this.#placements.evict(placement, group, kept);
      };
      if (set.eips.size < group.eips.size) for (const { placement } of set.eips) leave(placement);
      else for (const placement of group.eips) leave(placement);
    }
  }

  /** Another group has the same carriers. */
  #hasTwin(group: Group): boolean {
    return group.eips.size > 0 && !group.isFixed && this.#groups.count(group.content) > 1;
  }

  /**
   * The fewer EIPs of two groups of the same content move to the other one.
   *
   * @returns false: not yet, since one of the two is still being changed
   */
  #merge(group: Group): boolean {
    const twin = this.#kernel.isStuck(group) ? undefined : this.#groups.best(group.content, group);
    if (twin === undefined || !(this.#groups.isInstalled(group) && this.#groups.isInstalled(twin)))
      return false;
    const isSmaller =
      group.eips.size < twin.eips.size || (group.eips.size === twin.eips.size && group.id > twin.id);
    this.#evictAll(isSmaller ? group : twin);
    return true;
  }

  #evictAll(group: Group): void {
    for (const placement of group.eips) this.#placements.evict(placement, group);
  }

  /**
   * @param kept the carriers that the EIP stays with when the kernel refuses all of its own
   * @param homes where others of a set went before it: the group that most use has one more since
   */
  #place(placement: Placement, kept: readonly Carrier[] | undefined, homes: Map<UsableSet, Group>): void {
    const { usable } = placement;
    if (usable.carriers.length === 0) {
      if (kept === undefined) this.#placements.keep(placement);
      else this.#placements.attach(placement, this.#home(contentOf(kept), kept));
      return;
    }
    // A set of a hundred nodes is neither spelt out nor looked up for each of its EIPs.
    let home = homes.get(usable);
    if (home === undefined) {
      home = this.#home(usable.content, usable.carriers);
      homes.set(usable, home);
    }
    this.#placements.attach(placement, home);
  }

  /** The group for EIPs that need these carriers. */
  #home(content: string, carriers: readonly Carrier[]): Group {
    const group =
      this.#groups.best(content) ?? this.#groups.adoptTwin(content) ?? this.#groups.create(carriers);
    // The other one may be adopted, or stuck, or about to change.
    if (this.#groups.count(content) > 1) this.#deferred.add(group);
    return group;
  }
}
