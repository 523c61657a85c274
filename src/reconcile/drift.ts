import type { Desire } from '../model/desired.ts';
import type { Key } from '../model/object.ts';
import type { Actual } from './actual.ts';
import { allKeys, differs } from './diff.ts';

/** The keys in which desired and actual differ, kept up to date by the keys that changed on either side. */
export class Drift {
  #keys = new Set<Key>();
  #desire: Desire | undefined;

  get keys(): ReadonlySet<Key> {
    return this.#keys;
  }

  /** Looks at the key again: the object or what is desired of it has changed. */
  compare(key: Key, actual: Actual): void {
    if (this.#desire !== undefined && differs(key, this.#desire.table, actual)) this.#keys.add(key);
    else this.#keys.delete(key);
  }

  compareAll(actual: Actual): void {
    this.#keys.clear();
    const { table } = this.#desire ?? {};
    if (table === undefined) return;
    for (const key of allKeys(table, actual)) if (differs(key, table, actual)) this.#keys.add(key);
  }

  /** Takes in what was written in the desired table. A new desire replaces the whole former one. */
  follow(desire: Desire, actual: Actual): void {
    const touched = desire.table.takeTouched();
    if (desire === this.#desire) {
      // As nearly always: then what was touched is all that can differ, and need not be copied.
      if (this.#keys.size === 0) this.#keys = touched;
      for (const key of touched) this.compare(key, actual);
      return;
    }
    // What is in the kernel still has the reasons of the former desire.
    if (this.#desire !== undefined) desire.table.inherit(this.#desire.table);
    this.#desire = desire;
    this.compareAll(actual);
  }
}
