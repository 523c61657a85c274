/** ms for which a first foreign write is remembered, and for which a Service is left alone after the second one */
const memory = 600_000;
const firstRest = 300_000;
const longestRest = 3_600_000;

interface WriteConflict {
  readonly times: number;
  readonly last: number;
  readonly until: number;
}

/**
 * Other writers of the status of our Services. The first time our addresses are overwritten, they are put right; from
 * then on the Service is left alone, longer each time: an address that keeps changing serves no client.
 */
export class WriteConflicts {
  readonly #conflicts = new Map<string, WriteConflict>();

  /** Another writer has overwritten our addresses. @param now ms */
  overwritten(key: string, now: number): void {
    const before = this.#conflicts.get(key);
    const recent = before !== undefined && now - Math.max(before.last, before.until) < memory;
    const times = recent ? before.times + 1 : 1;
    const rest = times < 2 ? 0 : Math.min(firstRest * 2 ** (times - 2), longestRest);
    this.#conflicts.set(key, { times, last: now, until: now + rest });
  }

  /** There was no other writer: the version that was read was older than our own write. */
  retract(key: string): void {
    const before = this.#conflicts.get(key);
    if (before === undefined) return;
    if (before.times <= 1) this.#conflicts.delete(key);
    else this.#conflicts.set(key, { ...before, times: before.times - 1, until: 0 });
  }

  /** Until when this Service's status is left alone; undefined: it is not. @param now ms */
  restsUntil(key: string, now: number): number | undefined {
    const until = this.#conflicts.get(key)?.until ?? 0;
    return until > now ? until : undefined;
  }

  forget(key: string): void {
    this.#conflicts.delete(key);
  }

  /** Those that are left alone now. */
  *resting(now: number): Generator<readonly [key: string, until: number]> {
    for (const [key, { until }] of this.#conflicts) if (until > now) yield [key, until];
  }
}
