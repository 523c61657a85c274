/** ms in which the same thing is told once */
const once = 60_000;

interface Window<T> {
  readonly since: number;
  times: number;
  last: T;
}

/** Folds what happens again and again: told at once the first time, then once in a minute with how often. */
export class Repeats<T> {
  readonly #windows = new Map<string, Window<T>>();

  /** @returns true when this is to be told now; false when it is counted for later */
  first(key: string, one: T, now: number): boolean {
    const known = this.#windows.get(key);
    if (known === undefined) {
      this.#windows.set(key, { since: now, times: 0, last: one });
      return true;
    }
    known.times += 1;
    known.last = one;
    return false;
  }

  /** What was counted, where its minute is over; it is forgotten with that, or counted anew while it goes on. */
  *over(now: number): Generator<{ readonly last: T; readonly times: number; readonly seconds: number }> {
    for (const [key, { since, times, last }] of this.#windows) {
      if (now - since < once) continue;
      this.#windows.delete(key);
      if (times === 0) continue;
      this.#windows.set(key, { since: now, times: 0, last });
      yield { last, times, seconds: Math.round((now - since) / 1000) };
    }
  }
}
