import type { World } from '../lab/fake/memory-world.ts';
import { type KernelObject, keyOf } from '../src/model/object.ts';
import { isWithin, ownerOf } from '../src/model/owner.ts';
import { isOurs } from './any.ts';

const { nexthopIds, groupIds, formerIds } = ownerOf(86);

/** The id that an earlier version would have given: 860000000 and on to nexthops, 861000000 and on to groups. */
function former(id: number): number {
  if (isWithin(id, nexthopIds)) return formerIds[0] + id - nexthopIds[0];
  return isWithin(id, groupIds) ? formerIds[0] + 1_000_000 + id - groupIds[0] : id;
}

/** Gives our nexthops and groups, and what leads to them, the ids that an earlier version would have given. */
export function useFormerIds(world: World): void {
  const ours = [...world.objects.values()].filter(isOurs);
  const ranks: readonly KernelObject['kind'][] = ['nexthop', 'group', 'route'];
  const all = ranks.flatMap((rank) => ours.filter(({ kind }) => kind === rank));
  // What is left of an earlier upgrade has these ids.
  if (all.some((object) => 'id' in object && isWithin(object.id, formerIds))) return;
  const ids = new Set(all.map((object) => ('id' in object ? object.id : undefined)));
  const idOf = (id: number): number => (ids.has(id) ? former(id) : id);
  // From the top down: Linux takes what leads to a nexthop along with it.
  for (const object of all.toReversed()) if (world.objects.has(keyOf(object))) world.delete(object);
  for (const object of all) {
    if (object.kind === 'nexthop') world.add({ ...object, id: idOf(object.id) });
    else if (object.kind === 'group')
      world.add({
        ...object,
        id: idOf(object.id),
        members: object.members.map(({ id, weight }) => ({ id: idOf(id), weight })),
      });
    else if (object.kind === 'route')
      world.add({ ...object, nhid: object.nhid === undefined ? undefined : idOf(object.nhid) });
  }
}
