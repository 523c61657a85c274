import type { Hint } from '../kernel/kernel.ts';
import type { Refusal, Why } from '../model/desired-object.ts';
import type { Change, Counts, KernelObject, Key } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';

/** What one round did and found: the one value that journal, status and exit codes are made from. */
export interface Report {
  /** 1, 2, … since the start. */
  readonly round: number;
  readonly reasons: readonly Reason[];
  /** The kernel was dumped in this round. */
  readonly dumped: boolean;
  /** ms since the epoch, when the round began. */
  readonly at: number;
  /** ms */
  readonly duration: number;
  readonly done: readonly PlannedChange[];
  /** Objects that somebody else had changed or removed and that were put right; keys into `done`. */
  readonly repaired: ReadonlySet<Key>;
  /** What the kernel refuses, whether tried in this round or in an earlier one. */
  readonly failed: readonly Failed[];
  readonly conflicts: readonly Conflict[];
  readonly held: readonly Held[];
  readonly problems: readonly Problem[];
  /** Objects in the kernel that are ours and as wanted, by kind. */
  readonly installed: Counts;
  /** Objects wanted, by kind. */
  readonly wanted: Counts;
  /** All lists of the cluster have come in. */
  readonly complete: boolean;
  /** ms since the epoch when a round is due whatever happens (a hold ends); undefined: nothing waits. */
  readonly again: number | undefined;
}

/** Why a round was due. */
export interface Reason {
  readonly kind: Hint['kind'] | 'start' | 'cluster' | 'config' | 'resync' | 'retry' | 'waited' | 'operator';
  /** In words, for the journal: 'route deleted: 198.51.100.10/32'. */
  readonly text: string;
}

/** A change that is due, and why. */
export interface PlannedChange {
  readonly change: Change;
  readonly why: Why;
}

export interface Failed extends Refusal {
  readonly why: Why;
}

/** A key of ours is taken by an object that is not ours. */
export interface Conflict {
  readonly want: KernelObject;
  readonly why: Why;
  /** undefined when it was gone again before we could look. */
  readonly holder: KernelObject | undefined;
}

/** A change that waits. */
export interface Held extends PlannedChange {
  readonly reason: HoldReason;
  /** ms since the epoch when it goes on by itself; undefined: when the reason is gone. */
  readonly until: number | undefined;
}

export type HoldReason =
  | 'lists incomplete'
  | 'too many at once'
  | 'still named'
  | 'names what is missing'
  | 'after a refusal'
  | 'fight';

/** Nothing is refused, in conflict or waiting, and all lists are in. */
export function isInSync(report: Report): boolean {
  return (
    report.complete && report.failed.length === 0 && report.conflicts.length === 0 && report.held.length === 0
  );
}

/** So much would vanish at once that the guard holds it: what the cluster says now is doubted. */
export function isDoubted(report: Report | undefined): boolean {
  return report?.held.some(({ reason }) => reason === 'too many at once') ?? false;
}
