import type { Kernel, KernelError, Scope } from '../kernel/kernel.ts';
import type { DeleteLimits } from '../model/delete-limits.ts';
import type { Desire, DesiredState } from '../model/desired.ts';
import type { Listing, Neighbour } from '../model/listing.ts';
import { changeObject, isAnnouncement, type KernelObject, type Key, type Link } from '../model/object.ts';
import { Actual } from './actual.ts';
import { allKeys, diff, differs, isDelete, references, unpinned } from './diff.ts';
import { Fights } from './fights.ts';
import { Hold } from './hold.ts';
import { comesTo, type Plan, plan, stuckKeys } from './plan.ts';
import type { Conflict, Failed, Held, HoldReason, Missing, PlannedChange, Reason, Report } from './report.ts';
import { Withdrawals } from './withdrawals.ts';

/** The part of reconciliation that differs between a gateway and a node. */
export interface Role {
  readonly scope: Scope;
  readonly limits: DeleteLimits;
  /** Computes the desired objects. A new one replaces the whole former desire. */
  readonly desire: Desire;
}

/** 'dump' reads the whole kernel; 'cached' relies on the last dump and the acknowledgements of our own writes. */
export type Refresh = 'dump' | 'cached';

/**
 * Passes of one round. A refused nexthop hides a refusal of its group, and that one a refusal of its route; a group
 * that splits changes its members only after the other EIPs have left.
 */
const mostPasses = 5;

/** One pass of a round: what is desired, what differs, and what may be done about it. */
interface Pass {
  readonly desired: DesiredState;
  readonly due: readonly PlannedChange[];
  readonly plan: Plan;
}

