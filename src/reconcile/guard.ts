import type { DeleteLimits } from '../model/delete-limits.ts';
import {
  type Change,
  changeObject,
  isAnnouncement,
  type KernelObject,
  type Key,
  keyOf,
} from '../model/object.ts';
import { isStandbyFilter } from '../model/standby-filter.ts';
import type { Actual } from './actual.ts';
import { isDelete } from './diff.ts';
import type { Held, PlannedChange } from './report.ts';
import { serviceOf, type Withdrawn } from './withdrawals.ts';

export interface Guarded {
  readonly go: readonly PlannedChange[];
  readonly held: readonly Held[];
  /** Those that the guard counts, because the cluster does not show why they are due. */
  readonly doubtful: ReadonlySet<PlannedChange>;
}

/** What restrains the deletes of a round. */
export interface GuardInputs {
  readonly actual: Pick<Actual, 'objects' | 'carrying' | 'nexthops'>;
  /** All lists of the cluster have come in. */
  readonly complete: boolean;
  readonly limits: DeleteLimits;
  /** The hold time is over, or an operator agrees. */
  readonly agreed: boolean;
  /**
   * Deletes of routes that an operator released one by one in the present hold, each with the Service that loses the
   * route. They still count, even when they are done: they must not make room for others.
   */
  readonly released: ReadonlyMap<Key, string>;
  /** ms since the epoch when the hold ends by itself */
  readonly holdUntil: number;
  /** What went within the window before. */
  readonly withdrawn: Withdrawn;
  /** The cluster shows why a change is due; see `Desire` in model/desired.ts. */
  readonly isEvident: (change: Change) => boolean;
  /** The lists that are in decide a delete, whatever those that are missing will say; see `Desire`. */
  readonly isDecided: (change: Change) => boolean;
}

/**
 * Holds changes back so that what forwards packets is not withdrawn on wrong information.
 *
 * - An object is not deleted before every list has come in that could still name it. Announcements and the standby
 *   filter are: they have reasons of their own (the LAN is gone, the gateway drains, it takes over), and stay where the
 *   route of their EIP is held. A cluster that cannot be read holds back the deletes of no other.
 * - When more than a set share of our routes would vanish within a window of time, they wait.
 * - When more than a set share of the nexthops that carry traffic would vanish, the changes that take traffic off them
 *   wait. A list of nodes that is suddenly short looks just like this.
 *
 * Only what a list lacks is counted and held. A change whose reason the cluster shows is evident, and goes.
 *
 * Objects that a held one references wait with it: see `unpinned` in diff.ts.
 */
export function guard(due: readonly PlannedChange[], inputs: GuardInputs): Guarded {
  if (inputs.complete) return guardListed(due, inputs);
  const waiting = new Set(due.filter((one) => waitsForLists(one, inputs)));
  const kept = new Set<number | undefined>();
  for (const change of waiting)
    if (change.verb === 'delete' && change.have.kind === 'route') kept.add(change.have.nhid);
  for (const one of due) if (leadsElsewhere(one, kept)) waiting.add(one);
  const { go, held, doubtful } = guardListed(
    due.filter((one) => !waiting.has(one)),
    inputs,
  );
  const until = { reason: 'lists incomplete', until: undefined } as const;
  return {
    go,
    held: [...due.filter((one) => waiting.has(one)).map((one) => ({ ...one, ...until })), ...held],
    doubtful,
  };
}

/** A missing list could still name the object. */
function waitsForLists(one: PlannedChange, { isDecided }: GuardInputs): boolean {
  const object = changeObject(one);
  const isFilter = object.kind === 'nft' && isStandbyFilter(object);
  return isDelete(one) && !isAnnouncement(object) && !isFilter && !isDecided(one);
}

/**
 * The change adds nodes to a group, while a route that is kept for a missing list uses the group: its EIP may have no
 * endpoint on them. A change that only removes nodes goes.
 */
function leadsElsewhere(change: Change, kept: ReadonlySet<number | undefined>): boolean {
  if (change.verb !== 'replace') return false;
  const { want, have } = change;
  if (want.kind !== 'group' || have.kind !== 'group' || !kept.has(want.id)) return false;
  const before = new Set(have.members.map(({ id }) => id));
  return want.members.some(({ id }) => !before.has(id));
}

