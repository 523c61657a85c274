/**
 * Values by key, handed out as one array in the order of the keys. The array is made when it is asked for: a few
 * changes copy it and put the changed ones in place, many changes make it anew.
 */
export class Sorted<T extends object> {
  readonly #values = new Map<string, T>();
  readonly #touched = new Set<string>();
  #keys: string[] = [];
  #array: readonly T[] = [];

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: T): void {
    this.#values.set(key, value);
    this.#touched.add(key);
  }

  delete(key: string): void {
    this.#values.delete(key);
    this.#touched.add(key);
  }

  /** The same array as long as nothing was set or deleted. */
  array(): readonly T[] {
    if (this.#touched.size === 0) return this.#array;
    if (this.#touched.size > 64) this.#remake();
    else this.#patch();
    this.#touched.clear();
    return this.#array;
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

  /** Where the key is, or would be. */
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
