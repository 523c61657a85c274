import type { Change, KernelObject, Key } from '../model/object.ts';
import { changeObject, keyOf } from '../model/object.ts';
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
 * - When more than a set share of our routes or of our nexthops would vanish in one round, the deletes wait,
 *   and with them every change that takes traffic off a nexthop that would vanish. A list that is suddenly
 *   short looks just like this.
 *
 * @param agreed true: the hold time is over, or an operator agrees
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
  const deletes = changes.filter(isDelete);
  if (deletes.length === 0) return { go: changes, held: [] };
  if (!complete) {
    return {
      go: changes.filter((change) => !isDelete(change)),
      held: deletes.map((change) => ({ change, reason: 'lists incomplete', until: undefined })),
    };
  }
  const routes = tooMany(
    deletes,
    have,
    limits,
    (object) => object.kind === 'route' && object.nhid !== undefined,
  );
  const nexthops = tooMany(deletes, have, limits, (object) => object.kind === 'nexthop');
  if (agreed || !(routes || nexthops)) return { go: changes, held: [] };

  const vanishing = new Set<Key>();
  for (const change of deletes) {
    if (change.verb === 'delete' && change.have.kind === 'nexthop') vanishing.add(keyOf(change.have));
  }
  const go: Change[] = [];
  const held: Held[] = [];
  for (const change of changes) {
    const waits = isDelete(change) ? changeObject(change).kind !== 'sysctl' : leaves(change, vanishing, have);
    if (waits) held.push({ change, reason: 'too many at once', until });
    else go.push(change);
  }
  return { go, held };
}

function tooMany(
  deletes: readonly Change[],
  have: ReadonlyMap<Key, KernelObject>,
  limits: Limits,
  counts: (object: KernelObject) => boolean,
): boolean {
  const gone = deletes.filter((change) => counts(changeObject(change))).length;
  if (gone <= limits.always) return false;
  let owned = 0;
  for (const object of have.values()) if (counts(object)) owned += 1;
  return gone > owned * limits.share;
}

/** The change takes traffic off a nexthop that would vanish. */
function leaves(change: Change, vanishing: ReadonlySet<Key>, have: ReadonlyMap<Key, KernelObject>): boolean {
  if (change.verb !== 'replace' || vanishing.size === 0) return false;
  const { have: before, want: after } = change;
  const kept = new Set(hops(after, have));
  return hops(before, have).some((key) => vanishing.has(key) && !kept.has(key));
}

/** Keys of the nexthops that an object leads to. */
function hops(object: KernelObject, have: ReadonlyMap<Key, KernelObject>): readonly Key[] {
  if (object.kind === 'group') return object.members.map(({ id }) => `nexthop ${id}`);
  if (object.kind !== 'route' || object.nhid === undefined) return [];
  const target = have.get(`nexthop ${object.nhid}`);
  return target?.kind === 'group' ? hops(target, have) : [`nexthop ${object.nhid}`];
}
