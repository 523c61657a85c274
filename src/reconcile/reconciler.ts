import type { Kernel, Scope } from '../kernel/kernel.ts';
import type { DeleteLimits } from '../model/delete-limits.ts';
import type { Desire, DesiredState, Remainder } from '../model/desired.ts';
import type { Listing, Neighbour } from '../model/listing.ts';
import type { KernelObject, Key, Link } from '../model/object.ts';
import { Actual } from './actual.ts';
import { inOrder, isDelete } from './diff.ts';
import { Drift } from './drift.ts';
import { Execution, waiting } from './execution.ts';
import { Fights } from './fights.ts';
import { Hold } from './hold.ts';
import { type Plan, plan, stuckObjects } from './plan.ts';
import { conflictingKeys, forgetSolved, refusalsOf } from './refusals.ts';
import type { Held, Missing, PlannedChange, Reason, Report } from './report.ts';
import { serviceOf, Withdrawals } from './withdrawals.ts';

/** The part of reconciliation that differs between a gateway and a node. */
export interface Role {
  readonly scope: Scope;
  readonly limits: DeleteLimits;
  /** Computes the desired objects. A new one replaces the whole former desire. */
  readonly desire: Desire;
}

/**
 * 'dump' reads the whole kernel; 'links' its interfaces and their addresses alone; 'cached' nothing: what is not read is
 * known by the last dump and the acknowledgements of our own writes.
 */
