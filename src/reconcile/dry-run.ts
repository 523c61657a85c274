import type { Kernel } from '../kernel/kernel.ts';
import type { DesiredState } from '../model/desired.ts';
import type { Listing } from '../model/listing.ts';
import { changeObject } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { Actual } from './actual.ts';
import { allKeys, diff } from './diff.ts';
import { type Plan, plan, stuckKeys } from './plan.ts';
import type { Role } from './reconciler.ts';
import type { Conflict, Held, PlannedChange } from './report.ts';
import { nothingWithdrawn } from './withdrawals.ts';

/** The result of a first round that changes nothing. */
export interface DryRun {
  readonly have: Listing;
  readonly due: readonly PlannedChange[];
  readonly held: readonly Held[];
  readonly conflicts: readonly Conflict[];
  readonly problems: readonly Problem[];
}

/**
 * Plans a round without changing anything.
 *
 * @throws KernelError when the kernel cannot be read
 */
export async function dryRun(kernel: Kernel, role: Role, signal: AbortSignal): Promise<DryRun> {
  const have = await kernel.list(role.scope, signal);
  // Later passes are compared with the state after the changes of earlier ones.
  const then = new Actual(have);
  const builds: PlannedChange[] = [];
  let last = pass(role, then);
  while (true) {
    builds.push(...last.plan.builds);
    for (const one of last.plan.builds) then.acknowledge(one);
    const isStuckAnew = then.setStuck(stuckKeys(last.plan.held, then.refused));
    if (!isStuckAnew && (!last.desired.unfinished || last.plan.builds.length === 0)) break;
    last = pass(role, then);
  }
  const { desired, plan: found } = last;
  const adds = builds.filter(({ change }) => change.verb === 'add');
  const holders = await kernel.holders(new Set(adds.map(({ key }) => key)), signal);
  const conflicts: Conflict[] = [];
  const possible: PlannedChange[] = [];
  for (const planned of builds) {
    const object = changeObject(planned.change);
    const holder = planned.change.verb === 'add' ? holders.get(planned.key) : undefined;
    if (holder) conflicts.push({ want: object, why: planned.why, holder });
    else possible.push(planned);
  }
  return {
    have,
    due: [...possible, ...found.deletes],
    held: found.held,
    conflicts,
    problems: desired.problems,
  };
}

function pass(
  { desire, limits }: Role,
  actual: Actual,
): { readonly desired: DesiredState; readonly plan: Plan } {
  const desired = desire.update(actual);
  const due = diff(allKeys(desire.table, actual), desire.table, actual);
  const found = plan(due, actual, {
    complete: desired.complete,
    limits,
    agreed: false,
    holdUntil: 0,
    fights: new Map(),
    now: 0,
    withdrawn: nothingWithdrawn,
    isEvident: (change) => desire.isEvident?.(change) ?? false,
  });
  return { desired, plan: found };
}
