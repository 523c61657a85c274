/** ms in which records of one kind are counted: journald's `RateLimitIntervalSec` by default */
const window = 30_000;

/**
 * Records of one kind in a window. journald takes 10,000 of a service by default (`RateLimitBurst`), and then drops whatever
 * comes, problems too. Few kinds come often at the same time: EIPs that come, move and go, rounds, and a problem or two.
 */
const most = 1000;

interface Window {
  readonly since: number;
  /** Records of the kind. */
  count: number;
}

/** Records of a kind that were left out. */
export interface LeftOut {
  readonly kind: string;
  readonly more: number;
  readonly seconds: number;
}

/** Bounds the records of each kind over time, and counts those above. A kind that comes seldom is never touched. */
export class RecordLimit {
  readonly #windows = new Map<string, Window>();

  /** @returns false: it is counted, and is to be left out */
  has(kind: string, now: number): boolean {
    const known = this.#windows.get(kind);
    if (known === undefined) {
      this.#windows.set(kind, { since: now, count: 1 });
      return true;
    }
    known.count += 1;
    return known.count <= most;
  }

  /** What was left out in the windows that are over. */
  *over(now: number): Generator<LeftOut> {
    for (const [kind, { since, count }] of this.#windows) {
      const ms = now - since;
      // A clock that was set back must not make a window longer.
      if (ms >= 0 && ms < window) continue;
      this.#windows.delete(kind);
      if (count > most) yield { kind, more: count - most, seconds: Math.round(Math.max(ms, window) / 1000) };
    }
  }
}