export type Refresh = 'dump' | 'links' | 'cached';

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
 * Reconciles the kernel with the desire of a role. It keeps two tables by key, desired and actual, and in what they
 * differ, so that a round costs only what has changed since the last one. A dump compares the keys that differ from the
 * known state.
 */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #writer: Pick<Kernel, 'apply'>;
  readonly #clock: () => number;
  readonly #fights = new Fights();
  #actual: Actual | undefined;
  /** A write was aborted and may be done in part: the next round dumps. */
  #isInDoubt = false;
  readonly #drift = new Drift();
  readonly #withdrawals = new Withdrawals();
  #holders: ReadonlyMap<Key, KernelObject> = new Map();
  readonly #hold = new Hold();
  #rounds = 0;

  /** @param clock ms since the epoch */
  constructor(kernel: Kernel, clock: () => number) {
    this.#kernel = kernel;
    this.#writer = { apply: (...write) => this.#write(...write) };
    this.#clock = clock;
  }

  /** The known state of the kernel; undefined before the first dump. */
  get actual(): Actual | undefined {
    return this.#actual;
  }

  /** In what desired and actual differ, by key. */
  get drift(): ReadonlyMap<Key, PlannedChange> {
    return this.#drift.changes;
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

  /** Releases these of the deletes that are held as too many at once, and no other. */
  release(held: readonly Held[]): void {
    this.#hold.release(new Map(held.map((one) => [one.key, serviceOf(one)])));
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
    const disturbed = new Set<Key>();
    this.#rounds += 1;
    this.#hold.begin();

    let actual = this.#actual;
    let dumped = refresh === 'dump' || actual === undefined || this.#isInDoubt;
    if (actual === undefined || dumped) {
      actual = await this.#dump(role, disturbed, signal);
      actual.forgetRefused();
    } else if (refresh === 'links') actual.setLinks(await this.#kernel.links(signal));
    const earlier = new Set(actual.refused.values());
    const execution = new Execution({ kernel: this.#writer, actual, drift: this.#drift, signal });
    let pass = this.#pass(role, actual, at);
    let refused = await execution.build(pass.plan, pass.desired.retiring);
    /** Of all passes. */
    const doubtful = new Set<PlannedChange>();
    const withdraw = ({ plan: { deletes, doubtful: ofPass } }: Pass): Promise<readonly Held[]> => {
      for (const one of ofPass) doubtful.add(one);
      return execution.withdraw(deletes);
    };
    let remaining: Remainder;
    for (let passes = 1; ; passes += 1) {
      const stuck = actual.setStuck(stuckObjects(pass.plan.held, actual.refused));
      remaining = stuck ? 'objects' : pass.plan.builds.length > 0 ? pass.desired.remaining : 'nothing';
      if (passes === mostPasses) break;
      if (refused.length > 0) {
        // The last dump may be outdated: dump again, and plan the rest without the refused changes.
        await this.#dump(role, disturbed, signal);
        dumped = true;
        forgetSolved(actual);
        this.#holders = await this.#kernel.holders(conflictingKeys(actual.refused), signal);
      } else if (remaining === 'nothing') break;
      else if (remaining === 'merges') {
        await withdraw(pass);
        // The guard of the next pass counts them.
        this.#withdrawals.note(execution.done, (one) => doubtful.has(one), at);
      }
      pass = this.#pass(role, actual, at);
      refused = await execution.build(pass.plan, pass.desired.retiring);
    }
    const held: Held[] = [...pass.plan.held];
    if (refused.length === 0) held.push(...(await withdraw(pass)));
    else held.push(...pass.plan.deletes.map((one) => waiting(one, 'after a refusal')));

    const { done } = execution;
    const repaired = repairs(done, disturbed);
    if (!reasons.some(({ kind }) => kind === 'link' || kind === 'address'))
      this.#fights.repaired(repaired, at);
    // Deletes that a person has agreed to do not count as a trickle of deletes.
    if (this.#hold.isReleased(at)) this.#withdrawals.forget();
    else this.#withdrawals.note(done, (one) => doubtful.has(one), at);
    const { table } = role.desire;
    this.#hold.keep(held, (key) => table.get(key) !== undefined);
    table.forget((key) => !actual.objects.has(key));
    // A refusal is reported in its own round, and does not outlive the object that it was about.
    actual.forgetRefused(
      (key, failed) => earlier.has(failed) && table.get(key) === undefined && !this.#drift.changes.has(key),
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
      ...refusalsOf(actual.refused, this.#holders),
      ...this.#problems(pass.desired, at),
      ...this.#shortfall(role.desire),
      lacking: pass.desired.lacking,
      wanted: { ...table.counts },
      complete: pass.desired.complete,
      again: remaining !== 'nothing' && refused.length === 0 ? at : earliest(held),
    };
  }

  async #dump(role: Role, disturbed: Set<Key>, signal: AbortSignal): Promise<Actual> {
    const listing: Listing = await this.#kernel.list(role.scope, signal);
    if (this.#actual === undefined) {
      this.#actual = new Actual(listing);
      this.#drift.compareAll(this.#actual);
      return this.#actual;
    }
    const actual = this.#actual;
    const { changed, appeared } = actual.refresh(listing);
    // After an aborted write, the difference may come from ourselves.
    if (!this.#isInDoubt) for (const key of changed) disturbed.add(key);
    for (const key of changed) this.#drift.compare(key, actual);
    for (const key of appeared) this.#drift.compare(key, actual);
    // The ledger, which is part of the listing, decides which sysctls are ours.
    for (const [key, { kind }] of actual.objects) if (kind === 'sysctl') this.#drift.compare(key, actual);
    this.#isInDoubt = false;
    return actual;
  }

  /** Updates the desired table, and plans the differences. */
  #pass(role: Role, actual: Actual, at: number): Pass {
    const { desire, limits } = role;
    const desired = desire.update(actual);
    this.#drift.follow(desire, actual);
    const due = inOrder(this.#drift.changes.values());
    const found = plan(due, actual, {
      complete: desired.complete,
      limits,
      agreed: this.#hold.isReleased(at),
      released: this.#hold.released,
      holdUntil: this.#hold.end(at, limits.hold),
      fights: this.#fights.ongoing(at),
      now: at,
      withdrawn: this.#withdrawals.since(at - limits.window),
      isEvident: (change) => desire.isEvident?.(change) ?? false,
      isDecided: (change) => desire.isDecided?.(change) ?? false,
    });
    return { desired, due, plan: found };
  }

  async #write(...write: Parameters<Kernel['apply']>): ReturnType<Kernel['apply']> {
    try {
      return await this.#kernel.apply(...write);
    } catch (error) {
      this.#isInDoubt = true;
      throw error;
    }
  }

  /** Costs what the drift holds, which is nothing once all is done. */
  #shortfall({ table }: Desire): Pick<Report, 'installed' | 'missing'> {
    const installed = { ...table.counts };
    const missing: Missing[] = [];
    for (const change of this.#drift.changes.values()) {
      if (change.verb === 'delete') continue;
      installed[change.want.kind] -= 1;
      missing.push({ want: change.want, have: change.verb === 'replace' ? change.have : undefined });
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
          code: 'fight' as const,
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
