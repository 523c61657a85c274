import type { Reason } from './report.ts';

/** Starts the next round. Reasons that arrive between two waits are kept, and start one round together. */
export class RoundSignal {
  readonly #clock: () => number;
  #reasons: Reason[] = [];
  #since: number | undefined;
  #takenSince: number | undefined;
  #resolve: (() => void) | undefined;

  /** @param clock ms, for {@link takenSince} */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  notify(reason: Reason): void {
    this.#since ??= this.#clock();
    // A burst repeats itself: the first reason of each kind is always kept.
    if (this.#reasons.length < 16 || !this.#reasons.some(({ kind }) => kind === reason.kind))
      this.#reasons.push(reason);
    this.#resolve?.();
  }

  /** The reasons since the last call. */
  take(): readonly Reason[] {
    const reasons = this.#reasons;
    this.#reasons = [];
    this.#takenSince = this.#since;
    this.#since = undefined;
    return reasons;
  }

  /** When the first of the reasons that were taken last came, in ms of the clock; undefined: there was none. */
  get takenSince(): number | undefined {
    return this.#takenSince;
  }

  /**
   * Waits for a reason, or until the time is over.
   *
   * @param ms at most; Infinity waits for a reason alone
   * @returns false when the time was over first
   * @throws the signal's reason when it is aborted
   */
  wait(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#reasons.length > 0) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      // setTimeout fires at once for what does not fit 31 bits.
      const timer = Number.isFinite(ms)
        ? setTimeout(() => end(false), Math.min(Math.max(ms, 0), 0x7fffffff))
        : undefined;
      const aborted = (): void => {
        stop();
        reject(signal.reason);
      };
      const stop = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', aborted);
        this.#resolve = undefined;
      };
      const end = (notified: boolean): void => {
        stop();
        resolve(notified);
      };
      signal.addEventListener('abort', aborted);
      this.#resolve = () => end(true);
    });
  }
}