/**
 * Reconciles the kernel with the desire of a role. It keeps two tables by key, desired and actual, and the set of keys
 * in which they differ, so that a round costs only what has changed since the last one. A dump compares the keys that
 * differ from the known state.
 */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #clock: () => number;
  readonly #fights = new Fights();
  #actual: Actual | undefined;
  /** A write was aborted and may be done in part: the next round dumps. */
  #isInDoubt = false;
  #desire: Desire | undefined;
  /** The keys in which desired and actual differ. */
  readonly #drift = new Set<Key>();
  readonly #withdrawals = new Withdrawals();
  #holders: ReadonlyMap<Key, KernelObject> = new Map();
  readonly #hold = new Hold();
  #rounds = 0;

  /** @param clock ms since the epoch */
  constructor(kernel: Kernel, clock: () => number) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  /** The known state of the kernel; undefined before the first dump. */
  get actual(): Actual | undefined {
    return this.#actual;
  }

  /** The keys in which desired and actual differ. */
  get drift(): ReadonlySet<Key> {
    return this.#drift;
  }

  /** The interfaces, as of the last dump. */
  get links(): readonly Link[] {
    return this.#actual?.links ?? [];
  }

  /** The scope's neighbours, as of the last dump. */
  get neighbours(): readonly Neighbour[] {
    return this.#actual?.neighbours ?? [];
  }

  /** Whether the known state has an object of ours with this key. */
  has(key: Key): boolean {
    return this.#actual?.objects.has(key) ?? false;
  }

  /** Releases the deletes that are held as too many at once; the next round executes them. */
  agree(): void {
    this.#hold.agree();
  }

  /**
   * Reconciles the kernel with the desire of the role, except for refused and held changes.
   *
   * @throws KernelError when the kernel cannot be read; nothing has been changed then
   */
  async round(
    role: Role,
    reasons: readonly Reason[],
    refresh: Refresh,
    signal: AbortSignal,
  ): Promise<Report> {
    const at = this.#clock();
    const start = performance.now();
    const done: PlannedChange[] = [];
    const disturbed = new Set<Key>();
    this.#rounds += 1;
    this.#hold.begin();

    let actual = this.#actual;
    let dumped = refresh === 'dump' || actual === undefined || this.#isInDoubt;
    if (actual === undefined || dumped) {
      actual = await this.#dump(role, disturbed, signal);
      actual.forgetRefused();
    }
    const earlier = new Set(actual.refused.values());
    let pass = this.#pass(role, actual, at);
    let refused = await this.#build(pass.plan.builds, actual, done, signal);
    let goesOn = false;
    for (let passes = 1; ; passes += 1) {
      const stuck = actual.setStuck(stuckKeys(pass.plan.held, actual.refused));
      goesOn = stuck || (pass.desired.unfinished && pass.plan.builds.length > 0);
      if (passes === mostPasses) break;
      if (refused.length > 0) {
        // The last dump may be outdated: dump again, and plan the rest without the refused changes.
        await this.#dump(role, disturbed, signal);
        dumped = true;
        forgetSolved(actual);
        this.#holders = await this.#kernel.holders(conflictingKeys(actual.refused), signal);
      } else if (!goesOn) break;
      pass = this.#pass(role, actual, at);
      refused = await this.#build(pass.plan.builds, actual, done, signal);
    }
    const held: Held[] = [...pass.plan.held];
    if (refused.length === 0) held.push(...(await this.#withdraw(pass.plan.deletes, actual, done, signal)));
    else held.push(...pass.plan.deletes.map((one) => waiting(one, 'after a refusal')));

    const repaired = repairs(done, disturbed);
    if (!reasons.some(({ kind }) => kind === 'link' || kind === 'address'))
      this.#fights.repaired(repaired, at);
    // What a person has agreed to is no trickle.
    if (this.#hold.isReleased(at)) this.#withdrawals.forget();
    else this.#withdrawals.note(done, (one) => pass.plan.doubtful.has(one), at);
    this.#hold.keep(held);
    const { table } = role.desire;
    table.forget((key) => !actual.objects.has(key));
    // A refusal is reported in its own round, and does not outlive the object that it was about.
    actual.forgetRefused(
      (key, failed) => earlier.has(failed) && table.get(key) === undefined && !this.#drift.has(key),
    );
    return {
      round: this.#rounds,
      reasons,
      dumped,
      at,
      duration: performance.now() - start,
      done,
      repaired,
      held,
      ...this.#refusals(actual),
      ...this.#problems(pass.desired, at),
      ...this.#shortfall(role.desire, actual),
      lacking: pass.desired.lacking,
      wanted: { ...table.counts },
      complete: pass.desired.complete,
      again: goesOn && refused.length === 0 ? at : earliest(held),
    };
  }

  async #dump(role: Role, disturbed: Set<Key>, signal: AbortSignal): Promise<Actual> {
    const listing: Listing = await this.#kernel.list(role.scope, signal);
    if (this.#actual === undefined) {
      this.#actual = new Actual(listing);
      if (this.#desire !== undefined) this.#compareAll(this.#desire, this.#actual);
      return this.#actual;
    }
    const actual = this.#actual;
    const { changed, appeared } = actual.refresh(listing);
    // After an aborted write, the difference may come from ourselves.
    if (!this.#isInDoubt) for (const key of changed) disturbed.add(key);
    for (const key of changed) this.#compare(key, actual);
    for (const key of appeared) this.#compare(key, actual);
    // The ledger, which is part of the listing, decides which sysctls are ours.
    for (const [key, { kind }] of actual.objects) if (kind === 'sysctl') this.#compare(key, actual);
    this.#isInDoubt = false;
    return actual;
  }

  /** Updates the desired table, and plans the differences. */
  #pass(role: Role, actual: Actual, at: number): Pass {
    const { desire, limits } = role;
    const desired = desire.update(actual);
    if (desire === this.#desire) for (const key of desire.table.takeTouched()) this.#compare(key, actual);
    else {
      if (this.#desire !== undefined) desire.table.inherit(this.#desire.table);
      this.#desire = desire;
      desire.table.takeTouched();
      this.#compareAll(desire, actual);
    }
    const due = diff(this.#drift, desire.table, actual);
    const found = plan(due, actual, {
      complete: desired.complete,
      limits,
      agreed: this.#hold.isReleased(at),
      holdUntil: this.#hold.end(at, limits.hold),
      fights: this.#fights.ongoing(at),
      now: at,
      withdrawn: this.#withdrawals.since(at - limits.window),
      isEvident: (change) => desire.isEvident?.(change) ?? false,
    });
    return { desired, due, plan: found };
  }

  #compare(key: Key, actual: Actual): void {
    const { table } = this.#desire ?? {};
    if (table !== undefined && differs(key, table, actual)) this.#drift.add(key);
    else this.#drift.delete(key);
  }

  #compareAll({ table }: Desire, actual: Actual): void {
    this.#drift.clear();
    for (const key of allKeys(table, actual)) if (differs(key, table, actual)) this.#drift.add(key);
  }

  /** Deletes from the top down: an object whose delete fails keeps its references. */
  async #withdraw(
    deletes: readonly PlannedChange[],
    actual: Actual,
    done: PlannedChange[],
    signal: AbortSignal,
  ): Promise<readonly Held[]> {
    const held: Held[] = [];
    let rest = deletes;
    for (let [first] = rest; first !== undefined; [first] = rest) {
      const isAlike = sameLevel(first);
      const level = rest.filter(isAlike);
      rest = rest.filter((one) => !isAlike(one));
      const refused = await this.#apply(level, actual, done, signal);
      if (refused.length === 0) continue;
      const stays = refused.map(({ change }) => changeObject(change));
      const free = new Set(unpinned(rest, stays, actual.objects));
      held.push(...rest.filter((one) => !free.has(one)).map((one) => waiting(one, 'still named')));
      rest = rest.filter((one) => free.has(one));
    }
    return held;
  }

  /**
   * Builds from the bottom up, one kind after the other. Skips objects that reference a refused one.
   *
   * @returns what was refused or skipped
   */
  async #build(
    builds: readonly PlannedChange[],
    actual: Actual,
    done: PlannedChange[],
    signal: AbortSignal,
  ): Promise<readonly PlannedChange[]> {
    const undone: PlannedChange[] = [];
    const keys = new Set<Key>();
    const isPossible = ({ change }: PlannedChange): boolean =>
      !references(changeObject(change)).some((key) => keys.has(key)) && !comesTo(change, keys);
    for (let from = 0; from < builds.length; ) {
      const kind = kindOf(builds[from]);
      let to = from + 1;
      while (to < builds.length && kindOf(builds[to]) === kind) to += 1;
      const level = builds.slice(from, to);
      const possible = keys.size === 0 ? level : level.filter(isPossible);
      const refused = await this.#apply(possible, actual, done, signal);
      undone.push(...refused, ...(possible === level ? [] : level.filter((one) => !isPossible(one))));
      for (const { key } of undone) keys.add(key);
      from = to;
    }
    return undone;
  }

  /** @returns what was refused */
  async #apply(
    planned: readonly PlannedChange[],
    actual: Actual,
    done: PlannedChange[],
    signal: AbortSignal,
  ): Promise<readonly PlannedChange[]> {
    if (planned.length === 0) return [];
    const outcomes = await this.#write(planned, signal);
    const refused: PlannedChange[] = [];
    for (const [i, one] of planned.entries()) {
      const { key, change, why } = one;
      const outcome = outcomes[i];
      if (outcome === undefined || (isDelete(one) && isGone(outcome))) {
        actual.acknowledge(one);
        this.#compare(key, actual);
        done.push(one);
      } else {
        refused.push(one);
        actual.refuse(key, { change, why, code: outcome.code, message: outcome.message });
      }
    }
    return refused;
  }

  async #write(
    planned: readonly PlannedChange[],
    signal: AbortSignal,
  ): Promise<readonly (KernelError | undefined)[]> {
    try {
      return await this.#kernel.apply(
        planned.map(({ change }) => change),
        signal,
      );
    } catch (error) {
      this.#isInDoubt = true;
      throw error;
    }
  }

  #refusals({ refused }: Actual): Pick<Report, 'failed' | 'conflicts'> {
    const failed: Failed[] = [];
    const conflicts: Conflict[] = [];
    for (const [key, failure] of refused) {
      if (isConflict(failure))
        conflicts.push({
          want: changeObject(failure.change),
          why: failure.why,
          holder: this.#holders.get(key),
        });
      else failed.push(failure);
    }
    return { failed, conflicts };
  }

  /** Costs what the drift holds, which is nothing once all is done. */
  #shortfall({ table }: Desire, { objects }: Actual): Pick<Report, 'installed' | 'missing'> {
    const installed = { ...table.counts };
    const missing: Missing[] = [];
    for (const key of this.#drift) {
      const want = table.get(key)?.object;
      if (want === undefined) continue;
      installed[want.kind] -= 1;
      missing.push({ want, have: objects.get(key) });
    }
    return { installed, missing };
  }

  #problems({ problems }: DesiredState, at: number): Pick<Report, 'problems'> {
    const fights = this.#fights.ongoing(at);
    if (fights.size === 0) return { problems };
    return {
      problems: [
        ...problems,
        ...[...fights].map(([key, { repairs: times }]) => ({
          code: 'fight',
          severity: 'error' as const,
          subject: key,
          message: `another program keeps changing ${key}: repaired ${times} times in five minutes`,
          advice:
            'find the program (ip monitor, journalctl), and make it leave the object alone; until then it is put right more and more slowly',
        })),
      ],
    };
  }
}

