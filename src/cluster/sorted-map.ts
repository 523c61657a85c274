/** Up to this many changes are patched into the array. */
const few = 64;

/**
 * A map that also gives its values as an array sorted by key. The array is made on demand: a few changes are patched
 * into a copy, many changes cause a new sort.
 */
export class SortedMap<T extends object> {
  readonly #values = new Map<string, T>();
  /** Keys that were set or deleted since the array was made, up to one more than `few`. */
  readonly #touched = new Set<string>();
  #keys: string[] = [];
  #array: readonly T[] = [];

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: T): void {
    this.#values.set(key, value);
    this.#touch(key);
  }

  delete(key: string): void {
    this.#values.delete(key);
    this.#touch(key);
  }

  /** In no order. */
  keys(): Iterable<string> {
    return this.#values.keys();
  }

  /** The same array as long as nothing was set or deleted. */
  array(): readonly T[] {
    if (this.#touched.size === 0) return this.#array;
    if (this.#touched.size > few) this.#remake();
    else this.#patch();
    this.#touched.clear();
    return this.#array;
  }

  #touch(key: string): void {
    if (this.#touched.size <= few) this.#touched.add(key);
  }

  #remake(): void {
    this.#keys = [...this.#values.keys()].sort();
    const array: T[] = [];
    for (const key of this.#keys) {
      const value = this.#values.get(key);
      if (value !== undefined) array.push(value);
    }
    this.#array = array;
  }

  #patch(): void {
    const array = [...this.#array];
    for (const key of this.#touched) {
      const value = this.#values.get(key);
      const at = this.#position(key);
      const held = this.#keys[at] === key ? 1 : 0;
      if (value === undefined) {
        this.#keys.splice(at, held);
        array.splice(at, held);
      } else {
        this.#keys.splice(at, held, key);
        array.splice(at, held, value);
      }
    }
    this.#array = array;
  }

  /** Index of the key, or where it would be inserted. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
