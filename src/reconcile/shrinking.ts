import { type KernelObject, sameMembers, sameResilience } from '../model/object.ts';
import type { PlannedChange } from './report.ts';

/** A delete of a nexthop, and the groups that the kernel takes it out of by itself. */
export type Shrinking = Map<PlannedChange, readonly PlannedChange[]>;

/**
 * The builds that deletes make by the way: groups that lose a nexthop which is deleted, and keep all else. The kernel
 * takes it out of all its groups and waits once for the other processors; it waits at each group that is replaced.
 *
 * A group to which another build leads something is not among them: it has to be as desired before.
 */
export function shrinking(builds: readonly PlannedChange[], deletes: readonly PlannedChange[]): Shrinking {
  const nexthops = new Map<number, PlannedChange>();
  for (const one of deletes)
    if (one.verb === 'delete' && one.have.kind === 'nexthop') nexthops.set(one.have.id, one);
  if (nexthops.size === 0) return new Map();
  const ledTo = new Set<number | undefined>();
  for (const one of builds) {
    if (one.verb === 'delete') continue;
    if (one.want.kind === 'route') ledTo.add(one.want.nhid);
    else if (one.want.kind === 'nat-group') ledTo.add(one.want.id);
  }
  const found = new Map<PlannedChange, PlannedChange[]>();
  for (const one of builds) {
    if (one.verb !== 'replace' || ledTo.has(idOf(one.want))) continue;
    const gone = nexthops.get(lostMember(one.have, one.want) ?? 0);
    if (gone === undefined) continue;
    const groups = found.get(gone);
    if (groups === undefined) found.set(gone, [one]);
    else groups.push(one);
  }
  return found;
}

function idOf(object: KernelObject): number | undefined {
  return object.kind === 'group' ? object.id : undefined;
}

/** @returns the id of the one member that the group is to lose while all else stays */
function lostMember(have: KernelObject, want: KernelObject): number | undefined {
  if (have.kind !== 'group' || want.kind !== 'group') return undefined;
  if (
    want.members.length === 0 ||
    have.protocol !== want.protocol ||
    !sameResilience(have.resilience, want.resilience)
  )
    return undefined;
  const at = have.members.findIndex(({ id }, i) => id !== want.members[i]?.id);
  const rest = have.members.toSpliced(at, 1);
  return sameMembers(rest, want.members) ? have.members[at]?.id : undefined;
}
