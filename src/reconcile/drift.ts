import type { Desire } from '../model/desired.ts';
import type { DesiredObject } from '../model/desired-object.ts';
import type { Key } from '../model/object.ts';
import type { Actual } from './actual.ts';
import { differenceOf, differences } from './diff.ts';
import type { PlannedChange } from './report.ts';

/** In what desired and actual differ, kept up to date by the keys that changed on either side. */
export class Drift {
  readonly #changes = new Map<Key, PlannedChange>();
  #desire: Desire | undefined;

  /** The changes from actual to desired, by key. */
  get changes(): ReadonlyMap<Key, PlannedChange> {
    return this.#changes;
  }

  /** Looks at the key again: the object in the kernel has changed. */
  compare(key: Key, actual: Actual): void {
    if (this.#desire !== undefined) this.#compare(key, this.#desire.table.get(key), this.#desire, actual);
  }

  #compare(key: Key, want: DesiredObject | undefined, { table }: Desire, actual: Actual): void {
    const change = differenceOf(key, want, table, actual);
    if (change !== undefined) this.#changes.set(key, change);
    else this.#changes.delete(key);
  }

  compareAll(actual: Actual): void {
    this.#changes.clear();
    if (this.#desire === undefined) return;
    for (const change of differences(this.#desire.table, actual)) this.#changes.set(change.key, change);
  }

  /** These of the changes were made. */
  done(changes: readonly PlannedChange[]): void {
    // As in a first round, where the routes are all that is left.
    if (changes.length === this.#changes.size) this.#changes.clear();
    else for (const { key } of changes) this.#changes.delete(key);
  }

  /** Takes in what was written in the desired table. A new desire replaces the whole former one. */
  follow(desire: Desire, actual: Actual): void {
    const written = desire.table.takeWritten();
    if (desire === this.#desire) {
      for (const one of written) {
        if (typeof one === 'string') this.#compare(one, undefined, desire, actual);
        else this.#compare(one.key, one, desire, actual);
      }
      return;
    }
    // What is in the kernel still has the reasons of the former desire.
    if (this.#desire !== undefined) desire.table.inherit(this.#desire.table);
    this.#desire = desire;
    this.compareAll(actual);
  }
}
