import type { Kernel } from '../kernel/kernel.ts';
import type { Listing } from '../model/listing.ts';
import { changeObject, keyOf } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { Picture } from './picture.ts';
import type { Role } from './reconciler.ts';
import type { Conflict, Due, Held } from './report.ts';
import { type Thought, thought } from './thought.ts';

/** What a first round would do. */
export interface Foresight {
  readonly have: Listing;
  readonly due: readonly Due[];
  readonly held: readonly Held[];
  readonly conflicts: readonly Conflict[];
  readonly problems: readonly Problem[];
}

/**
 * Thinks a round through without touching anything.
 *
 * @throws KernelError when the kernel cannot be read
 */
export async function foresee(kernel: Kernel, role: Role, signal: AbortSignal): Promise<Foresight> {
  const have = new Picture(await kernel.list(role.scope, signal));
  const first = think(role, have);
  // Nothing of the listing is lost: what is wanted last is compared with what would be there by then.
  const then = new Picture(have);
  for (const { change } of first.builds) then.acknowledge(change);
  const last = first.want.unfinished === true ? think(role, then) : undefined;
  const builds = [...first.builds, ...(last?.builds ?? [])];
  const { want, deletes, held } = last ?? first;
  const adds = builds.filter(({ change }) => change.verb === 'add');
  const holders = await kernel.holders(
    new Set(adds.map(({ change }) => keyOf(changeObject(change)))),
    signal,
  );
  const conflicts: Conflict[] = [];
  const possible: Due[] = [];
  for (const due of builds) {
    const object = changeObject(due.change);
    const holder = due.change.verb === 'add' ? holders.get(keyOf(object)) : undefined;
    if (holder) conflicts.push({ want: object, why: due.why, holder });
    else possible.push(due);
  }
  return { have, due: [...possible, ...deletes], held, conflicts, problems: want.problems };
}

function think(role: Role, have: Picture): Thought {
  return thought(role.want(have, new Map()), have, {
    limits: role.limits,
    agreed: false,
    holdUntil: 0,
    refused: new Map(),
    fights: new Map(),
    formerly: () => undefined,
    now: 0,
  });
}