/** The deletes that the lists decide. */
function guardListed(due: readonly PlannedChange[], inputs: GuardInputs): Guarded {
  const { actual, limits, agreed, released, holdUntil, withdrawn, isEvident } = inputs;
  const none = new Set<PlannedChange>();
  if (agreed) return { go: due, held: [], doubtful: none };
  const have = actual.objects;

  const routes = due.filter((one) => isDelete(one) && carries(changeObject(one)) && !isEvident(one));
  const leaving = vanishing(due, have, isEvident);
  const doubtful = new Set([...routes, ...leaving.values()]);
  const withdrawnRoutes = new Map([...withdrawn.routes, ...[...released].filter(([key]) => !have.has(key))]);
  const services = new Set([...withdrawnRoutes.values(), ...routes.map(serviceOf)]);
  const lost = { routes: withdrawnRoutes.size, nexthops: withdrawn.nexthops.size };
  const tooMany = (count: number, gone: number, owned: number): boolean =>
    count + gone > (owned + gone) * limits.share;
  const holdRoutes = services.size > limits.always && tooMany(routes.length, lost.routes, actual.carrying);
  const holdNexthops =
    leaving.size + lost.nexthops > limits.always && tooMany(leaving.size, lost.nexthops, actual.nexthops);
  if (!(holdRoutes || holdNexthops)) return { go: due, held: [], doubtful };

  const isTooMany = (one: PlannedChange): boolean => {
    const object = changeObject(one);
    if (isDelete(one) && released.has(one.key)) return false;
    if (holdRoutes && doubtful.has(one) && carries(object)) return true;
    if (!holdNexthops) return false;
    return leaving.has(keyOf(object)) || (takesOff(one, leaving, have) && !isEvident(one));
  };
  const waiting = new Set(due.filter(isTooMany));
  const kept = new Set<number | undefined>();
  for (const change of waiting)
    if (change.verb === 'delete' && change.have.kind === 'route') kept.add(change.have.nhid);
  const go: PlannedChange[] = [];
  const held: Held[] = [];
  for (const one of due) {
    if (waiting.has(one) || followsOthers(one, kept, isEvident))
      held.push({ ...one, reason: 'too many at once', until: holdUntil });
    else go.push(one);
  }
  return { go, held, doubtful };
}

/**
 * The change moves a group to where the endpoints of its EIPs have gone, while a route that waits uses the group as
 * well: that EIP has no endpoint there. The other EIPs get another group.
 */
function followsOthers(
  change: Change,
  kept: ReadonlySet<number | undefined>,
  isEvident: GuardInputs['isEvident'],
): boolean {
  return (
    change.verb === 'replace' && change.want.kind === 'group' && kept.has(change.want.id) && isEvident(change)
  );
}

/** A route that leads packets to a nexthop object. */
function carries(object: KernelObject): boolean {
  return object.kind === 'route' && object.nhid !== undefined;
}

/** The deletes of nexthops that carry traffic now, and whose reason the cluster does not show, by their keys. */
function vanishing(
  due: readonly PlannedChange[],
  have: ReadonlyMap<Key, KernelObject>,
  isEvident: GuardInputs['isEvident'],
): ReadonlyMap<Key, PlannedChange> {
  const deleted = new Map<Key, PlannedChange>();
  for (const one of due)
    if (one.verb === 'delete' && one.have.kind === 'nexthop' && !isEvident(one))
      deleted.set(keyOf(one.have), one);
  const result = new Map<Key, PlannedChange>();
  if (deleted.size === 0) return result;
  for (const change of due) {
    if (change.verb === 'add' || (change.verb === 'delete' && change.have.kind !== 'route')) continue;
    const left = hops(change.have, have).filter((key) => deleted.has(key) && !result.has(key));
    if (left.length === 0 || isEvident(change)) continue;
    for (const key of left) {
      const one = deleted.get(key);
      if (one !== undefined) result.set(key, one);
    }
  }
  return result;
}

/** The change moves or withdraws a route or a group that leads to one of these nexthops. */
function takesOff(
  change: Change,
  leaving: ReadonlyMap<Key, PlannedChange>,
  have: ReadonlyMap<Key, KernelObject>,
): boolean {
  const isUse = change.verb === 'replace' || (change.verb === 'delete' && change.have.kind === 'route');
  return isUse && hops(change.have, have).some((key) => leaving.has(key));
}

/** Keys of the nexthops that an object leads to. */
function hops(object: KernelObject, have: ReadonlyMap<Key, KernelObject>): readonly Key[] {
  if (object.kind === 'group') return object.members.map(({ id }) => `nexthop ${id}`);
  if (object.kind !== 'route' || object.nhid === undefined) return [];
  const target = have.get(`nexthop ${object.nhid}`);
  return target?.kind === 'group' ? hops(target, have) : [`nexthop ${object.nhid}`];
}
