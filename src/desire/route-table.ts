import type { DesiredTable, KernelState } from '../model/desired.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { equal, type Link, type Nexthop, type NexthopGroup, type Route } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import type { Carrier } from './carriers.ts';
import {
  eipClaimed,
  eipReserved,
  eipRoute,
  groupWhy,
  keptWhy,
  routeKey,
  routeWhy,
  standingRoute,
} from './eip-routes.ts';
import { sameBuckets } from './groups.ts';
import { IdRange } from './ids.ts';
import { NexthopTable } from './nexthop-table.ts';
import type { Path } from './path.ts';
import type { CarrierSet, PathChanges, PathTable } from './path-table.ts';
import { type Reserved, reservedFor } from './reserved.ts';

export interface RouteTableInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  readonly lan: Link;
  readonly paths: PathTable;
  readonly desired: DesiredTable;
  readonly reserved: Reserved;
  /** Addresses of nodes that do not answer. */
  readonly silent: ReadonlySet<Ip>;
}

/** A nexthop group, and the EIPs whose routes lead to it. */
interface Group {
  id: number;
  /** In the order of the addresses. Empty in a group that was found in the kernel and whose members are not known. */
  carriers: readonly Carrier[];
  /** Equal for the same carriers. */
  content: string;
  readonly eips: Set<Ip>;
  /** How many of the EIPs belong to which set. */
  readonly sets: Map<CarrierSet, number>;
  /** EIPs that were moved away and have to leave before the content may change. */
  readonly leaving: Set<Ip>;
  /** No EIP may join it: its content is about to change, or its EIPs are about to leave. */
  isChanging: boolean;
  /** Ids of the nexthops of a group that stays as the kernel has it. */
  strange: readonly number[];
}

/** A set of carriers without the ones that the kernel refuses. */
interface SetState {
  /** EIPs of the set that this table routes. */
  eips: number;
  /** The carriers that the nexthops were told of. */
  counted: readonly Carrier[];
  /** Without the nodes that the kernel refuses, in the order of the addresses; empty: none is left. */
  carriers: readonly Carrier[];
  content: string;
  readonly groups: Set<Group>;
}

/**
 * The routes of the EIPs, their nexthop groups and nexthops, kept up to date by what changed. The full recompute of
 * {@link eipRoutes} is its specification: after every update the two want the same, up to the choice of new ids.
 *
 * A group whose EIPs all move to the same carriers is replaced in place: one message moves a hundred thousand EIPs.
 * When they part, the fewest move to another group, one message each, and the rest follows in place once they have
 * left. Two groups with the same carriers are merged afterwards.
 */
export class RouteTable {
  readonly #gateway: Gateway;
  readonly #owner: Owner;
  readonly #paths: PathTable;
  readonly #desired: DesiredTable;
  readonly #groupIds: IdRange;
  readonly #nexthops: NexthopTable;
  readonly #groups = new Map<number, Group>();
  readonly #byContent = new Map<string, Set<Group>>();
  readonly #setOf = new Map<Ip, CarrierSet>();
  readonly #groupOf = new Map<Ip, Group>();
  readonly #sets = new Map<CarrierSet, SetState>();
  /** EIPs that no node can take now, without a route that could stay. */
  readonly #unplaced = new Set<Ip>();
  readonly #dirty = new Set<Group>();
  /** EIPs that need a group, each with the carriers that it keeps when its own are refused. */
  readonly #pending = new Map<Ip, readonly Carrier[] | undefined>();
  /** Groups whose content is to change once others have left, or that are to be merged. */
  readonly #deferred = new Set<Group>();
  readonly #reservedProblems = new Map<Ip, Problem>();
  /** Ids of unused groups in the kernel, by content. */
  readonly #foundGroups = new Map<string, number>();
  #reserved: Reserved;
  #refusals: number;
  #dumps: number;
  #kernel: KernelState;
  #problems: readonly Problem[] | undefined;
  #nexthopProblems: readonly Problem[] | undefined;
  /** Nexthops of groups that stay as they were found, by id, and in how many of these. */
  readonly #strangeHops = new Map<number, { readonly object: Nexthop; users: number }>();

