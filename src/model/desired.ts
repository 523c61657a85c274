import type { DesiredObject, Refusals, Why } from './desired-object.ts';
import type { Listing } from './listing.ts';
import { type Change, type Counts, type KernelObject, type Key, keyOf, noCounts } from './object.ts';
import type { Problem } from './problem.ts';
import { sameItems } from './same-items.ts';
import { equal } from './same-object.ts';

/** The part of the kernel's state that decides what is desired. */
export interface KernelState extends Listing {
  /** The changes that the kernel has refused since the last dump. */
  readonly refused: Refusals;
  /**
   * Objects that stay as they are although a change is due, and why: groups whose replacement the kernel refused or the
   * guard holds, to which no new route may lead; and routes of EIPs whose delete is held.
   */
  readonly stuck: ReadonlyMap<Key, StuckReason>;
  /** Raised with every dump. */
  readonly dumps: number;
  /** Raised whenever `refused` or `stuck` changes. */
  readonly refusals: number;
}

/** `held`: for another reason than lists that are missing. */
export type StuckReason = 'refused' | 'lists incomplete' | 'held';

/**
 * What another update in a round does, once the present objects are in the kernel. 'objects': it adds some, which may be ones
 * that the table lacks now, so nothing is deleted before it. 'merges': it has objects share one where there are two that do the
 * same, which moves no packet, so what is to be deleted goes before it.
 */
export type Remainder = 'nothing' | 'merges' | 'objects';

export const noNexthops: ReadonlySet<number> = new Set();

/** How an update ended, beside the table itself. */
export interface DesiredState {
  /** The same array as long as none of them changed. */
  readonly problems: readonly Problem[];
  /** False: some list has not arrived yet, so an object that is not in the table may still be desired; see `isDecided`. */
  readonly complete: boolean;
  readonly remaining: Remainder;
  /** Ids of nexthops that the table lacks once the remaining objects are in the kernel. */
  readonly retiring: ReadonlySet<number>;
  /** EIPs that nodes could serve and that have no route in the table: it cannot be installed now. */
  readonly lacking: number;
}

/** Computes what should be in the kernel, and keeps it in a table. */
export interface Desire {
  readonly table: DesiredTable;
  /** Brings the table up to date with the cluster, the configuration and the kernel. */
  update(kernel: KernelState): DesiredState;
  /**
   * Whether the cluster shows why a change takes traffic away, so that nothing has to be doubted: pods are gone or have
   * moved, no EIP uses a node that is there, or a watch said that a Service or a Node was deleted or changed. What is only
   * missing from a list shows nothing. Absent: never.
   */
  isEvident?(change: Change): boolean;
  /**
   * Whether the lists that are in decide that an object is not desired, whatever those that are missing will say: it
   * belongs to a cluster that is listed, and another one is not. Asked about deletes while a list is missing. Absent:
   * never.
   */
  isDecided?(change: Change): boolean;
}

/** The desired objects by key, and what was written since the reconciler last took it. */
export class DesiredTable {
  readonly #objects = new Map<Key, DesiredObject>();
  /** Reasons of objects that are no longer desired and may still be in the kernel. */
  readonly #former = new Map<Key, Why>();
  readonly #counts = { ...noCounts };
  #written: (DesiredObject | Key)[] = [];

  get(key: Key): DesiredObject | undefined {
    return this.#objects.get(key);
  }

  keys(): Iterable<Key> {
    return this.#objects.keys();
  }

  values(): Iterable<DesiredObject> {
    return this.#objects.values();
  }

  /** Objects by kind. */
  get counts(): Counts {
    return this.#counts;
  }

  /**
   * What is desired as it was, for the same reason, stays the same object and is not written.
   *
   * @param key {@link keyOf} the object, where the caller has it already
   */
  set(object: KernelObject, why: Why, key: Key = keyOf(object)): void {
    const before = this.#objects.get(key);
    const written = { key, object, why };
    if (before !== undefined) {
      if (equal(before.object, object)) written.object = before.object;
      if (sameWhy(before.why, why)) written.why = before.why;
      if (written.object === before.object && written.why === before.why) return;
      this.#counts[before.object.kind] -= 1;
    }
    this.#counts[object.kind] += 1;
    this.#objects.set(key, written);
    this.#former.delete(key);
    this.#written.push(written);
  }

  delete(key: Key): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#counts[before.object.kind] -= 1;
    this.#former.set(key, before.why);
    this.#written.push(key);
  }

  /** Deletes an object and forgets its reason. */
  drop(key: Key): void {
    this.delete(key);
    this.#former.delete(key);
  }

  /**
   * The objects written since the last call, and the keys of those that were deleted, in the order of the writes: the last
   * one of a key is what holds.
   */
  takeWritten(): readonly (DesiredObject | Key)[] {
    const written = this.#written;
    this.#written = [];
    return written;
  }

  /** Why a deleted object was desired; undefined: it never was, or the reason is forgotten. */
  former(key: Key): Why | undefined {
    return this.#former.get(key);
  }

  /** Copies the reasons of a table that this one replaces. */
  inherit(before: DesiredTable): void {
    for (const [key, why] of before.#former) if (!this.#objects.has(key)) this.#former.set(key, why);
    for (const { key, why } of before.values()) if (!this.#objects.has(key)) this.#former.set(key, why);
  }

  /** Forgets the reasons of objects that are gone from the kernel. */
  forget(gone: (key: Key) => boolean): void {
    for (const key of this.#former.keys()) if (gone(key)) this.#former.delete(key);
  }
}

function sameWhy(a: Why, b: Why): boolean {
  return a === b || (a.text === b.text && sameItems(a.services ?? none, b.services ?? none));
}

const none: readonly never[] = [];
