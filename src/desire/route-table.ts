import type { DesiredTable, KernelState, Remainder } from '../model/desired.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { Standing } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Group } from './group.ts';
import { GroupTable } from './group-table.ts';
import { KernelView } from './kernel-view.ts';
import type { NamedEip } from './named-eip.ts';
import { NexthopTable } from './nexthop-table.ts';
import type { PathChanges, PathTable } from './path-table.ts';
import { Placements } from './placements.ts';
import { Regrouping } from './regrouping.ts';
import { Reservations } from './reservations.ts';
import type { Reserved } from './reserved.ts';
import { UsableSets } from './usable-sets.ts';

export interface RouteTableInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  readonly lan: Link;
  readonly paths: PathTable;
  readonly desired: DesiredTable;
  readonly reserved: Reserved;
  readonly standings: ReadonlyMap<Ip, Standing>;
}

/**
 * The routes of the EIPs, their nexthop groups and nexthops, kept up to date by what changed. The full recompute of
 * {@link eipRoutes} is its specification: after every update the two want the same, up to the choice of new ids.
 *
 * This file reads what has changed, in the cluster and in the kernel. {@link Placements} has the group of each EIP, and
 * notes which groups and EIPs an update has to look at; {@link Regrouping} settles these at its end.
 */
export class RouteTable {
  readonly #paths: PathTable;
  readonly #kernel: KernelView;
  readonly #nexthops: NexthopTable;
  readonly #sets: UsableSets;
  readonly #groups: GroupTable;
  readonly #placements: Placements;
  readonly #regrouping: Regrouping;
  readonly #reservations: Reservations;
  #refusals: number;
  #dumps: number;
  #problems: { readonly parts: readonly (readonly Problem[])[]; readonly all: readonly Problem[] };

  /** Adopts the ids of objects in the kernel that this table will desire. */
  constructor(
    { gateway, owner, lan, paths, desired, reserved, standings }: RouteTableInputs,
    state: KernelState,
  ) {
    const kernel = new KernelView(state, gateway.table, owner);
    const nexthops = new NexthopTable({
      gateway,
      owner,
      lan,
      desired,
      kernel,
      standings,
      groups: gateway.resilience === undefined ? 'plain' : 'resilient',
    });
    const sets = new UsableSets(nexthops);
    const groups = new GroupTable({ gateway, owner, kernel, nexthops, desired });
    const placements = new Placements({ gateway, owner, kernel, sets, groups, desired });
    this.#paths = paths;
    this.#kernel = kernel;
    this.#nexthops = nexthops;
    this.#sets = sets;
    this.#groups = groups;
    this.#placements = placements;
    this.#regrouping = new Regrouping({ kernel, sets, groups, placements });
    this.#reservations = new Reservations(reserved);
    this.#dumps = state.dumps;
    this.#refusals = state.refusals;
    this.#problems = { parts: [], all: [] };
    for (const named of paths.allNamed()) {
      // A table of former times, which this one replaces, may have routed it.
      named.placement = undefined;
      this.#readEip(named);
    }
    this.#settle();
  }

