import type { Clock } from '../cluster/clock.ts';

/** Rings once at the earliest time that it is set to. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  readonly #signal: AbortSignal;
  #at = Number.POSITIVE_INFINITY;
  #set: AbortController | undefined;

  constructor(clock: Clock, ring: () => void, signal: AbortSignal) {
    this.#clock = clock;
    this.#ring = ring;
    this.#signal = signal;
  }

  /** @param at ms since the epoch; Infinity: nothing is to be waited for */
  set(at: number): void {
    if (at === this.#at || this.#signal.aborted) return;
    this.#set?.abort();
    this.#at = at;
    this.#set = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    const set = new AbortController();
    this.#set = set;
    const end = AbortSignal.any([set.signal, this.#signal]);
    void this.#wait(at, end);
  }

  async #wait(at: number, end: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(Math.max(0, at - this.#clock.now()), end);
    } catch (error) {
      if (end.aborted) return;
      throw error;
    }
    this.#at = Number.POSITIVE_INFINITY;
    this.#ring();
  }
}
