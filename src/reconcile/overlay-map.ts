/** A map over a shared base map. Changes go to the overlay: the base stays unchanged, and nothing is copied. */
export class OverlayMap<K, V> implements ReadonlyMap<K, V> {
  readonly base: ReadonlyMap<K, V>;
  readonly #changed = new Map<K, V>();
  readonly #deleted = new Set<K>();
  #size: number;

  constructor(base: ReadonlyMap<K, V>) {
    this.base = base;
    this.#size = base.size;
  }

  /** Nothing has been changed. */
  get isPlain(): boolean {
    return this.#changed.size === 0 && this.#deleted.size === 0;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    const changed = this.#changed.get(key);
    if (changed !== undefined || this.#deleted.has(key)) return changed;
    return this.base.get(key);
  }

  has(key: K): boolean {
    return this.#changed.has(key) || (!this.#deleted.has(key) && this.base.has(key));
  }

  set(key: K, value: V): void {
    if (!this.has(key)) this.#size += 1;
    this.#deleted.delete(key);
    this.#changed.set(key, value);
  }

  delete(key: K): void {
    if (!this.has(key)) return;
    this.#size -= 1;
    this.#changed.delete(key);
    if (this.base.has(key)) this.#deleted.add(key);
  }

  *entries(): Generator<[K, V], undefined> {
    for (const entry of this.base) {
      if (!(this.#changed.has(entry[0]) || this.#deleted.has(entry[0]))) yield entry;
    }
    yield* this.#changed;
    return undefined;
  }

  *keys(): Generator<K, undefined> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): Generator<V, undefined> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }
}