  /**
   * @param changes since the last update, or since the table was made
   */
  update(
    changes: PathChanges,
    reserved: Reserved,
    kernel: KernelState,
    standings: ReadonlyMap<Ip, Standing>,
  ): Remainder {
    this.#kernel.state = kernel;
    this.#nexthops.begin(standings);
    if (this.#refusals !== kernel.refusals) this.#avoidStuck();
    for (const eip of this.#reservations.replace(reserved)) {
      const named = this.#paths.named(eip);
      if (named !== undefined) this.#readEip(named);
    }
    for (const named of changes.eips) this.#readEip(named);
    for (const set of changes.sets) {
      this.#readSet(set);
      this.#leaveStuck(set);
    }
    this.#readNexthops();
    if (this.#dumps !== kernel.dumps) {
      this.#leaveForeignIds();
      this.#nexthops.forgetGone();
      this.#groups.forgetGone();
    }
    this.#dumps = kernel.dumps;
    this.#regrouping.resume();
    return this.#settle();
  }

  /** See {@link NexthopTable.retiring}. */
  get retiring(): ReadonlySet<number> {
    return this.#nexthops.retiring;
  }

  /** The EIPs whose routes were written or withdrawn since the last call; one may occur twice. */
  takeWritten(): readonly Ip[] {
    return this.#placements.takeWritten();
  }

  /** The ids of the nexthop groups that were written since the last call. */
  takeWrittenGroups(): ReadonlySet<number> {
    return this.#groups.takeWritten();
  }

  /** Where all EIPs of a group go depends on their endpoints alone. */
  goesByEndpoints(groupId: number): boolean {
    const { eips } = this.#groups.get(groupId) ?? {};
    if (eips === undefined) return false;
    // The first EIP under Cluster ends it: a set of a hundred thousand is not copied.
    for (const { named } of eips) if (!this.#paths.goesByEndpoints(named.eip)) return false;
    return true;
  }

  /** The same array as long as nothing about them changes. */
  get problems(): readonly Problem[] {
    const parts = [this.#reservations.problems, this.#nexthops.problems];
    if (parts.some((part, i) => part !== this.#problems.parts[i]))
      this.#problems = { parts, all: parts.flat() };
    return this.#problems.all;
  }

  #settle(): Remainder {
    const remaining = this.#regrouping.settle();
    this.#nexthops.releaseIdle();
    return this.#nexthops.isWaiting ? 'objects' : remaining;
  }

  // What changed in the cluster.

  /** The path of an EIP has changed, or who else has its address. */
  #readEip(named: NamedEip): void {
    const { eip, set } = named;
    const goesSomewhere = set !== undefined && set.carriers.length > 0;
    if (!goesSomewhere) this.#reservations.forget(eip);
    const isRouted = goesSomewhere && this.#isAllowed(eip);
    if (isRouted) this.#placements.route(named, set);
    const { placement } = named;
    if (placement === undefined) return;
    if (!isRouted) {
      this.#regrouping.forget(placement);
      this.#placements.withdraw(placement);
      return;
    }
    const { group } = placement;
    if (group !== undefined && this.#kernel.isStuck(group) && this.#paths.goesByEndpoints(eip))
      this.#placements.evict(placement, group);
  }

  /** The address belongs to nothing else, or is routed already. */
  #isAllowed(eip: Ip): boolean {
    if (this.#reservations.isFree(eip)) return true;
    const path = this.#paths.path(eip);
    const isRouted = (): boolean => this.#kernel.route(eip) !== undefined;
    return path !== undefined && this.#reservations.allows(path, isRouted);
  }

  /** The carriers of a set have changed, or those of them that the kernel accepts. */
  #readSet(set: CarrierSet): void {
    const usable = this.#sets.read(set);
    if (usable !== undefined) this.#placements.reconsider(usable);
  }

  /** As {@link #readEip}, of the EIPs of a set that has other carriers. */
  #leaveStuck(set: CarrierSet): void {
    // Under Cluster the endpoints alone decide nothing, and a set may have a hundred thousand EIPs.
    if (this.#paths.isEvery(set)) return;
    for (const group of this.#sets.get(set)?.groups ?? []) {
      if (!this.#kernel.isStuck(group)) continue;
      for (const { eip, placement } of set.eips) {
        if (placement?.group === group && this.#paths.goesByEndpoints(eip))
          this.#placements.evict(placement, group);
      }
    }
  }

  // What changed in the kernel.

  /** Reads the sets whose nodes the kernel accepts now, or accepts no more. */
  #readNexthops(): void {
    const { changed, refused } = this.#nexthops.read();
    this.#refusals = this.#kernel.state.refusals;
    if (changed.size > 0) for (const set of this.#sets.with(changed)) this.#readSet(set);
    if (refused.size === 0) return;
    for (const group of this.#groups.all()) {
      if (group.carriers.some(({ ip }) => refused.has(ip))) this.#revert(group);
    }
  }

  /** A group leads to a node that the kernel refuses now: its members in the kernel are used. */
  #revert(group: Group): void {
    const object = this.#kernel.group(group.id);
    const carriers = object && this.#nexthops.carriersOf(object);
    if (carriers !== undefined) this.#groups.fill(group, carriers);
    this.#placements.dirty.add(group);
    for (const placement of group.eips) {
      const { named, usable } = placement;
      // Where the group is there, EIPs that were to come to it may have another route, to which they can go back.
      const leaves =
        carriers === undefined ? usable.carriers.length === 0 : !this.#kernel.leads(named.eip, group);
      if (leaves) this.#placements.evict(placement, group);
    }
  }

  /** Ids that another program has taken since the last dump. */
  #leaveForeignIds(): void {
    for (const id of this.#kernel.state.foreignIds) {
      const group = this.#groups.get(id);
      if (group === undefined) continue;
      if (group.carriers.length === 0) {
        // What it was is known to the kernel alone.
        for (const placement of group.eips) this.#placements.evict(placement, group);
        continue;
      }
      this.#groups.renumber(group);
      for (const placement of group.eips) this.#placements.write(placement, group);
    }
    const moved = this.#nexthops.leaveForeignIds();
    if (moved.size === 0) return;
    for (const group of this.#groups.all()) {
      if (group.carriers.some(({ ip }) => moved.has(ip))) this.#groups.write(group);
    }
  }

  /**
   * A group that could not be changed in place still leads to its former nodes: EIPs whose routes do not lead to it
   * yet go to another group. When the kernel refused, or a list is missing that may name another EIP of the group, the
   * others follow. When the guard doubts that a node is gone, those follow whose endpoints have moved, and the others wait.
   */
  #avoidStuck(): void {
    for (const [key, reason] of this.#kernel.state.stuck) {
      if (!key.startsWith('nexthop ')) continue;
      const group = this.#groups.get(Number(key.slice('nexthop '.length)));
      if (group === undefined) continue;
      for (const placement of group.eips) {
        const { eip } = placement.named;
        if (reason !== 'held' || !this.#kernel.leads(eip, group) || this.#paths.goesByEndpoints(eip))
          this.#placements.evict(placement, group);
      }
    }
  }
}
