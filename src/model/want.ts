import type { Ip } from './ip.ts';
import type { Change, KernelObject, Key } from './object.ts';
import type { Problem } from './problem.ts';

/** Why an object is wanted; travels as far as the journal line. */
export interface Why {
  /** In words: 'Service default/web', 'pool public'. */
  readonly text: string;
  readonly eip?: Ip;
  readonly services?: readonly string[];
  readonly node?: string;
}

export interface Wanted {
  /** {@link keyOf} the object; spelled out once, since a hundred thousand are compared in every round. */
  readonly key: Key;
  readonly object: KernelObject;
  readonly why: Why;
}

/** What the kernel would not take since we last looked at it. */
export type Refusals = ReadonlyMap<Key, Refusal>;

export interface Refusal {
  /** Just as it was refused: another object may come to the same key. */
  readonly change: Change;
  readonly code: string;
  /** In the kernel's words. */
  readonly message: string;
}

/** All that should be in the kernel, and what a person should know about it. */
export interface Want {
  /** Each key once. */
  readonly objects: readonly Wanted[];
  readonly problems: readonly Problem[];
  /** False: some list is not in yet, so that what is not wanted may only be not known yet. */
  readonly complete: boolean;
  /** True: more will be wanted in this round once this stands, and not before. */
  readonly unfinished?: boolean;
}
