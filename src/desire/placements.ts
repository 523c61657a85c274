import type { DesiredTable } from '../model/desired.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Owner } from '../model/owner.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Carrier } from './carriers.ts';
import { eipRoute, keptWhy, routeKey, routeWhy } from './eip-routes.ts';
import type { Group } from './group.ts';
import type { GroupTable } from './group-table.ts';
import type { KernelView } from './kernel-view.ts';
import type { PathTable } from './path-table.ts';
import type { UsableSet, UsableSets } from './usable-sets.ts';

export interface PlacementsInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  readonly kernel: KernelView;
  readonly paths: PathTable;
  readonly sets: UsableSets;
  readonly groups: GroupTable;
  readonly desired: DesiredTable;
}

/** Which group each routed EIP is in, and with it the EIP's route. Notes what an update has to look at. */
export class Placements {
  /** Groups whose EIPs, or whose content, an update has changed. */
  readonly dirty = new Set<Group>();
  /** EIPs that need a group, each with the carriers that it keeps when its own are refused. */
  readonly pending = new Map<Ip, readonly Carrier[] | undefined>();
  #written = new Set<Ip>();
  readonly #table: number;
  readonly #owner: Owner;
  readonly #kernel: KernelView;
  readonly #paths: PathTable;
  readonly #sets: UsableSets;
  readonly #groups: GroupTable;
  readonly #desired: DesiredTable;
  readonly #setOf = new Map<Ip, CarrierSet>();
  readonly #groupOf = new Map<Ip, Group>();
  /** EIPs that no node can take now, without a route that could stay. */
  readonly #unplaced = new Set<Ip>();

  constructor({ gateway, owner, kernel, paths, sets, groups, desired }: PlacementsInputs) {
    this.#table = gateway.table;
    this.#owner = owner;
    this.#kernel = kernel;
    this.#paths = paths;
    this.#sets = sets;
    this.#groups = groups;
    this.#desired = desired;
  }

  /** The EIPs whose routes were written or withdrawn since the last call. */
  takeWritten(): ReadonlySet<Ip> {
    const written = this.#written;
    if (written.size > 0) this.#written = new Set();
    return written;
  }

  setOf(eip: Ip): CarrierSet | undefined {
    return this.#setOf.get(eip);
  }

  /** undefined: the EIP is not routed, or needs a group. */
  groupOf(eip: Ip): Group | undefined {
    return this.#groupOf.get(eip);
  }

  /** The EIP is routed to the carriers of a set. It stays in its group until that is settled. */
  route(eip: Ip, set: CarrierSet): void {
    const before = this.#setOf.get(eip);
    const group = this.#groupOf.get(eip);
    if (before === set) {
      if (group !== undefined) this.write(eip, group);
      return;
    }
    this.#setOf.set(eip, set);
    const usable = this.#sets.join(set);
    if (group !== undefined && before !== undefined) {
      this.#untally(group, before);
      this.#tally(group, set, usable);
      this.dirty.add(group);
      this.write(eip, group);
    } else {
      // Its route may be there: from before this table, or because its delete was held.
      const present = this.#presentGroup(eip);
      if (present !== undefined) this.attach(eip, present);
      else this.pending.set(eip, undefined);
    }
    if (before !== undefined) this.#sets.leave(before);
  }

  /** The EIP is routed no more. */
  withdraw(eip: Ip): void {
    const set = this.#setOf.get(eip);
    if (set === undefined) return;
    this.#unplaced.delete(eip);
    this.pending.delete(eip);
    this.#detach(eip);
    this.#sets.leave(set);
    this.#setOf.delete(eip);
    this.#delete(eip);
  }

  /** Other carriers of the set are usable now. */
  reconsider(set: CarrierSet, { groups }: UsableSet): void {
    for (const group of groups) this.dirty.add(group);
    // An EIP without an accepted node may have one now.
    if (this.#unplaced.size === 0) return;
    for (const eip of set.eips) if (this.#unplaced.delete(eip)) this.pending.set(eip, undefined);
  }

  attach(eip: Ip, group: Group): void {
    const set = this.#setOf.get(eip);
    const usable = set && this.#sets.get(set);
    if (set === undefined || usable === undefined) return;
    this.#groupOf.set(eip, group);
    this.#unplaced.delete(eip);
    group.eips.add(eip);
    group.leaving.delete(eip);
    this.#tally(group, set, usable);
    this.dirty.add(group);
    this.write(eip, group);
  }

  /**
   * The EIP leaves its group for another one.
   *
   * @param kept the carriers that the EIP stays with when the kernel refuses all of its own
   */
  evict(eip: Ip, group: Group, kept?: readonly Carrier[]): void {
    this.#detach(eip);
    group.leaving.add(eip);
    this.pending.set(eip, kept);
  }

  /** The kernel refuses all nodes of an EIP: its route stays as it is, when it has one. */
  keep(eip: Ip): void {
    const group = this.#presentGroup(eip);
    if (group === undefined) {
      this.#unplaced.add(eip);
      this.#delete(eip);
    } else this.attach(eip, group);
  }

  /** The kernel refuses all nodes of the EIP. */
  isRefused(eip: Ip): boolean {
    const set = this.#setOf.get(eip);
    return set !== undefined && this.#sets.get(set)?.carriers.length === 0;
  }

  /** Writes the route of an EIP. */
  write(eip: Ip, group: Group): void {
    const path = this.#paths.path(eip);
    if (path === undefined || !this.#setOf.has(eip)) return;
    const key = routeKey(eip, this.#table);
    const known = this.#desired.get(key);
    const why = this.isRefused(eip) ? { ...routeWhy(path), text: keptWhy.text } : routeWhy(path);
    const sameWhy = known?.why.text === why.text && sameNames(known.why.services, why.services);
    const sameRoute = known?.object.kind === 'route' && known.object.nhid === group.id;
    this.#written.add(eip);
    this.#desired.set(
      sameRoute ? known.object : eipRoute(eip, group.id, this.#table, this.#owner),
      sameWhy ? known.why : why,
      key,
    );
  }

  #delete(eip: Ip): void {
    this.#written.add(eip);
    this.#desired.delete(routeKey(eip, this.#table));
  }

  /** The group that the EIP's route in the kernel leads to. */
  #presentGroup(eip: Ip): Group | undefined {
    const nhid = this.#kernel.route(eip)?.nhid;
    return nhid === undefined ? undefined : (this.#groups.get(nhid) ?? this.#groups.adopt(nhid));
  }

  #detach(eip: Ip): void {
    const group = this.#groupOf.get(eip);
    const set = this.#setOf.get(eip);
    if (group === undefined) return;
    this.#groupOf.delete(eip);
    group.eips.delete(eip);
    this.dirty.add(group);
    if (set !== undefined) this.#untally(group, set);
  }

  #tally(group: Group, set: CarrierSet, { groups }: UsableSet): void {
    group.sets.set(set, (group.sets.get(set) ?? 0) + 1);
    groups.add(group);
  }

  #untally(group: Group, set: CarrierSet): void {
    const count = (group.sets.get(set) ?? 0) - 1;
    if (count > 0) {
      group.sets.set(set, count);
      return;
    }
    group.sets.delete(set);
    this.#sets.get(set)?.groups.delete(group);
  }
}

function sameNames(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
