import type { DesiredTable } from '../model/desired.ts';
import type { Gateway } from '../model/gateway.ts';
import { hostPrefix, type Ip, type Prefix } from '../model/ip.ts';
import type { Key } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Carrier } from './carriers.ts';
import { eipRoute, keptWhy, routeKey, routeWhy } from './eip-routes.ts';
import type { Group } from './group.ts';
import type { GroupTable } from './group-table.ts';
import type { KernelView } from './kernel-view.ts';
import type { Linked } from './linked-list.ts';
import type { NamedEip } from './named-eip.ts';
import type { UsableSet, UsableSets } from './usable-sets.ts';

export interface PlacementsInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  readonly kernel: KernelView;
  readonly sets: UsableSets;
  readonly groups: GroupTable;
  readonly desired: DesiredTable;
}

/** One routed EIP, linked with the others of its group. */
export interface Placement extends Linked<Placement> {
  readonly named: NamedEip;
  /** The key of its route. */
  readonly key: Key;
  readonly dst: Prefix;
  /** Of the set whose carriers it is routed to. */
  usable: UsableSet;
  /** undefined: it needs a group, or no node can take it. */
  group: Group | undefined;
  /** Whether it needs a group; or no node can take it now, and it has no route that could stay. */
  state: 'settled' | 'unplaced' | Pending;
}

/** An EIP needs a group. */
interface Pending {
  /** The carriers that it keeps when its own are refused. */
  readonly kept: readonly Carrier[] | undefined;
}

const keepsNone: Pending = { kept: undefined };

/** Which group each routed EIP is in, and with it the EIP's route. Notes what an update has to look at. */
export class Placements {
  /** Groups whose EIPs, or whose content, an update has changed. */
  readonly dirty = new Set<Group>();
  #written: Ip[] = [];
  readonly #table: number;
  readonly #owner: Owner;
  readonly #kernel: KernelView;
  readonly #sets: UsableSets;
  readonly #groups: GroupTable;
  readonly #desired: DesiredTable;
  /** EIPs that need a group, in the order in which they began to; and some that no longer do. */
  #pending: Placement[] = [];
  /** How many are unplaced. */
  #unplaced = 0;

  constructor({ gateway, owner, kernel, sets, groups, desired }: PlacementsInputs) {
    this.#table = gateway.table;
    this.#owner = owner;
    this.#kernel = kernel;
    this.#sets = sets;
    this.#groups = groups;
    this.#desired = desired;
  }

  /** The EIPs whose routes were written or withdrawn since the last call; one may occur twice. */
  takeWritten(): readonly Ip[] {
    const written = this.#written;
    if (written.length > 0) this.#written = [];
    return written;
  }

  /** The EIP is routed to the carriers of a set. It stays in its group until that is settled. */
  route(named: NamedEip, set: CarrierSet): void {
    const { eip, placement: known } = named;
    if (known === undefined) {
      const dst = hostPrefix(eip);
      const key = routeKey(eip, this.#table, dst);
      const usable = this.#sets.join(set);
      const placement: Placement = {
        named,
        key,
        dst,
        usable,
        group: undefined,
        state: 'settled',
        previous: undefined,
        next: undefined,
      };
      named.placement = placement;
      this.#find(placement);
      return;
    }
    const { group, usable: before } = known;
    if (before.set === set) {
      if (group !== undefined) this.write(known, group);
      return;
    }
    known.usable = this.#sets.join(set);
    if (group !== undefined) {
      this.#untally(group, before);
      this.#tally(group, known.usable);
      this.dirty.add(group);
      this.write(known, group);
    } else this.#find(known);
    this.#sets.leave(before.set);
  }

  /** The EIP is no longer routed. */
  withdraw(placement: Placement): void {
    this.#become(placement, 'settled');
    this.#detach(placement);
    this.#sets.leave(placement.usable.set);
    placement.named.placement = undefined;
    this.#delete(placement);
  }

  /** Other carriers of the set are usable now. */
  reconsider({ set, groups }: UsableSet): void {
    for (const group of groups) this.dirty.add(group);
    // An EIP without an accepted node may have one now.
    if (this.#unplaced === 0) return;
    for (const { placement } of set.eips)
      if (placement?.state === 'unplaced') this.#become(placement, keepsNone);
  }

  /** Whether an EIP needs a group. */
  get isAnyPending(): boolean {
    return this.#pending.some(({ state }) => typeof state === 'object');
  }

  /** @param place called for each EIP that needs a group, with the carriers that it keeps when its own are refused */
  takePending(place: (placement: Placement, kept: readonly Carrier[] | undefined) => void): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const placement of pending) {
      const { state } = placement;
      if (typeof state === 'string') continue;
      placement.state = 'settled';
      place(placement, state.kept);
    }
  }

