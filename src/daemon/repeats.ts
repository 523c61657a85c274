/** ms in which one event is reported once */
const once = 60_000;

interface Window<T> {
  readonly since: number;
  times: number;
  last: T;
}

/** Counts repeated events: the first one is reported at once, the others once a minute with their number. */
export class Repeats<T> {
  readonly #windows = new Map<string, Window<T>>();

  /** @returns true: report it now; false: it is counted */
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

  /** The counted events whose minute is over. An event without repeats is forgotten; the others are counted from 0. */
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
