import type { Ip } from './ip.ts';
import type { Change, KernelObject, Key } from './object.ts';
import type { Problem } from './problem.ts';

/** Why an object is desired; the journal and the status show it. */
export interface Why {
  /** In words: 'Service default/web', 'pool public'. */
  readonly text: string;
  readonly eip?: Ip;
  readonly services?: readonly string[];
  readonly node?: string;
}

export interface DesiredObject {
  /** {@link keyOf} the object, computed once: a gateway holds a hundred thousand objects. */
  readonly key: Key;
  readonly object: KernelObject;
  readonly why: Why;
}

/** The changes that the kernel has refused since the last dump, by key. */
export type Refusals = ReadonlyMap<Key, Refusal>;

export interface Refusal {
  /** The refused change itself: another object may get the same key. */
  readonly change: Change;
  readonly code: string;
  /** The error text of the kernel. */
  readonly message: string;
}

/** All desired objects, computed whole, and the problems found on the way. */
export interface DesiredObjects {
  /** Each key once. */
  readonly objects: readonly DesiredObject[];
  readonly problems: readonly Problem[];
  /** False: some list has not arrived yet, so an object that is missing here may still be desired. */
  readonly complete: boolean;
  /** True: further objects are desired in this round once these are in the kernel. */
  readonly unfinished?: boolean;
  /** EIPs that nodes could serve and that have no route among the objects; absent: 0 */
  readonly lacking?: number;
}
