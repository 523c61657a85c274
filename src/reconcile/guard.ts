import { type Change, changeObject, type KernelObject, type Key, keyOf } from '../model/object.ts';
import type { Limits } from '../model/pace.ts';
import { isDelete } from './plan.ts';
import type { Due, Held } from './report.ts';

export interface Guarded {
  readonly go: readonly Due[];
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
  due: readonly Due[],
  have: ReadonlyMap<Key, KernelObject>,
  complete: boolean,
  limits: Limits,
  agreed: boolean,
  until: number,
): Guarded {
  if (!complete) {
    return {
      go: due.filter((one) => !isDelete(one)),
      held: due.filter(isDelete).map((one) => ({ ...one, reason: 'lists incomplete', until: undefined })),
    };
  }
  if (agreed) return { go: due, held: [] };

  const routes = due.filter((one) => isDelete(one) && carries(changeObject(one.change)));
  const leaving = vanishing(due, have);
  const holdRoutes = services(routes) > limits.always && isMuch(routes.length, have, limits, carries);
  const holdNexthops =
    leaving.size > limits.always && isMuch(leaving.size, have, limits, ({ kind }) => kind === 'nexthop');
  if (!(holdRoutes || holdNexthops)) return { go: due, held: [] };

  const go: Due[] = [];
  const held: Held[] = [];
  for (const one of due) {
    const object = changeObject(one.change);
    const waits = isDelete(one)
      ? (holdRoutes && carries(object)) || (holdNexthops && leaving.has(keyOf(object)))
      : holdNexthops && takesOff(one.change, leaving, have);
    if (waits) held.push({ ...one, reason: 'too many at once', until });
    else go.push(one);
  }
  return { go, held };
}

/** A route that leads packets to a nexthop object. */
function carries(object: KernelObject): boolean {
  return object.kind === 'route' && object.nhid !== undefined;
}

/** How many Services lose their routes: one may hold many EIPs, of both families. */
function services(routes: readonly Due[]): number {
  return new Set(routes.map(({ change, why }) => why.services?.join() ?? keyOf(changeObject(change)))).size;
}

function isMuch(
  gone: number,
  have: ReadonlyMap<Key, KernelObject>,
  limits: Limits,
  counts: (object: KernelObject) => boolean,
): boolean {
  let owned = 0;
  for (const object of have.values()) if (counts(object)) owned += 1;
  return gone > owned * limits.share;
}

/** Keys of the nexthops that are to be deleted although something that stays leads to them now. */
function vanishing(due: readonly Due[], have: ReadonlyMap<Key, KernelObject>): ReadonlySet<Key> {
  const deleted = new Set<Key>();
  for (const { change } of due) {
    if (change.verb === 'delete' && change.have.kind === 'nexthop') deleted.add(keyOf(change.have));
  }
  const result = new Set<Key>();
  if (deleted.size === 0) return result;
  for (const { change } of due) {
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
