/**
 * The pauses of a loop, which end early when its signal is aborted.
 *
 * All pauses share one listener on the signal: adding and removing one for each costs as much as its timer.
 */
export class Rests {
  readonly #signal: AbortSignal;
  /** Ends the pauses that are under way. */
  readonly #ends = new Set<() => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#endAll(), { once: true });
  }

  /** @returns false when the signal ended it */
  take(ms: number): Promise<boolean> {
    if (this.#signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#ends.delete(end);
        resolve(true);
      }, ms);
      const end = (): void => {
        clearTimeout(timer);
        resolve(false);
      };
      this.#ends.add(end);
    });
  }

  #endAll(): void {
    for (const end of this.#ends) end();
    this.#ends.clear();
  }
}
