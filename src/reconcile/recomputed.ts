import {
  type Desire,
  type DesiredState,
  DesiredTable,
  type KernelState,
  noNexthops,
} from '../model/desired.ts';
import type { DesiredObjects, Refusals } from '../model/desired-object.ts';
import type { Key } from '../model/object.ts';

/** A desire that recomputes everything in each update: for the few objects of a node, and for tests as an oracle. */
export class RecomputedDesire implements Desire {
  readonly table = new DesiredTable();
  readonly #want: (have: KernelState, refused: Refusals) => DesiredObjects;

  constructor(want: (have: KernelState, refused: Refusals) => DesiredObjects) {
    this.#want = want;
  }

  update(kernel: KernelState): DesiredState {
    const {
      objects,
      problems,
      complete,
      unfinished = false,
      lacking = 0,
    } = this.#want(kernel, kernel.refused);
    const keys = new Set<Key>();
    for (const { key, object, why } of objects) {
      keys.add(key);
      this.table.set(object, why, key);
    }
    for (const key of [...this.table.keys()]) if (!keys.has(key)) this.table.delete(key);
    return {
      problems,
      complete,
      remaining: unfinished ? 'objects' : 'nothing',
      lacking,
      retiring: noNexthops,
    };
  }
}