  /** Adopts the ids of objects in the kernel that this table will desire. */
  constructor(
    { gateway, owner, lan, paths, desired, reserved, silent }: RouteTableInputs,
    kernel: KernelState,
  ) {
    this.#gateway = gateway;
    this.#owner = owner;
    this.#paths = paths;
    this.#desired = desired;
    this.#reserved = reserved;
    this.#nexthops = new NexthopTable({ owner, lan, desired, silent }, kernel);
    this.#groupIds = new IdRange(owner.groupIds);
    this.#kernel = kernel;
    this.#dumps = kernel.dumps;
    this.#refusals = kernel.refusals;
    this.#find();
    for (const { eip } of paths.paths()) this.#readEip(eip);
    this.#settle();
  }

  /** @returns whether another update in this round is needed */
  update(changes: PathChanges, reserved: Reserved, kernel: KernelState, silent: ReadonlySet<Ip>): boolean {
    this.#kernel = kernel;
    this.#nexthops.begin(kernel, silent);
    if (this.#refusals !== kernel.refusals) this.#avoidStuck();
    for (const eip of this.#changedReservations(reserved)) this.#readEip(eip);
    for (const eip of changes.eips) {
      this.#readEip(eip);
      const group = this.#groupOf.get(eip);
      if (group !== undefined && this.#isStuck(group) && this.#paths.goesByEndpoints(eip))
        this.#evict(eip, group, undefined);
    }
    for (const set of changes.sets) this.#readSet(set);
    this.#readNexthops();
    if (this.#dumps !== kernel.dumps) {
      this.#leaveForeignIds();
      this.#forgetGone();
    }
    this.#dumps = kernel.dumps;
    for (const group of this.#deferred) this.#dirty.add(group);
    return this.#settle();
  }

  /** Where all EIPs of a group go depends on their endpoints alone. */
  goesByEndpoints(groupId: number): boolean {
    const { eips } = this.#groups.get(groupId) ?? {};
    if (eips === undefined) return false;
    // The first EIP under Cluster ends it: a set of a hundred thousand is not copied.
    for (const eip of eips) if (!this.#paths.goesByEndpoints(eip)) return false;
    return true;
  }

  /** The same array as long as nothing about them changes. */
  get problems(): readonly Problem[] {
    const { problems } = this.#nexthops;
    if (this.#problems === undefined || this.#nexthopProblems !== problems) {
      this.#nexthopProblems = problems;
      this.#problems = [...this.#reservedProblems.values(), ...problems];
    }
    return this.#problems;
  }

  // Objects in the kernel, at the start.

  #find(): void {
    for (const object of this.#kernel.objects.values()) {
      // Linux does not change the number of buckets in place.
      if (object.kind !== 'group' || !sameBuckets(object.resilience, this.#gateway.resilience)) continue;
      const carriers = this.#nexthops.carriersOf(object);
      if (carriers === undefined) continue;
      const content = contentOf(carriers);
      const twin = this.#foundGroups.get(content);
      if (twin === undefined || object.id < twin) this.#foundGroups.set(content, object.id);
    }
  }

  // Changes of the cluster.

  #changedReservations(reserved: Reserved): readonly Ip[] {
    const before = this.#reserved;
    if (before === reserved) return [];
    this.#reserved = reserved;
    return [...new Set([...before.keys(), ...reserved.keys()])].filter(
      (ip) =>
        before.get(ip)?.name !== reserved.get(ip)?.name ||
        before.get(ip)?.isNode !== reserved.get(ip)?.isNode,
    );
  }

  #readEip(eip: Ip): void {
    const path = this.#paths.path(eip);
    const routed = this.#isFree(eip, path);
    const set = routed ? this.#paths.set(eip) : undefined;
    const before = this.#setOf.get(eip);
    const group = this.#groupOf.get(eip);
    if (before === set) {
      if (set !== undefined && group !== undefined) this.#writeRoute(eip, group);
      return;
    }
    if (set === undefined) {
      for (const one of this.#deferred) one.leaving.delete(eip);
      this.#unplaced.delete(eip);
      this.#pending.delete(eip);
      this.#detach(eip);
      if (before !== undefined) this.#uncount(before);
      this.#setOf.delete(eip);
      this.#desired.delete(routeKey(eip, this.#gateway.table));
      return;
    }
    this.#setOf.set(eip, set);
    const state = this.#count(set);
    if (group !== undefined && before !== undefined) {
      this.#untally(group, before);
      this.#tally(group, set, state);
      this.#dirty.add(group);
      this.#writeRoute(eip, group);
    } else {
      // Its route may be there: from before this table, or because its delete was held.
      const standing = this.#standingGroup(eip);
      if (standing !== undefined) this.#attach(eip, standing);
      else this.#pending.set(eip, undefined);
    }
    if (before !== undefined) this.#uncount(before);
  }

  /** Whether an EIP goes somewhere, and its address belongs to nothing else. */
  #isFree(eip: Ip, path: Path | undefined): boolean {
    const claimed = this.#reserved.get(eip);
    if (path === undefined || path.carriers.length === 0 || claimed === undefined) {
      if (this.#reservedProblems.delete(eip)) this.#problems = undefined;
      return path !== undefined && path.carriers.length > 0;
    }
    const isRouted = this.#standing(eip) !== undefined;
    const by = reservedFor(eip, this.#reserved, isRouted);
    this.#reservedProblems.set(eip, by === undefined ? eipClaimed(path, claimed) : eipReserved(path, by));
    this.#problems = undefined;
    return by === undefined;
  }

  /** The carriers of a set have changed, or those of them that the kernel accepts. */
  #readSet(set: CarrierSet): void {
    const state = this.#sets.get(set);
    if (state === undefined) return;
    if (state.counted !== set.carriers) {
      this.#nexthops.name(set.carriers);
      this.#nexthops.unname(state.counted);
      state.counted = set.carriers;
    }
    const carriers = this.#nexthops.usable(set.carriers);
    // The set stays unchanged until the kernel has answered for all new carriers: it must not lead to half of them.
    if (carriers === undefined) return;
    const content = contentOf(carriers);
    state.carriers = carriers;
    for (const { ip, node } of carriers) this.#nexthops.rename(ip, node);
    if (content === state.content) return;
    state.content = content;
    for (const group of state.groups) this.#dirty.add(group);
    // An EIP without an accepted node may have one now.
    if (this.#unplaced.size === 0) return;
    for (const eip of set.eips) if (this.#unplaced.delete(eip)) this.#pending.set(eip, undefined);
  }

  /** Updates the sets whose nodes the kernel accepts now, or accepts no more. */
  #readNexthops(): void {
    const { changed, refused } = this.#nexthops.read();
    this.#refusals = this.#kernel.refusals;
    if (changed.size > 0) {
      for (const [set, { counted }] of this.#sets)
        if (counted.some(({ ip }) => changed.has(ip))) this.#readSet(set);
    }
    if (refused.size === 0) return;
    for (const group of [...this.#groups.values()]) {
      if (group.carriers.some(({ ip }) => refused.has(ip))) this.#revert(group);
    }
  }

  /** A group leads to a node that the kernel refuses now: its members in the kernel are used. */
  #revert(group: Group): void {
    const object = this.#groupObject(group.id);
    const carriers = object && this.#nexthops.carriersOf(object);
    if (carriers !== undefined) this.#fill(group, carriers);
    this.#dirty.add(group);
    for (const eip of [...group.eips]) {
      // Where the group is there, EIPs that were to come to it may have another route, to which they can go back.
      const leaves = carriers === undefined ? this.#isRefused(eip) : !this.#leadsTo(eip, group);
      if (leaves) this.#evict(eip, group, undefined);
    }
  }

  /** The kernel refuses all nodes of the EIP. */
  #isRefused(eip: Ip): boolean {
    const set = this.#setOf.get(eip);
    return set !== undefined && this.#sets.get(set)?.carriers.length === 0;
  }

  #forgetGone(): void {
    const { objects } = this.#kernel;
    this.#nexthops.forgetGone();
    for (const [content, id] of this.#foundGroups) {
      if (!objects.has(`nexthop ${id}`)) this.#foundGroups.delete(content);
    }
  }

  /** Ids that another program has taken since the last dump. */
  #leaveForeignIds(): void {
    const kernel = this.#kernel;
    for (const id of kernel.foreignIds) {
      const group = this.#groups.get(id);
      if (group !== undefined) {
        this.#groups.delete(id);
        this.#desired.delete(`nexthop ${id}`);
        group.id = this.#groupIds.take(kernel);
        this.#groups.set(group.id, group);
        this.#writeGroup(group);
        for (const eip of group.eips) this.#writeRoute(eip, group);
      }
    }
    const moved = this.#nexthops.leaveForeignIds();
    if (moved.size === 0) return;
    for (const group of this.#groups.values()) {
      if (group.carriers.some(({ ip }) => moved.has(ip))) this.#writeGroup(group);
    }
  }

  /**
   * A group that could not be changed in place still leads to its former nodes: EIPs whose routes do not lead to it
   * yet go to another group. When it was the kernel that refused, the others follow; when it was the guard, those
   * follow whose endpoints have moved, and the others wait.
   */
  #avoidStuck(): void {
    const { stuck, refused } = this.#kernel;
    for (const key of stuck) {
      const group = this.#groups.get(Number(key.slice('nexthop '.length)));
      if (group === undefined) continue;
      for (const eip of [...group.eips]) {
        if (refused.has(key) || !this.#leadsTo(eip, group) || this.#paths.goesByEndpoints(eip))
          this.#evict(eip, group, undefined);
      }
    }
  }

  // Consequences for groups and routes.

  /** @returns whether changes were deferred until the kernel has the present desired objects */
  #settle(): boolean {
    this.#deferred.clear();
    for (const group of this.#dirty) {
      if (this.#groups.get(group.id) === group && this.#settleGroup(group)) this.#deferred.add(group);
    }
    for (const [eip, kept] of this.#pending) this.#place(eip, kept);
    this.#pending.clear();
    for (const group of this.#dirty) {
      if (this.#groups.get(group.id) !== group) continue;
      if (group.eips.size === 0) this.#release(group);
      else this.#writeGroup(group);
    }
    this.#dirty.clear();
    this.#nexthops.releaseIdle();
    for (const group of this.#deferred)
      if (this.#groups.get(group.id) !== group) this.#deferred.delete(group);
    return this.#deferred.size > 0 || this.#nexthops.isWaiting;
  }

  /** @returns true: more changes follow once the kernel has the present desired objects */
  #settleGroup(group: Group): boolean {
    group.isChanging = false;
    for (const eip of group.leaving) if (!this.#leadsTo(eip, group)) group.leaving.delete(eip);
    if (group.eips.size === 0) return false;
    const wishes = this.#wishes(group);
    const [best] = [...wishes].sort(
      ([a, one], [b, two]) =>
        two.eips - one.eips || Number(b === group.content) - Number(a === group.content) || (a < b ? -1 : 1),
    );
    if (best === undefined) return false;
    const [content, { carriers }] = best;
    for (const [other, { sets }] of wishes) if (other !== content) this.#part(group, sets);
    if (content === group.content) return this.#merge(group);
    const twin = this.#bestOf(content, group);
    if (twin !== undefined && group.eips.size === 1) {
      for (const eip of [...group.eips]) this.#evict(eip, group, undefined);
      return false;
    }
    // EIPs that leave must not be routed to nodes that cannot serve them.
    group.isChanging = group.leaving.size > 0;
    if (group.isChanging) return true;
    this.#fill(group, carriers);
    this.#writeGroup(group);
    return this.#merge(group);
  }

  /** The contents that the EIPs of a group need. EIPs without an accepted node need it unchanged. */
  #wishes(group: Group): Map<string, { carriers: readonly Carrier[]; eips: number; sets: CarrierSet[] }> {
    const wishes = new Map<string, { carriers: readonly Carrier[]; eips: number; sets: CarrierSet[] }>();
    for (const [set, eips] of group.sets) {
      const state = this.#sets.get(set);
      const wish = state === undefined || state.carriers.length === 0 ? group : state;
      const known = wishes.get(wish.content) ?? { carriers: wish.carriers, eips: 0, sets: [] };
      known.eips += eips;
      known.sets.push(set);
      wishes.set(wish.content, known);
    }
    return wishes;
  }

  /** The EIPs of some sets leave their group. */
  #part(group: Group, sets: readonly CarrierSet[]): void {
    for (const set of sets) {
      const kept = this.#sets.get(set)?.carriers.length === 0 ? group.carriers : undefined;
      const eips = set.eips.size < group.eips.size ? set.eips : group.eips;
      for (const eip of [...eips]) {
        if (this.#groupOf.get(eip) === group && this.#setOf.get(eip) === set) this.#evict(eip, group, kept);
      }
    }
  }

  /**
   * The fewer EIPs of two groups of the same content move to the other one.
   *
   * @returns true: not yet, since one of the two is still being changed
   */
  #merge(group: Group): boolean {
    if ((this.#byContent.get(group.content)?.size ?? 0) < 2) return false;
    const twin = this.#isStuck(group) ? undefined : this.#bestOf(group.content, group);
    if (twin === undefined || !(this.#isInstalled(group) && this.#isInstalled(twin))) return true;
    const isSmaller =
      group.eips.size < twin.eips.size || (group.eips.size === twin.eips.size && group.id > twin.id);
    const smaller = isSmaller ? group : twin;
    // Until the next pass its EIPs must find the larger one.
    smaller.isChanging = true;
    for (const eip of [...smaller.eips]) this.#evict(eip, smaller, undefined);
    return false;
  }

  /** The group with this content that most EIPs use, without those that could not be changed in place. */
  #bestOf(content: string, except?: Group): Group | undefined {
    let best: Group | undefined;
    for (const group of this.#byContent.get(content) ?? []) {
      if (group === except || group.isChanging || this.#isStuck(group)) continue;
      const better =
        best === undefined ||
        group.eips.size > best.eips.size ||
        (group.eips.size === best.eips.size && group.id < best.id);
      if (better) best = group;
    }
    return best;
  }

  /** @param kept the carriers that the EIP stays with when the kernel refuses all of its own */
  #place(eip: Ip, kept: readonly Carrier[] | undefined): void {
    const set = this.#setOf.get(eip);
    const state = set && this.#sets.get(set);
    if (state === undefined) return;
    const carriers = state.carriers.length > 0 ? state.carriers : kept;
    if (carriers === undefined) {
      this.#keep(eip);
      return;
    }
    const content = contentOf(carriers);
    let group = this.#bestOf(content) ?? this.#adoptTwin(content);
    if (group === undefined) {
      group = this.#newGroup(this.#groupIds.take(this.#kernel));
      this.#fill(group, carriers);
    }
    // The other one may be adopted, or stuck, or about to change.
    if ((this.#byContent.get(content)?.size ?? 0) > 1) this.#deferred.add(group);
    this.#attach(eip, group);
  }

  /** The kernel refuses all nodes of an EIP: its route stays as it is, when it has one. */
  #keep(eip: Ip): void {
    const group = this.#standingGroup(eip);
    if (group === undefined) {
      this.#unplaced.add(eip);
      this.#desired.delete(routeKey(eip, this.#gateway.table));
    } else this.#attach(eip, group);
  }

  /** The group that the EIP's route in the kernel leads to. */
  #standingGroup(eip: Ip): Group | undefined {
    const nhid = this.#standing(eip)?.nhid;
    return nhid === undefined ? undefined : (this.#groups.get(nhid) ?? this.#adopt(nhid));
  }

  /** A group with this content that the kernel has and no EIP uses. */
  #adoptTwin(content: string): Group | undefined {
    const id = this.#foundGroups.get(content);
    if (id === undefined || this.#groups.has(id) || this.#isStuckId(id)) return undefined;
    const object = this.#groupObject(id);
    const carriers = object && this.#nexthops.carriersOf(object);
    return carriers !== undefined && contentOf(carriers) === content ? this.#adopt(id) : undefined;
  }

  /** A group that the kernel has and this table has not. */
  #adopt(id: number): Group | undefined {
    const object = this.#groupObject(id);
    // Linux does not change the number of buckets in place.
    if (object === undefined || !sameBuckets(object.resilience, this.#gateway.resilience)) return undefined;
    this.#groupIds.use(id);
    const group = this.#newGroup(id);
    const carriers = this.#nexthops.carriersOf(object);
    if (carriers !== undefined) this.#fill(group, carriers);
    return group;
  }

  #attach(eip: Ip, group: Group): void {
    const set = this.#setOf.get(eip);
    const state = set && this.#sets.get(set);
    if (set === undefined || state === undefined) return;
    this.#groupOf.set(eip, group);
    group.eips.add(eip);
    group.leaving.delete(eip);
    this.#tally(group, set, state);
    this.#dirty.add(group);
    this.#writeRoute(eip, group);
  }

  /** The EIP leaves its group for another one. */
  #evict(eip: Ip, group: Group, kept: readonly Carrier[] | undefined): void {
    this.#detach(eip);
    group.leaving.add(eip);
    this.#pending.set(eip, kept);
  }

  #detach(eip: Ip): void {
    const group = this.#groupOf.get(eip);
    const set = this.#setOf.get(eip);
    if (group === undefined) return;
    this.#groupOf.delete(eip);
    group.eips.delete(eip);
    this.#dirty.add(group);
    if (set !== undefined) this.#untally(group, set);
  }

  #tally(group: Group, set: CarrierSet, state: SetState): void {
    group.sets.set(set, (group.sets.get(set) ?? 0) + 1);
    state.groups.add(group);
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

  #count(set: CarrierSet): SetState {
    let state = this.#sets.get(set);
    if (state === undefined) {
      this.#nexthops.name(set.carriers);
      const carriers = this.#nexthops.usable(set.carriers) ?? [];
      state = { eips: 0, counted: set.carriers, carriers, content: contentOf(carriers), groups: new Set() };
      this.#sets.set(set, state);
      for (const { ip, node } of carriers) this.#nexthops.rename(ip, node);
    }
    state.eips += 1;
    return state;
  }

  #uncount(set: CarrierSet): void {
    const state = this.#sets.get(set);
    if (state === undefined) return;
    state.eips -= 1;
    if (state.eips > 0) return;
    this.#sets.delete(set);
    this.#nexthops.unname(state.counted);
  }

  // Groups.

  /** A group whose members are not known yet, or are none of our nodes. */
  #newGroup(id: number): Group {
    const group: Group = {
      id,
      carriers: [],
      content: `unknown ${id}`,
      strange: [],
      eips: new Set(),
      sets: new Map(),
      leaving: new Set(),
      isChanging: false,
    };
    this.#groups.set(id, group);
    this.#dirty.add(group);
    return group;
  }

  #fill(group: Group, carriers: readonly Carrier[]): void {
    for (const carrier of carriers) this.#nexthops.use(carrier);
    this.#empty(group);
    group.carriers = carriers;
    group.content = contentOf(carriers);
    const twins = this.#byContent.get(group.content);
    if (twins) twins.add(group);
    else this.#byContent.set(group.content, new Set([group]));
  }

  #empty(group: Group): void {
    const twins = this.#byContent.get(group.content);
    twins?.delete(group);
    if (twins?.size === 0) this.#byContent.delete(group.content);
    for (const { ip } of group.carriers) this.#nexthops.leave(ip);
    for (const id of group.strange) this.#leaveStrangeHop(id);
    group.carriers = [];
    group.strange = [];
  }

  #release(group: Group): void {
    if (group.carriers.length > 0) this.#foundGroups.set(group.content, group.id);
    this.#empty(group);
    for (const set of group.sets.keys()) this.#sets.get(set)?.groups.delete(group);
    this.#groups.delete(group.id);
    this.#groupIds.release(group.id);
    this.#desired.delete(`nexthop ${group.id}`);
  }

  #leaveStrangeHop(id: number): void {
    const found = this.#strangeHops.get(id);
    if (found === undefined) return;
    found.users -= 1;
    if (found.users > 0) return;
    this.#strangeHops.delete(id);
    this.#desired.delete(`nexthop ${id}`);
  }

  #writeGroup(group: Group): void {
    if (group.carriers.length === 0) {
      this.#writeStrange(group);
      return;
    }
    const members = group.carriers.flatMap(({ ip, weight }) => {
      const id = this.#nexthops.idOf(ip);
      return id === undefined ? [] : [{ id, weight }];
    });
    const object: NexthopGroup = {
      kind: 'group',
      id: group.id,
      protocol: this.#owner.protocol,
      members,
      resilience: this.#gateway.resilience,
    };
    const known = this.#desired.get(`nexthop ${group.id}`);
    const [first] = group.eips;
    const why = groupWhy(group.eips.size, first);
    const same = known !== undefined && equal(known.object, object);
    this.#desired.set(same ? known.object : object, known?.why.text === why.text ? known.why : why);
  }