/** Forgets refusals that the new dump explains. */
function forgetSolved(actual: Actual): void {
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

/** Announcements go before the routes that they announce. */
function sameLevel({ change }: PlannedChange): (one: PlannedChange) => boolean {
  const first = changeObject(change);
  return (one) => {
    const object = changeObject(one.change);
    return object.kind === first.kind && isAnnouncement(object) === isAnnouncement(first);
  };
}

function waiting(planned: PlannedChange, reason: HoldReason): Held {
  return { ...planned, reason, until: undefined };
}

function kindOf(planned: PlannedChange | undefined): KernelObject['kind'] | undefined {
  return planned && changeObject(planned.change).kind;
}

function isGone({ code }: KernelError): boolean {
  return code === 'ESRCH' || code === 'ENOENT' || code === 'EADDRNOTAVAIL';
}

/** The key belongs to another program: the add was refused, and no dump showed the object as ours. */
function isConflict({ change, code }: Failed): boolean {
  return change.verb === 'add' && code === 'EEXIST';
}

function conflictingKeys(refused: ReadonlyMap<Key, Failed>): ReadonlySet<Key> {
  const keys = new Set<Key>();
  for (const [key, failure] of refused) if (isConflict(failure)) keys.add(key);
  return keys;
}

function repairs(done: readonly PlannedChange[], disturbed: ReadonlySet<Key>): ReadonlySet<Key> {
  const keys = new Set<Key>();
  if (disturbed.size === 0) return keys;
  for (const one of done) {
    if (!isDelete(one) && disturbed.has(one.key)) keys.add(one.key);
  }
  return keys;
}

function earliest(held: readonly Held[]): number | undefined {
  const times = held.map(({ until }) => until).filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}
