import { changeObject, type KernelObject, type Key } from '../model/object.ts';
import type { Actual } from './actual.ts';
import { references } from './diff.ts';
import type { Conflict, Failed, Report } from './report.ts';

/** Forgets refusals that the new dump explains. */
export function forgetSolved(actual: Actual): void {
  actual.forgetRefused((key, { change, code }) => {
    const object = changeObject(change);
    const isId = object.kind === 'nexthop' || object.kind === 'group';
    return (
      (change.verb === 'add' && actual.objects.has(key)) ||
      // Another program has taken the id; a retry uses another one.
      (isId && code === 'EEXIST') ||
      // Another program has deleted an object that it references; that one is written first now.
      (change.verb !== 'delete' && references(object).some((name) => !actual.objects.has(name)))
    );
  });
}

/** Of what was refused, the keys that belong to other programs. */
export function conflictingKeys(refused: ReadonlyMap<Key, Failed>): ReadonlySet<Key> {
  const keys = new Set<Key>();
  for (const [key, failure] of refused) if (isConflict(failure)) keys.add(key);
  return keys;
}

/** @param holders the objects of other programs that have the {@link conflictingKeys} */
export function refusalsOf(
  refused: ReadonlyMap<Key, Failed>,
  holders: ReadonlyMap<Key, KernelObject>,
): Pick<Report, 'failed' | 'conflicts'> {
  const failed: Failed[] = [];
  const conflicts: Conflict[] = [];
  for (const [key, failure] of refused) {
    if (isConflict(failure))
      conflicts.push({
        want: changeObject(failure.change),
        why: failure.change.why,
        holder: holders.get(key),
      });
    else failed.push(failure);
  }
  return { failed, conflicts };
}

/** The key belongs to another program: the add was refused, and no dump showed the object as ours. */
function isConflict({ change, code }: Failed): boolean {
  return change.verb === 'add' && code === 'EEXIST';
}
