import type { Answered, Kernel, KernelError } from '../kernel/kernel.ts';
import { changeObject, isAnnouncement, type KernelObject, type Key } from '../model/object.ts';
import type { Actual } from './actual.ts';
import { foundations, isDelete, unpinned } from './diff.ts';
import type { Drift } from './drift.ts';
import type { Plan } from './plan.ts';
import type { Held, HoldReason, PlannedChange } from './report.ts';
import { type Shrinking, shrinking } from './shrinking.ts';

export interface ExecutionInputs {
  readonly kernel: Pick<Kernel, 'apply'>;
  readonly actual: Actual;
  readonly drift: Drift;
  readonly signal: AbortSignal;
}

/** Makes the planned changes of one round in the kernel, level by level, and notes what came of each. */
export class Execution {
  readonly #kernel: Pick<Kernel, 'apply'>;
  readonly #actual: Actual;
  readonly #drift: Drift;
  readonly #signal: AbortSignal;
  /** Level by level. */
  readonly #done: (readonly PlannedChange[])[] = [];
  /** Of the last {@link build}. */
  #shrinking: Shrinking = new Map();

  constructor({ kernel, actual, drift, signal }: ExecutionInputs) {
    this.#kernel = kernel;
    this.#actual = actual;
    this.#drift = drift;
    this.#signal = signal;
  }

  /** What the kernel has acknowledged, in order. */
  get done(): readonly PlannedChange[] {
    return this.#done.flat();
  }

  /**
   * Builds from the bottom up, one kind after the other. Skips objects that reference a refused one. Leaves to
   * {@link withdraw} what the deletes make by the way, unless something was refused: then they wait.
   *
   * @param retiring ids of nexthops whose deletes come with the next pass
   * @returns what was refused or skipped
   * @throws when the kernel cannot be written: what was done of the level is unknown then
   */
  async build(
    { builds, deletes }: Pick<Plan, 'builds' | 'deletes'>,
    retiring: ReadonlySet<number>,
  ): Promise<readonly PlannedChange[]> {
    this.#shrinking = shrinking(builds, new Set([...retiring, ...deletes.flatMap(nexthopOf)]));
    if (this.#shrinking.size === 0) return this.#build(builds);
    const left = new Set([...this.#shrinking.values()].flat());
    const undone = await this.#build(builds.filter((one) => !left.has(one)));
    return undone.length === 0 ? undone : [...undone, ...(await this.#shrinkAll())];
  }

  async #build(builds: readonly PlannedChange[]): Promise<readonly PlannedChange[]> {
    const undone: PlannedChange[] = [];
    const keys = new Set<Key>();
    const isPossible = (change: PlannedChange): boolean =>
      !foundations(changeObject(change)).some((key) => keys.has(key));
    for (let from = 0; from < builds.length; ) {
      const kind = kindOf(builds[from]);
      let to = from + 1;
      while (to < builds.length && kindOf(builds[to]) === kind) to += 1;
      const level = builds.slice(from, to);
      const possible = keys.size === 0 ? level : level.filter(isPossible);
      const refused = await this.#apply(possible);
      undone.push(...refused, ...(possible === level ? [] : level.filter((one) => !isPossible(one))));
      for (const { key } of undone) keys.add(key);
      from = to;
    }
    return undone;
  }

  /**
   * Deletes from the top down: an object whose delete fails keeps its references. A group that was left to a delete
   * which is not made is replaced.
   *
   * @returns what waits because it is still referenced
   * @throws as {@link build}
   */
  async withdraw(deletes: readonly PlannedChange[]): Promise<readonly Held[]> {
    const held: Held[] = [];
    let rest = deletes;
    for (let [first] = rest; first !== undefined; [first] = rest) {
      const isAlike = sameLevel(first);
      const level = rest.filter(isAlike);
      rest = rest.filter((one) => !isAlike(one));
      const refused = await this.#apply(level);
      if (refused.length === 0) continue;
      const stays = refused.map(changeObject);
      const free = new Set(unpinned(rest, stays, this.#actual.objects));
      held.push(...rest.filter((one) => !free.has(one)).map((one) => waiting(one, 'still named')));
      rest = rest.filter((one) => free.has(one));
    }
    await this.#shrinkAll();
    return held;
  }

  /** The groups that the delete of a nexthop has made smaller; they are left to no other one. */
  #madeWith(done: PlannedChange): readonly PlannedChange[] {
    const [id] = nexthopOf(done);
    if (id === undefined) return [];
    const groups = this.#shrinking.get(id) ?? [];
    this.#shrinking.delete(id);
    return groups;
  }

  /** Replaces the groups that no delete has made smaller. @returns what was refused */
  #shrinkAll(): Promise<readonly PlannedChange[]> {
    return this.#apply([...this.#shrinking.values()].flat());
  }

  /** @returns what was refused */
  async #apply(planned: readonly PlannedChange[]): Promise<readonly PlannedChange[]> {
    if (planned.length === 0) return [];
    const refused: PlannedChange[] = [];
    const done: PlannedChange[] = [];
    let next = 0;
    // A first round has a hundred thousand routes: what came of them is noted while the kernel still works on the rest.
    const take: Answered = (count, outcomes) => {
      for (; next < count; next += 1) {
        const one = planned[next];
        if (one === undefined) continue;
        const outcome = outcomes[next];
        if (outcome === undefined || (isDelete(one) && isGone(outcome))) {
          for (const made of [...this.#madeWith(one), one]) {
            this.#actual.acknowledge(made);
            done.push(made);
          }
        } else {
          refused.push(one);
          const { code, message } = outcome;
          this.#actual.refuse(one.key, { change: one, code, message });
        }
      }
    };
    try {
      take(planned.length, await this.#kernel.apply(planned, this.#signal, take));
    } finally {
      // Also where the kernel could be written no further: what it has acknowledged is due no more.
      this.#drift.done(done);
    }
    this.#done.push(done);
    return refused;
  }
}

export function waiting(planned: PlannedChange, reason: HoldReason): Held {
  return { ...planned, reason, until: undefined };
}

/** Announcements go before the routes that they announce. */
function sameLevel(change: PlannedChange): (one: PlannedChange) => boolean {
  const first = changeObject(change);
  return (one) => {
    const object = changeObject(one);
    return object.kind === first.kind && isAnnouncement(object) === isAnnouncement(first);
  };
}

/** The id of the nexthop that a change deletes. */
function nexthopOf(change: PlannedChange): readonly number[] {
  return change.verb === 'delete' && change.have.kind === 'nexthop' ? [change.have.id] : [];
}

function kindOf(planned: PlannedChange | undefined): KernelObject['kind'] | undefined {
  return planned && changeObject(planned).kind;
}

function isGone({ code }: KernelError): boolean {
  return code === 'ESRCH' || code === 'ENOENT' || code === 'EADDRNOTAVAIL';
}
