import type { DesiredTable } from '../model/desired.ts';
import type { Gateway } from '../model/gateway.ts';
import type { NexthopGroup } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import { equal } from '../model/same-object.ts';
import type { Carrier } from './carriers.ts';
import { groupWhy, keptWhy } from './eip-routes.ts';
import { contentOf, type Group, unknownGroup } from './group.ts';
import { isKeepable } from './groups.ts';
import { IdRange } from './ids.ts';
import type { KernelView } from './kernel-view.ts';
import type { NexthopTable } from './nexthop-table.ts';

export interface GroupTableInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  readonly kernel: KernelView;
  readonly nexthops: NexthopTable;
  readonly desired: DesiredTable;
}

/** The nexthop groups by id and by content, their ids, and the desired object of each. */
export class GroupTable {
  readonly #gateway: Gateway;
  readonly #owner: Owner;
  readonly #kernel: KernelView;
  readonly #nexthops: NexthopTable;
  readonly #desired: DesiredTable;
  readonly #ids: IdRange;
  readonly #groups = new Map<number, Group>();
  readonly #byContent = new Map<string, Set<Group>>();
  /** Ids of unused groups in the kernel, by content. */
  readonly #found = new Map<string, number>();
  /** Nexthops of other nodes in groups that stay as they were found, by id, and in how many of these. */
  readonly #otherHops = new Map<number, number>();
  #written = new Set<number>();

  /** Notes the groups in the kernel, whose ids are adopted when their content is needed. */
  constructor({ gateway, owner, kernel, nexthops, desired }: GroupTableInputs) {
    this.#gateway = gateway;
    this.#owner = owner;
    this.#kernel = kernel;
    this.#nexthops = nexthops;
    this.#desired = desired;
    this.#ids = new IdRange(owner.groupIds);
    for (const object of kernel.state.objects.values()) {
      if (object.kind !== 'group' || !isKeepable(object, gateway.resilience, owner)) continue;
      const carriers = nexthops.carriersOf(object);
      if (carriers === undefined) continue;
      const content = contentOf(carriers);
      const twin = this.#found.get(content);
      if (twin === undefined || object.id < twin) this.#found.set(content, object.id);
    }
  }

  /** The ids of the groups that were written since the last call. */
  takeWritten(): ReadonlySet<number> {
    const written = this.#written;
    if (written.size > 0) this.#written = new Set();
    return written;
  }

  get(id: number): Group | undefined {
    return this.#groups.get(id);
  }

