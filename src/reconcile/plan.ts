import type { StuckReason } from '../model/desired.ts';
import type { Refusal } from '../model/desired-object.ts';
import { type Change, changeObject, type KernelObject, type Key, keyOf } from '../model/object.ts';
import { equal } from '../model/same-object.ts';
import type { Actual } from './actual.ts';
import { foundations, isDelete, references, unpinned } from './diff.ts';
import { type GuardInputs, guard } from './guard.ts';
import type { Held, PlannedChange } from './report.ts';

/** What a round is to do: the changes that may go, and those that wait. */
export interface Plan {
  readonly builds: readonly PlannedChange[];
  readonly deletes: readonly PlannedChange[];
  readonly held: readonly Held[];
  /** Those that count as withdrawn without a reason that the cluster shows, once they are done. */
  readonly doubtful: ReadonlySet<PlannedChange>;
}

/** What restrains a round. */
export interface Restraints extends Omit<GuardInputs, 'actual'> {
  /** Keys that another program keeps changing, and until when they are left alone. */
  readonly fights: ReadonlyMap<Key, { readonly until: number }>;
  /** ms since the epoch */
  readonly now: number;
}

/** @param due everything that differs, in the order of the diff */
export function plan(due: readonly PlannedChange[], actual: Actual, restraints: Restraints): Plan {
  const { fights, now } = restraints;
  const guarded = guard(due, { ...restraints, actual });
  const held: Held[] = [...guarded.held];
  const stays: KernelObject[] = held.flatMap(remains);
  const go: PlannedChange[] = [];
  const missing = new Set<Key>();
  const outdated = new Set<Key>(held.flatMap((one) => (isGroupReplace(one) ? [one.key] : [])));
  // Builds come from the bottom up: what waits is known before the objects that reference it.
  for (const one of guarded.go) {
    const { key } = one;
    const until = fights.get(key)?.until ?? 0;
    if (until > now) held.push({ ...one, reason: 'fight', until });
    else if (needs(one, missing) || comesTo(one, outdated) || follows(one, outdated))
      held.push({ ...one, reason: 'names what is missing', until: undefined });
    else if (!isRefused(one, actual.refused.get(key))) {
      go.push(one);
      continue;
    }
    stays.push(...remains(one));
    if (one.verb === 'add') missing.add(key);
    if (isGroupReplace(one) || follows(one, outdated)) outdated.add(key);
  }
  const wished = go.filter(isDelete);
  const deletes = unpinned(wished, stays, actual.objects);
  if (deletes.length < wished.length) {
    const free = new Set(deletes);
    for (const one of wished) {
      if (!free.has(one)) held.push({ ...one, reason: 'still named', until: undefined });
    }
  }
  return { builds: go.filter((one) => !isDelete(one)), deletes, held, doubtful: guarded.doubtful };
}

/** A group that is to get other members: until then it leads to the former nodes. */
function isGroupReplace(change: Change): change is Extract<Change, { verb: 'replace' }> {
  return change.verb === 'replace' && change.want.kind === 'group';
}

/**
 * What stays as it is although a change is due; see `stuck` in model/desired.ts. Not a route that waits for its
 * announcement to go.
 */
export function stuckObjects(
  held: readonly Held[],
  refused: ReadonlyMap<Key, Refusal>,
): ReadonlyMap<Key, StuckReason> {
  const stuck = new Map<Key, StuckReason>();
  for (const one of held) {
    const { key, reason } = one;
    if (isGroupReplace(one) || (isEipDelete(one) && reason !== 'still named'))
      stuck.set(key, reason === 'lists incomplete' ? reason : 'held');
  }
  for (const { change } of refused.values())
    if (isGroupReplace(change)) stuck.set(keyOf(change.want), 'refused');
  return stuck;
}

function isEipDelete(change: Change): boolean {
  return change.verb === 'delete' && change.have.kind === 'route' && change.have.nhid !== undefined;
}

function needs(change: Change, missing: ReadonlySet<Key>): boolean {
  return (
    change.verb !== 'delete' && missing.size > 0 && foundations(change.want).some((key) => missing.has(key))
  );
}

/** NAT sends packets where the nexthop group leads: its group waits with that one. */
function follows(change: Change, groups: ReadonlySet<Key>): boolean {
  return (
    change.verb !== 'delete' && change.want.kind === 'nat-group' && groups.has(`nexthop ${change.want.id}`)
  );
}

/** The change leads an EIP, its route or its NAT, to one of these groups that does not lead there now. */
function comesTo(change: Change, groups: ReadonlySet<Key>): boolean {
  if (change.verb === 'delete' || groups.size === 0) return false;
  if (change.want.kind !== 'route' && change.want.kind !== 'nat-eip') return false;
  const before = change.verb === 'replace' ? references(change.have) : [];
  return references(change.want).some((key) => groups.has(key) && !before.includes(key));
}

/** What is in the kernel while the change waits. */
function remains(change: Change): readonly KernelObject[] {
  return change.verb === 'add' ? [] : [change.have];
}

/** Just this was refused; the same key with other content deserves a try. */
function isRefused(change: Change, refusal: Refusal | undefined): boolean {
  return (
    refusal !== undefined &&
    refusal.change.verb === change.verb &&
    equal(changeObject(refusal.change), changeObject(change))
  );
}
