/** In the overlay: the base's entry is deleted. */
const deleted = Symbol('deleted');

/** A map over a shared base map. Changes go to the overlay: the base stays unchanged, and nothing is copied. */
export class OverlayMap<K, V> implements ReadonlyMap<K, V> {
  readonly base: ReadonlyMap<K, V>;
  readonly #changed = new Map<K, V | typeof deleted>();

  constructor(base: ReadonlyMap<K, V>) {
    this.base = base;
  }

  /** Nothing has been changed. */
  get isPlain(): boolean {
    return this.#changed.size === 0;
  }

  /** Costs what was changed. */
  get size(): number {
    let { size } = this.base;
    for (const [key, value] of this.#changed) {
      if (value === deleted) size -= 1;
      else if (!this.base.has(key)) size += 1;
    }
    return size;
  }

  get(key: K): V | undefined {
    const changed = this.#changed.get(key);
    if (changed === undefined) return this.base.get(key);
    return changed === deleted ? undefined : changed;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    this.#changed.set(key, value);
  }

  delete(key: K): void {
    if (this.base.has(key)) this.#changed.set(key, deleted);
    else this.#changed.delete(key);
  }

  *entries(): Generator<[K, V], undefined> {
    for (const entry of this.base) if (!this.#changed.has(entry[0])) yield entry;
    for (const [key, value] of this.#changed) if (value !== deleted) yield [key, value];
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
