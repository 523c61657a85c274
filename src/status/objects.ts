import type { DesiredTable, KernelState } from '../model/desired.ts';
import type { DesiredObject } from '../model/desired-object.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { type Change, changeObject, type KernelObject, type Key, keyOf } from '../model/object.ts';
import { differenceOf } from '../reconcile/diff.ts';
import type { Held, Report } from '../reconcile/report.ts';
import type { Summary } from './state.ts';

/** What `eiproute status --objects --json` prints. */
export interface ObjectsStatus extends Summary {
  readonly objects: readonly ObjectStatus[];
}

/** One object that is desired, or in the kernel and ours. */
export interface ObjectStatus {
  readonly kind: KernelObject['kind'];
  readonly key: Key;
  readonly state: ObjectState;
  /** In the words of iproute2. */
  readonly object: string;
  readonly why: string;
  /** Error of the kernel, reason of the hold, foreign holder of the key, or the object that a pending change replaces. */
  readonly detail: string | undefined;
}

/**
 * - installed: in the kernel as desired
 * - pending: a change is due
 * - refused: the kernel refuses the change
 * - held: the change waits for a reason of ours
 * - foreign: an object of another program has the key
 * - unwanted: in the kernel, ours, and due to be deleted
 */
export type ObjectState = 'installed' | 'pending' | 'refused' | 'held' | 'foreign' | 'unwanted';

/** The two tables of the reconciler, and the last report. */
export interface ObjectTables {
  readonly desired: Pick<DesiredTable, 'get' | 'former' | 'values'>;
  readonly actual: Pick<KernelState, 'objects' | 'formerSysctls'>;
  readonly report: Pick<Report, 'failed' | 'conflicts' | 'held'>;
}

/** Every desired or actual object with its state, sorted by kind and key. */
export function objectStatuses(tables: ObjectTables, names: LinkNames): readonly ObjectStatus[] {
  const { desired, actual, report } = tables;
  const found = new Map<Key, ObjectStatus>();
  for (const want of desired.values()) found.set(want.key, statusOf(want, tables, names));
  for (const [key, have] of actual.objects) {
    const row = desired.get(key) === undefined ? unwanted(key, have, tables, names) : undefined;
    if (row !== undefined) found.set(key, row);
  }
  const add = (object: KernelObject, rest: Pick<ObjectStatus, 'state' | 'why' | 'detail'>): void => {
    const key = keyOf(object);
    if (found.get(key)?.state === 'installed') return;
    found.set(key, { kind: object.kind, key, object: describe(object, names), ...rest });
  };
  // The report is that of the last round: the tables may already show that an object is gone.
  const isGone = (change: Change): boolean => change.verb === 'delete' && !found.has(keyOf(change.have));
  for (const one of report.held.filter((planned) => !isGone(planned)))
    add(changeObject(one), { state: 'held', why: one.why.text, detail: holdText(one) });
  for (const { change, message } of report.failed.filter((one) => !isGone(one.change)))
    add(changeObject(change), { state: 'refused', why: change.why.text, detail: message });
  for (const { want, why, holder } of report.conflicts)
    add(want, { state: 'foreign', why: why.text, detail: holder && describe(holder, names) });
  return [...found.values()].sort(byKindAndKey);
}

function statusOf(want: DesiredObject, { desired, actual }: ObjectTables, names: LinkNames): ObjectStatus {
  const { key, object, why } = want;
  const have = actual.objects.get(key);
  const isDue = differenceOf(key, want, desired, actual) !== undefined;
  const state = isDue ? 'pending' : 'installed';
  const detail = isDue && have !== undefined ? `in the kernel: ${describe(have, names)}` : undefined;
  return { kind: object.kind, key, state, object: describe(object, names), why: why.text, detail };
}

/** @returns undefined for a sysctl that we have never set */
function unwanted(
  key: Key,
  have: KernelObject,
  { desired, actual }: ObjectTables,
  names: LinkNames,
): ObjectStatus | undefined {
  const due = differenceOf(key, undefined, desired, actual);
  if (due === undefined) return undefined;
  const why = due.why.text;
  return { kind: have.kind, key, state: 'unwanted', object: describe(have, names), why, detail: undefined };
}

function holdText({ reason, until }: Held): string {
  return until === undefined ? reason : `${reason}, until ${new Date(until).toISOString()}`;
}

function byKindAndKey(a: ObjectStatus, b: ObjectStatus): number {
  if (a.kind !== b.kind) return a.kind < b.kind ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}
