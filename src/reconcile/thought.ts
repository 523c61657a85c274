import { type Change, changeObject, equal, type KernelObject, type Key, keyOf } from '../model/object.ts';
import type { Limits } from '../model/pace.ts';
import type { Refusal, Refusals, Want } from '../model/want.ts';
import { guard } from './guard.ts';
import type { Picture } from './picture.ts';
import { type Formerly, isDelete, plan, references, unpinned } from './plan.ts';
import type { Counts, Due, Held } from './report.ts';

/** What a round means to do: all changes that are due, and those of them that wait. */
export interface Thought {
  readonly want: Want;
  /** Everything that differs, whether it may be done now or not. */
  readonly due: readonly Due[];
  readonly wanted: Counts;
  readonly builds: readonly Due[];
  readonly deletes: readonly Due[];
  readonly held: readonly Held[];
}

/** What restrains a round. */
export interface Restraints {
  readonly limits: Limits;
  /** The hold time is over, or an operator agrees. */
  readonly agreed: boolean;
  /** ms since the epoch when a hold that starts or goes on now ends. */
  readonly holdUntil: number;
  readonly refused: Refusals;
  /** Keys that are fought over, and until when they are left alone. */
  readonly fights: ReadonlyMap<Key, { readonly until: number }>;
  /** Why what is to be deleted was once wanted. */
  readonly formerly: Formerly;
  /** ms since the epoch */
  readonly now: number;
}

export function thought(want: Want, have: Picture, restraints: Restraints): Thought {
  const { limits, agreed, holdUntil, refused, fights, now } = restraints;
  const { due, wanted } = plan(want.objects, have, restraints.formerly);
  const guarded = guard(due, have.objects, want.complete, limits, agreed, holdUntil);
  const held: Held[] = [...guarded.held];
  const stays: KernelObject[] = held.flatMap(({ change }) => remains(change));
  const go: Due[] = [];
  const missing = new Set<Key>();
  // Builds come from the bottom up: what waits is known before what names it.
  for (const one of guarded.go) {
    const { change } = one;
    const object = changeObject(change);
    const key = keyOf(object);
    const until = fights.get(key)?.until ?? 0;
    if (until > now) held.push({ ...one, reason: 'fight', until });
    else if (change.verb !== 'delete' && references(object).some((name) => missing.has(name)))
      held.push({ ...one, reason: 'names what is missing', until: undefined });
    else if (!isRefused(change, refused.get(key))) {
      go.push(one);
      continue;
    }
    stays.push(...remains(change));
    if (change.verb === 'add') missing.add(key);
  }
  const wished = go.filter(isDelete);
  const deletes = unpinned(wished, stays, have.objects);
  if (deletes.length < wished.length) {
    const free = new Set(deletes);
    for (const one of wished) {
      if (!free.has(one)) held.push({ ...one, reason: 'still named', until: undefined });
    }
  }
  return { want, due, wanted, builds: go.filter((one) => !isDelete(one)), deletes, held };
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
