import type { Kernel } from '../kernel/kernel.ts';
import type { DesiredState, DesiredTable } from '../model/desired.ts';
import type { Listing } from '../model/listing.ts';
import { changeObject, type Key, keyOf } from '../model/object.ts';
import { equal } from '../model/same-object.ts';
import { Actual } from './actual.ts';
import { diff } from './diff.ts';
import { type Plan, plan, stuckObjects } from './plan.ts';
import type { Role } from './reconciler.ts';
import type { Conflict, Missing, PlannedChange, Report } from './report.ts';
import { nothingWithdrawn } from './withdrawals.ts';

/** The result of a first round that changes nothing. */
export interface DryRun {
  readonly have: Listing;
  readonly due: readonly PlannedChange[];
  /** What a round would report that made these changes, and met no refusal. */
  readonly report: Report;
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
    const isStuckAnew = then.setStuck(stuckObjects(last.plan.held, then.refused));
    if (!isStuckAnew && (last.desired.remaining === 'nothing' || last.plan.builds.length === 0)) break;
    last = pass(role, then);
  }
  const { desired, plan: found } = last;
  const adds = builds.filter(({ verb }) => verb === 'add');
  const holders = await kernel.holders(new Set(adds.map(({ key }) => key)), signal);
  const conflicts: Conflict[] = [];
  const possible: PlannedChange[] = [];
  for (const planned of builds) {
    const object = changeObject(planned);
    const holder = planned.verb === 'add' ? holders.get(planned.key) : undefined;
    if (holder) conflicts.push({ want: object, why: planned.why, holder });
    else possible.push(planned);
  }
  const due = [...possible, ...found.deletes];
  const inConflict = new Set(conflicts.map(({ want }) => keyOf(want)));
  return {
    have,
    due,
    report: {
      round: 1,
      reasons: [],
      dumped: true,
      at: 0,
      duration: 0,
      done: due,
      repaired: new Set(),
      failed: [],
      conflicts,
      // When it would go on is up to the daemon that runs.
      held: found.held.map((one) => ({ ...one, until: undefined })),
      problems: desired.problems,
      ...shortfall(role.desire.table, then, inConflict),
      lacking: desired.lacking,
      complete: desired.complete,
      again: undefined,
    },
  };
}

/** What would be lacking afterwards. */
function shortfall(
  table: DesiredTable,
  then: Actual,
  inConflict: ReadonlySet<Key>,
): Pick<Report, 'wanted' | 'installed' | 'missing'> {
  const installed = { ...table.counts };
  const missing: Missing[] = [];
  for (const { key, object: want } of table.values()) {
    const have = inConflict.has(key) ? undefined : then.objects.get(key);
    if (have !== undefined && equal(have, want)) continue;
    installed[want.kind] -= 1;
    missing.push({ want, have });
  }
  return { wanted: { ...table.counts }, installed, missing };
}

function pass(
  { desire, limits }: Role,
  actual: Actual,
): { readonly desired: DesiredState; readonly plan: Plan } {
  const desired = desire.update(actual);
  const due = diff(desire.table, actual);
  const found = plan(due, actual, {
    complete: desired.complete,
    limits,
    agreed: false,
    released: new Map(),
    holdUntil: 0,
    fights: new Map(),
    now: 0,
    withdrawn: nothingWithdrawn,
    isEvident: (change) => desire.isEvident?.(change) ?? false,
    isDecided: (change) => desire.isDecided?.(change) ?? false,
  });
  return { desired, plan: found };
}
