import type { Listing } from '../model/listing.ts';
import { type Change, changeObject, equal, type KernelObject, type Key, keyOf } from '../model/object.ts';
import type { Wanted } from '../model/want.ts';

/** Make before break: what is named stands before what names it. */
const rank: Readonly<Record<KernelObject['kind'], number>> = {
  sysctl: 0,
  nexthop: 1,
  group: 2,
  neighbour: 3,
  route: 4,
  rule: 5,
};

/**
 * The changes that lead from what is there to what is wanted, in an order in which each is possible: first
 * what is built, from the bottom up, then what is taken away, from the top down.
 */
export function plan(want: ReadonlyMap<Key, Wanted>, have: Listing): readonly Change[] {
  const builds: Change[] = [];
  for (const [key, { object }] of want) {
    const present = have.objects.get(key);
    if (present === undefined) builds.push({ verb: 'add', want: object });
    else if (!equal(object, present)) builds.push({ verb: 'replace', want: object, have: present });
  }
  const deletes: Change[] = [];
  for (const [key, object] of have.objects) {
    if (want.has(key)) continue;
    // A sysctl is listed because we may set it; only the ledger tells that we did.
    if (object.kind === 'sysctl' && !have.formerSysctls.has(object.name)) continue;
    deletes.push({ verb: 'delete', have: object });
  }
  builds.sort((a, b) => rank[changeObject(a).kind] - rank[changeObject(b).kind]);
  deletes.sort((a, b) => rank[changeObject(b).kind] - rank[changeObject(a).kind]);
  return [...builds, ...deletes];
}

export function isDelete(change: Change): boolean {
  return change.verb === 'delete';
}

/** Keys of the objects that this one cannot be without. */
export function references(object: KernelObject): readonly Key[] {
  switch (object.kind) {
    case 'group':
      return object.members.map(({ id }) => `nexthop ${id}`);
    case 'route':
      return object.nhid === undefined ? [] : [`nexthop ${object.nhid}`];
    case 'nexthop':
    case 'neighbour':
    case 'rule':
    case 'sysctl':
      return [];
    default:
      return object satisfies never;
  }
}

/**
 * Leaves out the deletes of what something that stays still names, however far down.
 *
 * @param stays objects that remain in the kernel although they are not wanted as they are
 */
export function unpinned(
  deletes: readonly Change[],
  stays: readonly KernelObject[],
  have: ReadonlyMap<Key, KernelObject>,
): readonly Change[] {
  const pinned = new Set<Key>();
  const queue = [...stays];
  for (let object = queue.pop(); object !== undefined; object = queue.pop()) {
    for (const key of references(object)) {
      if (pinned.has(key)) continue;
      pinned.add(key);
      const next = have.get(key);
      if (next) queue.push(next);
    }
  }
  return pinned.size === 0 ? deletes : deletes.filter((change) => !pinned.has(keyOf(changeObject(change))));
}
