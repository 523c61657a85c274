import type { Key } from '../model/object.ts';
import { changeObject, keyOf } from '../model/object.ts';
import type { Wanted, Why } from '../model/want.ts';
import { isDelete } from './plan.ts';
import type { Due } from './report.ts';

/** Remembers why things were wanted, as long as they are there: a delete knows only that nobody wants it. */
export class Memoir {
  #wanted: readonly Wanted[] = [];
  /** Made of `wanted` by the first who asks: most rounds delete nothing. */
  #index: Map<Key, Why> | undefined;
  /** Of what should be gone and is not yet. */
  #lingering = new Map<Key, Why>();

  formerly(key: Key): Why | undefined {
    const why = this.#lingering.get(key);
    if (why) return why;
    this.#index ??= new Map(this.#wanted.map((one) => [one.key, one.why]));
    return this.#index.get(key);
  }

  /** What is wanted now, and what is due therefore. */
  note(wanted: readonly Wanted[], due: readonly Due[]): void {
    this.#lingering = new Map(
      due.filter(isDelete).map(({ change, why }) => [keyOf(changeObject(change)), why]),
    );
    this.#wanted = wanted;
    this.#index = undefined;
  }
}
