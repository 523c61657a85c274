import type { KernelObject } from '../model/object.ts';
import { sameMembers, sameResilience } from '../model/same-object.ts';
import type { PlannedChange } from './report.ts';

/** By the id of a nexthop that goes: the groups that the kernel takes it out of with its delete. */
export type Shrinking = Map<number, readonly PlannedChange[]>;

/**
 * The builds that deletes of nexthops make by the way: groups that lose one of them, and keep all else. The kernel takes a
 * nexthop out of all its groups and waits once for the other processors; it waits at each group that is replaced.
 *
 * A group to which another build leads something is not among them: it has to be as desired before.
 *
 * @param nexthops ids of those that go, in this pass or in the next one
 */
export function shrinking(builds: readonly PlannedChange[], nexthops: ReadonlySet<number>): Shrinking {
  const found = new Map<number, PlannedChange[]>();
  if (nexthops.size === 0) return found;
  const ledTo = new Set<number | undefined>();
  for (const one of builds) {
    if (one.verb === 'delete') continue;
    if (one.want.kind === 'route') ledTo.add(one.want.nhid);
    else if (one.want.kind === 'nat-group') ledTo.add(one.want.id);
  }
  for (const one of builds) {
    if (one.verb !== 'replace' || ledTo.has(idOf(one.want))) continue;
    const lost = lostMember(one.have, one.want);
    if (lost === undefined || !nexthops.has(lost)) continue;
    const groups = found.get(lost);
    if (groups === undefined) found.set(lost, [one]);
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
