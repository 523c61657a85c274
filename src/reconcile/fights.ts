import type { Key } from '../model/object.ts';

/** ms in which repairs are counted. */
const window = 5 * 60_000;
/** So many repairs of one object in the window are a fight. */
const patience = 5;
/** ms between two repairs while a fight goes on: doubled each time. */
const slowFirst = 5_000;
const slowLongest = 60_000;

interface Repairs {
  readonly times: readonly number[];
  /** ms since the epoch before which it is not repaired again; 0: at once. */
  readonly until: number;
}

/**
 * Remembers which objects we had to repair, to notice another program that undoes our work: such an object is
 * named, and repaired more and more slowly, so that two programs do not burn a machine.
 */
export class Fights {
  readonly #repairs = new Map<Key, Repairs>();

  repaired(keys: Iterable<Key>, now: number): void {
    for (const key of keys) {
      const times = [...(this.#repairs.get(key)?.times ?? []), now].filter((time) => now - time < window);
      const over = times.length - patience;
      const slow = over < 0 ? 0 : Math.min(slowFirst * 2 ** over, slowLongest);
      this.#repairs.set(key, { times, until: slow === 0 ? 0 : now + slow });
    }
  }

  /** Objects that are fought over, with the time before which they are left alone. */
  ongoing(now: number): ReadonlyMap<Key, { readonly repairs: number; readonly until: number }> {
    const result = new Map<Key, { repairs: number; until: number }>();
    for (const [key, { times, until }] of this.#repairs) {
      const recent = times.filter((time) => now - time < window);
      if (recent.length === 0) this.#repairs.delete(key);
      else if (recent.length >= patience) result.set(key, { repairs: recent.length, until });
    }
    return result;
  }
}