  attach(placement: Placement, group: Group): void {
    const { named, usable } = placement;
    placement.group = group;
    this.#become(placement, 'settled');
    group.eips.add(placement);
    group.leaving.delete(named.eip);
    this.#tally(group, usable);
    this.dirty.add(group);
    this.write(placement, group);
  }

  /**
   * The EIP leaves its group for another one.
   *
   * @param kept the carriers that the EIP stays with when the kernel refuses all of its own
   */
  evict(placement: Placement, group: Group, kept?: readonly Carrier[]): void {
    this.#detach(placement);
    group.leaving.add(placement.named.eip);
    this.#become(placement, { kept });
  }

  /** The kernel refuses all nodes of an EIP: its route stays as it is, when it has one. */
  keep(placement: Placement): void {
    const group = this.#presentGroup(placement);
    if (group !== undefined) this.attach(placement, group);
    else this.#leaveUnplaced(placement);
  }

  /** Its route may be in the kernel: from before this table, or because its delete was held. */
  #find(placement: Placement): void {
    const present = this.#presentGroup(placement);
    if (present !== undefined) this.attach(placement, present);
    else if (placement.usable.carriers.length > 0) this.#become(placement, keepsNone);
    // Its nodes are not tried yet, or all refused.
    else this.#leaveUnplaced(placement);
  }

  #leaveUnplaced(placement: Placement): void {
    this.#become(placement, 'unplaced');
    this.#delete(placement);
  }

  #become(placement: Placement, state: Placement['state']): void {
    const before = placement.state;
    if (before === 'unplaced') this.#unplaced -= 1;
    if (state === 'unplaced') this.#unplaced += 1;
    if (typeof state === 'object' && typeof before === 'string') this.#pending.push(placement);
    placement.state = state;
  }

  /** Writes the route of an EIP. */
  write({ named, key, dst, usable }: Placement, group: Group): void {
    const { eip } = named;
    const isRefused = usable.carriers.length === 0;
    const why = isRefused ? { ...routeWhy(named), text: keptWhy.text } : routeWhy(named);
    this.#written.push(eip);
    this.#desired.set(eipRoute(eip, group.id, this.#table, this.#owner, dst), why, key);
  }

  #delete({ named, key }: Placement): void {
    if (this.#desired.get(key) === undefined) return;
    this.#written.push(named.eip);
    this.#desired.delete(key);
  }

  /** The group that the EIP's route in the kernel leads to. */
  #presentGroup({ named, key }: Placement): Group | undefined {
    const nhid = this.#kernel.route(named.eip, key)?.nhid;
    return nhid === undefined ? undefined : (this.#groups.get(nhid) ?? this.#groups.adopt(nhid));
  }

  #detach(placement: Placement): void {
    const { group, usable } = placement;
    if (group === undefined) return;
    placement.group = undefined;
    group.eips.delete(placement);
    this.dirty.add(group);
    this.#untally(group, usable);
  }

  #tally(group: Group, { set, groups }: UsableSet): void {
    group.sets.set(set, (group.sets.get(set) ?? 0) + 1);
    groups.add(group);
  }

  #untally(group: Group, { set, groups }: UsableSet): void {
    const count = (group.sets.get(set) ?? 0) - 1;
    if (count > 0) {
      group.sets.set(set, count);
      return;
    }
    group.sets.delete(set);
    groups.delete(group);
  }
}
