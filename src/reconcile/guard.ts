import { type Change, changeObject, type KernelObject, type Key, keyOf } from '../model/object.ts';
import type { Limits } from '../model/pace.ts';
import { isDelete } from './plan.ts';
import type { Held } from './report.ts';

export interface Guarded {
  readonly go: readonly Change[];
  readonly held: readonly Held[];
}

/**
 * Tells which changes must wait so that what forwards packets is not withdrawn because we are confused.
 *
 * - Nothing is deleted before every list has come in.
 * - When more than a set share of our routes would vanish in one round, they wait.
 * - When more than a set share of the nexthops that carry traffic would vanish, what takes traffic off them
 *   waits. A list of nodes that is suddenly short looks just like this.
 *
 * What these still name waits with them: see `unpinned` in plan.ts.
 *
 * @param agreed the hold time is over, or an operator agrees
 * @param until ms since the epoch when the hold ends by itself
 */
export function guard(
  changes: readonly Change[],
  have: ReadonlyMap<Key, KernelObject>,
  complete: boolean,
  limits: Limits,
  agreed: boolean,
  until: number,
): Guarded {
  if (!complete) {
    const held = changes.filter(isDelete);
    return {
      go: changes.filter((change) => !isDelete(change)),
      held: held.map((change) => ({ change, reason: 'lists incomplete', until: undefined })),
    };
  }
  if (agreed) return { go: changes, held: [] };

  const routes = changes.filter((change) => isDelete(change) && carries(changeObject(change)));
  const leaving = vanishing(changes, have);
  const holdRoutes = tooMany(routes.length, have, limits, carries);
  const holdNexthops = tooMany(leaving.size, have, limits, ({ kind }) => kind === 'nexthop');
  if (!(holdRoutes || holdNexthops)) return { go: changes, held: [] };

  const go: Change[] = [];
  const held: Held[] = [];
  for (const change of changes) {
    const object = changeObject(change);
    const waits =
      (holdRoutes && isDelete(change) && carries(object)) ||
      (holdNexthops && (takesOff(change, leaving, have) || (isDelete(change) && leaving.has(keyOf(object)))));
    if (waits) held.push({ change, reason: 'too many at once', until });
    else go.push(change);
  }
  return { go, held };
}

/** A route that leads packets to a nexthop object. */
function carries(object: KernelObject): boolean {
  return object.kind === 'route' && object.nhid !== undefined;
}

function tooMany(
  gone: number,
  have: ReadonlyMap<Key, KernelObject>,
  limits: Limits,
  counts: (object: KernelObject) => boolean,
): boolean {
  if (gone <= limits.always) return false;
  let owned = 0;
  for (const object of have.values()) if (counts(object)) owned += 1;
  return gone > owned * limits.share;
}

/** Keys of the nexthops that are to be deleted although something that stays leads to them now. */
function vanishing(changes: readonly Change[], have: ReadonlyMap<Key, KernelObject>): ReadonlySet<Key> {
  const deleted = new Set<Key>();
  for (const change of changes) {
    if (change.verb === 'delete' && change.have.kind === 'nexthop') deleted.add(keyOf(change.have));
  }
  const result = new Set<Key>();
  if (deleted.size === 0) return result;
  for (const change of changes) {
    if (change.verb !== 'replace') continue;
    for (const key of hops(change.have, have)) if (deleted.has(key)) result.add(key);
  }
  return result;
}

function takesOff(change: Change, leaving: ReadonlySet<Key>, have: ReadonlyMap<Key, KernelObject>): boolean {
  return change.verb === 'replace' && hops(change.have, have).some((key) => leaving.has(key));
}

/** Keys of the nexthops that an object leads to. */
function hops(object: KernelObject, have: ReadonlyMap<Key, KernelObject>): readonly Key[] {
  if (object.kind === 'group') return object.members.map(({ id }) => `nexthop ${id}`);
  if (object.kind !== 'route' || object.nhid === undefined) return [];
  const target = have.get(`nexthop ${object.nhid}`);
  return target?.kind === 'group' ? hops(target, have) : [`nexthop ${object.nhid}`];
}
