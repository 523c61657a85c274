import type { DeleteLimits } from '../model/delete-limits.ts';
import { type Change, changeObject, type KernelObject, type Key, keyOf } from '../model/object.ts';
import type { Actual } from './actual.ts';
import { isDelete } from './diff.ts';
import type { Held, PlannedChange } from './report.ts';

export interface Guarded {
  readonly go: readonly PlannedChange[];
  readonly held: readonly Held[];
}

/** What restrains the deletes of a round. */
export interface GuardInputs {
  readonly actual: Pick<Actual, 'objects' | 'carrying' | 'nexthops'>;
  /** All lists of the cluster have come in. */
  readonly complete: boolean;
  readonly limits: DeleteLimits;
  /** The hold time is over, or an operator agrees. */
  readonly agreed: boolean;
  /** ms since the epoch when the hold ends by itself */
  readonly holdUntil: number;
}

/**
 * Holds changes back so that what forwards packets is not withdrawn on wrong information.
 *
 * - Nothing is deleted before every list has come in.
 * - When more than a set share of our routes would vanish in one round, they wait.
 * - When more than a set share of the nexthops that carry traffic would vanish, the changes that take traffic off
 *   them wait. A list of nodes that is suddenly short looks just like this.
 *
 * What these still reference waits with them: see `unpinned` in diff.ts.
 */
export function guard(due: readonly PlannedChange[], inputs: GuardInputs): Guarded {
  const { actual, complete, limits, agreed, holdUntil } = inputs;
  if (!complete) {
    return {
      go: due.filter((one) => !isDelete(one)),
      held: due.filter(isDelete).map((one) => ({ ...one, reason: 'lists incomplete', until: undefined })),
    };
  }
  if (agreed) return { go: due, held: [] };
  const have = actual.objects;

  const routes = due.filter((one) => isDelete(one) && carries(changeObject(one.change)));
  const leaving = vanishing(due, have);
  const holdRoutes = services(routes) > limits.always && routes.length > actual.carrying * limits.share;
  const holdNexthops = leaving.size > limits.always && leaving.size > actual.nexthops * limits.share;
  if (!(holdRoutes || holdNexthops)) return { go: due, held: [] };

  const go: PlannedChange[] = [];
  const held: Held[] = [];
  for (const one of due) {
    const object = changeObject(one.change);
    const waits = isDelete(one)
      ? (holdRoutes && carries(object)) || (holdNexthops && leaving.has(keyOf(object)))
      : holdNexthops && takesOff(one.change, leaving, have);
    if (waits) held.push({ ...one, reason: 'too many at once', until: holdUntil });
    else go.push(one);
  }
  return { go, held };
}

/** A route that leads packets to a nexthop object. */
function carries(object: KernelObject): boolean {
  return object.kind === 'route' && object.nhid !== undefined;
}

/** How many Services lose their routes: one may hold many EIPs, of both families. */
function services(routes: readonly PlannedChange[]): number {
  return new Set(routes.map(({ change, why }) => why.services?.join() ?? keyOf(changeObject(change)))).size;
}

/** Keys of the nexthops that are to be deleted although something that stays leads to them now. */
function vanishing(due: readonly PlannedChange[], have: ReadonlyMap<Key, KernelObject>): ReadonlySet<Key> {
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
