import type { Hint } from '../kernel/kernel.ts';
import type { Refusal, Why } from '../model/desired-object.ts';
import type { Change, Counts, KernelObject, Key } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';

/** The result of one round. Journal, status and exit codes are derived from it. */
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
  /** Keys in `done` of objects that another program had changed or removed. */
  readonly repaired: ReadonlySet<Key>;
  /** The changes that the kernel refuses, tried in this round or an earlier one. */
  readonly failed: readonly Failed[];
  readonly conflicts: readonly Conflict[];
  readonly held: readonly Held[];
  readonly problems: readonly Problem[];
  /** Desired objects that are not in the kernel as desired, for whatever reason. */
  readonly missing: readonly Missing[];
  /** EIPs that should be routed, and whose routes are not even desired, since they cannot be installed now. */
  readonly lacking: number;
  /** Desired objects that are in the kernel as desired, by kind. */
  readonly installed: Counts;
  /** Desired objects, by kind. */
  readonly wanted: Counts;
  /** All lists of the cluster have arrived. */
  readonly complete: boolean;
  /** ms since the epoch when the next round is due at the latest (a hold ends); undefined: nothing waits. */
  readonly again: number | undefined;
}

/** What is kept of a report: not what was done, which are a hundred thousand changes after a start. */
export type LastReport = Omit<Report, 'done'>;

export function lastOf({ done: _, ...last }: Report): LastReport {
  return last;
}

/** A reason of a round. */
export interface Reason {
  readonly kind:
    | Exclude<Hint['kind'], 'foreign'>
    | 'start'
    | 'cluster'
    | 'config'
    | 'resync'
    | 'retry'
    | 'waited'
    | 'operator';
  /** In words, for the journal: 'route deleted: 198.51.100.10/32'. */
  readonly text: string;
}

/** A change with its reason. */
export type PlannedChange = Change & {
  /** Of the object that is changed; the same string as in the table of what is desired. */
  readonly key: Key;
  readonly why: Why;
};

/** A desired object that the kernel lacks, or has otherwise. */
export interface Missing {
  readonly want: KernelObject;
  readonly have: KernelObject | undefined;
}

export interface Failed extends Refusal {
  readonly change: PlannedChange;
}

/** An object of another program has the key of a desired object. */
export interface Conflict {
  readonly want: KernelObject;
  readonly why: Why;
  /** undefined: it was gone again when the kernel was asked. */
  readonly holder: KernelObject | undefined;
}

/** A change that waits. */
export type Held = PlannedChange & {
  readonly reason: HoldReason;
  /** ms since the epoch when it is executed; undefined: when the reason is gone. */
  readonly until: number | undefined;
};

export type HoldReason =
  | 'lists incomplete'
  | 'too many at once'
  | 'still named'
  | 'names what is missing'
  | 'after a refusal'
  | 'fight';

/** Nothing is refused, in conflict or waiting, and all lists are in. */
export function isInSync(report: LastReport): boolean {
  return (
    report.complete &&
    report.missing.length === 0 &&
    report.lacking === 0 &&
    report.failed.length === 0 &&
    report.conflicts.length === 0 &&
    report.held.length === 0
  );
}

/** The guard holds it, which an operator may end. */
export function isTooMany({ reason }: Held): boolean {
  return reason === 'too many at once';
}

/** The changes that were due, and that the kernel refused or that wait. */
export function undone({ failed, held }: LastReport): readonly PlannedChange[] {
  return [...failed.map(({ change }) => change), ...held];
}

/** The guard holds deletes as too many at once: the state of the cluster may be wrong. */
export function isDoubted(report: LastReport | undefined): boolean {
  return report?.held.some(isTooMany) ?? false;
}
