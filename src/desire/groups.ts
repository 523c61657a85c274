import type { Refusals } from '../model/desired-object.ts';
import type { Listing } from '../model/listing.ts';
import { type Key, keyOf, type Member, type NexthopGroup, type Resilience } from '../model/object.ts';
import { isWithin, type Owner } from '../model/owner.ts';
import { sameMembers, sameResilience } from '../model/same-object.ts';
import { Ids } from './ids.ts';

/** The members that a group needs, and the routes that will use it. */
export interface Demand {
  readonly members: readonly Member[];
  /** Keys of the routes that will use it. */
  readonly users: readonly Key[];
}

/**
 * One group per distinct set of members.
 *
 * A group that the dump holds with the same content keeps its id; of several the one that most of the demanded routes
 * use. Otherwise a group whose users all move to the same new members is replaced in place: one message moves a hundred
 * thousand EIPs. Only what is left gets a new id; so do those that {@link isKeepable} says no of.
 *
 * @param kept ids of groups that routes outside of the demands need as they are
 * @returns the group of each demand, in the order of the demands
 */
export function groups(
  demands: readonly Demand[],
  resilience: Resilience | undefined,
  owner: Owner,
  have: Listing,
  refused: Refusals,
  kept: ReadonlySet<number>,
): readonly NexthopGroup[] {
  const users = usersOf(demands, have);
  const existing: NexthopGroup[] = [];
  const members = new Map<string, NexthopGroup>();
  for (const object of have.objects.values()) {
    if (object.kind !== 'group' || !isKeepable(object, resilience, owner)) continue;
    existing.push(object);
    const content = signature(object.members);
    const twin = members.get(content);
    const more = twin && (users.get(object.id) ?? 0) - (users.get(twin.id) ?? 0);
    if (twin === undefined || more === undefined || more > 0 || (more === 0 && object.id < twin.id))
      members.set(content, object);
  }

  const ids = new Ids(owner.groupIds, have, refused);
  const chosen = new Map<Demand, number>();
  const taken = new Set<number>(kept);
  for (const demand of demands) {
    const same = members.get(signature(demand.members));
    if (same === undefined) continue;
    chosen.set(demand, same.id);
    taken.add(same.id);
  }
  const free = chosen.size < demands.length ? movers(demands, existing, have) : new Map<Demand, number[]>();
  for (const demand of demands) {
    if (chosen.has(demand)) continue;
    const candidates = free.get(demand) ?? [];
    const id =
      candidates.find((one) => !taken.has(one)) ?? refusedId(demand, resilience, refused) ?? ids.take();
    chosen.set(demand, id);
    taken.add(id);
  }

  return demands.map((demand) => {
    const id = chosen.get(demand) ?? ids.take();
    const group: NexthopGroup = {
      kind: 'group',
      id,
      protocol: owner.protocol,
      members: demand.members,
      resilience,
    };
    const present = have.objects.get(keyOf(group));
    const same =
      present?.kind === 'group' &&
      sameMembers(present.members, group.members) &&
      sameResilience(present.resilience, resilience);
    return same ? present : group;
  });
}

/** The kernel would refuse the same group under another id as well. */
function refusedId(
  { members }: Demand,
  resilience: Resilience | undefined,
  refused: Refusals,
): number | undefined {
  for (const { change, code } of refused.values()) {
    if (change.verb !== 'add' || change.want.kind !== 'group' || code === 'EEXIST') continue;
    const { id, members: others, resilience: other } = change.want;
    if (sameMembers(members, others) && sameResilience(resilience, other)) return id;
  }
  return undefined;
}

/** For each demand, the groups whose every user moves to it, the most used first. */
function movers(
  demands: readonly Demand[],
  existing: readonly NexthopGroup[],
  have: Listing,
): ReadonlyMap<Demand, readonly number[]> {
  const future = new Map<string, Demand>();
  for (const demand of demands) for (const user of demand.users) future.set(user, demand);

  const target = new Map<number, Demand | 'several'>();
  const users = new Map<number, number>();
  for (const [key, object] of have.objects) {
    if (object.kind !== 'route' || object.nhid === undefined) continue;
    const demand = future.get(key);
    if (demand === undefined) continue;
    const known = target.get(object.nhid);
    target.set(object.nhid, known === undefined || known === demand ? demand : 'several');
    users.set(object.nhid, (users.get(object.nhid) ?? 0) + 1);
  }

  const result = new Map<Demand, number[]>();
  for (const { id } of existing) {
    const demand = target.get(id);
    if (demand === undefined || demand === 'several') continue;
    const list = result.get(demand) ?? [];
    list.push(id);
    result.set(demand, list);
  }
  for (const list of result.values()) {
    list.sort((a, b) => (users.get(b) ?? 0) - (users.get(a) ?? 0) || a - b);
  }
  return result;
}

/** How many of the demanded routes lead to each group. A route that is to go, and is held, does not count. */
function usersOf(demands: readonly Demand[], have: Listing): ReadonlyMap<number, number> {
  const users = new Map<number, number>();
  for (const demand of demands) {
    for (const key of demand.users) {
      const route = have.objects.get(key);
      if (route?.kind !== 'route' || route.nhid === undefined) continue;
      users.set(route.nhid, (users.get(route.nhid) ?? 0) + 1);
    }
  }
  return users;
}

/** Equal for the same members in the same order. */
export function signature(members: readonly Member[]): string {
  return members.map(({ id, weight }) => `${id},${weight}`).join('/');
}

/**
 * A group in the kernel can keep its id and be changed in place. Linux does not change the number of buckets in place, and
 * a group with an id of a former version makes place for a new one.
 */
export function isKeepable(
  { id, resilience }: NexthopGroup,
  wanted: Resilience | undefined,
  { groupIds }: Owner,
): boolean {
  return resilience?.buckets === wanted?.buckets && isWithin(id, groupIds);
}