  /** A group whose members are none of our nodes stays as the kernel has it, with them. */
  #writeStrange(group: Group): void {
    const object = this.#groupObject(group.id);
    if (object === undefined || group.strange.length > 0) return;
    this.#desired.set(object, keptWhy);
    group.strange = object.members.map(({ id }) => id);
    for (const id of group.strange) {
      const hop = this.#kernel.objects.get(`nexthop ${id}`);
      const known = this.#strangeHops.get(id);
      if (known !== undefined) known.users += 1;
      else if (hop?.kind === 'nexthop') {
        this.#strangeHops.set(id, { object: hop, users: 1 });
        this.#desired.set(hop, keptWhy);
      }
    }
  }

  #writeRoute(eip: Ip, group: Group): void {
    const path = this.#paths.path(eip);
    const set = this.#setOf.get(eip);
    if (path === undefined || set === undefined) return;
    const { table } = this.#gateway;
    const key = routeKey(eip, table);
    const known = this.#desired.get(key);
    const isKept = this.#sets.get(set)?.carriers.length === 0;
    const why = isKept ? { ...routeWhy(path), text: keptWhy.text } : routeWhy(path);
    const sameWhy = known?.why.text === why.text && sameNames(known.why.services, why.services);
    const sameRoute = known?.object.kind === 'route' && known.object.nhid === group.id;
    this.#desired.set(
      sameRoute ? known.object : eipRoute(eip, group.id, table, this.#owner),
      sameWhy ? known.why : why,
      key,
    );
  }

  // Objects in the kernel.

  /** The group that the kernel has under this id. */
  #groupObject(id: number): NexthopGroup | undefined {
    const object = this.#kernel.objects.get(`nexthop ${id}`);
    return object?.kind === 'group' ? object : undefined;
  }

  #standing(eip: Ip): Route | undefined {
    return standingRoute({ eip }, this.#gateway.table, this.#owner, this.#kernel);
  }

  #leadsTo(eip: Ip, group: Group): boolean {
    return this.#standing(eip)?.nhid === group.id;
  }

  #isInstalled(group: Group): boolean {
    const key = `nexthop ${group.id}`;
    const object = this.#kernel.objects.get(key);
    const desired = this.#desired.get(key)?.object;
    return object !== undefined && desired !== undefined && equal(object, desired);
  }

  #isStuck({ id }: Group): boolean {
    return this.#isStuckId(id);
  }

  #isStuckId(id: number): boolean {
    return this.#kernel.stuck.has(`nexthop ${id}`);
  }
}

function contentOf(carriers: readonly Carrier[]): string {
  return carriers.map(({ ip, weight }) => `${ip}*${weight}`).join(' ');
}

function sameNames(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