  all(): readonly Group[] {
    return [...this.#groups.values()];
  }

  /** False once the group is released. */
  has(group: Group): boolean {
    return this.#groups.get(group.id) === group;
  }

  /** How many groups have this content. */
  count(content: string): number {
    return this.#byContent.get(content)?.size ?? 0;
  }

  /** The group with this content that most EIPs use, without those that are changing or could not be changed in place. */
  best(content: string, except?: Group): Group | undefined {
    let best: Group | undefined;
    for (const group of this.#byContent.get(content) ?? []) {
      if (group === except || group.isChanging || this.#kernel.isStuck(group)) continue;
      const better =
        best === undefined ||
        group.eips.size > best.eips.size ||
        (group.eips.size === best.eips.size && group.id < best.id);
      if (better) best = group;
    }
    return best;
  }

  /** A new group, which the kernel has not yet. */
  create(carriers: readonly Carrier[]): Group {
    const group = this.#enter(this.#ids.take(this.#kernel.state), false);
    this.fill(group, carriers);
    return group;
  }

  /** A group that the kernel has and this table has not. */
  adopt(id: number): Group | undefined {
    const object = this.#kernel.group(id);
    if (object === undefined) return undefined;
    this.#ids.use(id);
    const isFixed = !isKeepable(object, this.#gateway.resilience, this.#owner);
    const group = this.#enter(id, isFixed);
    const carriers = isFixed ? undefined : this.#nexthops.carriersOf(object);
    if (carriers !== undefined) this.fill(group, carriers);
    return group;
  }

  /** A group with this content that the kernel has and no EIP uses. */
  adoptTwin(content: string): Group | undefined {
    const id = this.#found.get(content);
    if (id === undefined || this.#groups.has(id) || this.#kernel.isStuck({ id })) return undefined;
    const object = this.#kernel.group(id);
    const carriers = object && this.#nexthops.carriersOf(object);
    return carriers !== undefined && contentOf(carriers) === content ? this.adopt(id) : undefined;
  }

  /** Changes the content of a group; {@link write} makes it desired. */
  fill(group: Group, carriers: readonly Carrier[]): void {
    for (const carrier of carriers) this.#nexthops.use(carrier);
    this.#empty(group);
    group.carriers = carriers;
    group.content = contentOf(carriers);
    const twins = this.#byContent.get(group.content);
    if (twins) twins.add(group);
    else this.#byContent.set(group.content, new Set([group]));
  }

  /** The last EIP has left: the group is desired no more. */
  release(group: Group): void {
    if (group.carriers.length > 0) this.#found.set(group.content, group.id);
    this.#empty(group);
    this.#groups.delete(group.id);
    this.#ids.release(group.id);
    this.#desired.delete(`nexthop ${group.id}`);
  }

  write(group: Group): void {
    this.#written.add(group.id);
    if (group.carriers.length === 0) {
      this.#writeFound(group);
      return;
    }
    const known = this.#desired.get(`nexthop ${group.id}`);
    const why = groupWhy(group.eips.size, group.eips.first?.named.eip);
    const { numbering } = this.#nexthops;
    // An EIP that comes to a group of all nodes, or leaves it, must not cost what these weigh.
    const isWritten = known !== undefined && group.written === numbering;
    this.#desired.set(isWritten ? known.object : this.#objectOf(group), why);
    group.written = numbering;
  }

  #objectOf({ id, carriers }: Group): NexthopGroup {
    const members = carriers.flatMap(({ ip, weight }) => {
      const hop = this.#nexthops.idOf(ip);
      return hop === undefined ? [] : [{ id: hop, weight }];
    });
    return {
      kind: 'group',
      id,
      protocol: this.#owner.protocol,
      members,
      resilience: this.#gateway.resilience,
    };
  }

  /** The group becomes this by the deletes of nexthops alone; see `retiring` in model/desired.ts. */
  shrinksTo(content: string, { carriers }: Group): boolean {
    const rest = carriers.filter(({ ip }) => !this.#nexthops.isRetiring(ip));
    return contentOf(rest) === content;
  }

  /** The kernel has the group as it is desired. */
  isInstalled(group: Group): boolean {
    const key = `nexthop ${group.id}`;
    const object = this.#kernel.state.objects.get(key);
    const desired = this.#desired.get(key)?.object;
    return object !== undefined && desired !== undefined && equal(object, desired);
  }

  /** Gives another id to a group whose id another program has taken. */
  renumber(group: Group): void {
    this.#groups.delete(group.id);
    this.#desired.delete(`nexthop ${group.id}`);
    group.id = this.#ids.take(this.#kernel.state);
    this.#groups.set(group.id, group);
    this.write(group);
  }

  /** Forgets the ids of groups that have gone from the kernel. */
  forgetGone(): void {
    const { objects } = this.#kernel.state;
    for (const [content, id] of this.#found) if (!objects.has(`nexthop ${id}`)) this.#found.delete(content);
  }

  #enter(id: number, isFixed: boolean): Group {
    const group = unknownGroup(id, isFixed);
    this.#groups.set(id, group);
    return group;
  }

  #empty(group: Group): void {
    const twins = this.#byContent.get(group.content);
    twins?.delete(group);
    if (twins?.size === 0) this.#byContent.delete(group.content);
    for (const { ip } of group.carriers) this.#nexthops.leave(ip);
    for (const { ip } of group.found?.carriers ?? []) this.#nexthops.leave(ip);
    for (const id of group.found?.others ?? []) this.#leaveOther(id);
    group.carriers = [];
    group.written = undefined;
    group.found = undefined;
  }

  /** A group that cannot be changed, or whose members are none of our nodes, stays as the kernel has it, with them. */
  #writeFound(group: Group): void {
    const object = this.#kernel.group(group.id);
    if (object === undefined || group.found !== undefined) return;
    this.#desired.set(object, keptWhy);
    const carriers: Carrier[] = [];
    const others: number[] = [];
    for (const { id, weight } of object.members) {
      const carrier = this.#nexthops.carrierOf(id, weight);
      if (carrier !== undefined && (this.#nexthops.idOf(carrier.ip) ?? id) === id) {
        this.#nexthops.use(carrier);
        carriers.push(carrier);
      } else {
        this.#useOther(id);
        others.push(id);
      }
    }
    group.found = { carriers, others };
  }

  #useOther(id: number): void {
    const hop = this.#kernel.state.objects.get(`nexthop ${id}`);
    const users = this.#otherHops.get(id) ?? 0;
    if (users === 0 && hop?.kind === 'nexthop') this.#desired.set(hop, keptWhy);
    this.#otherHops.set(id, users + 1);
  }

  #leaveOther(id: number): void {
    const users = (this.#otherHops.get(id) ?? 0) - 1;
    if (users > 0) this.#otherHops.set(id, users);
    else {
      this.#otherHops.delete(id);
      this.#desired.delete(`nexthop ${id}`);
    }
  }
}
