import type { Reason } from './report.ts';

/** The one bell of the loop: pokes that come while nobody waits are kept, and many are one. */
export class Wake {
  #reasons: Reason[] = [];
  #ring: (() => void) | undefined;

  poke(reason: Reason): void {
    // A storm says the same thing again and again; what nobody said yet is heard in any storm.
    if (this.#reasons.length < 16 || !this.#reasons.some(({ kind }) => kind === reason.kind))
      this.#reasons.push(reason);
    this.#ring?.();
  }

  /** What has been poked since the last call. */
  take(): readonly Reason[] {
    const reasons = this.#reasons;
    this.#reasons = [];
    return reasons;
  }

  /**
   * Waits for a poke, or until the time is over.
   *
   * @param ms at most; Infinity waits for a poke alone
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
        this.#ring = undefined;
      };
      const end = (poked: boolean): void => {
        stop();
        resolve(poked);
      };
      signal.addEventListener('abort', aborted);
      this.#ring = () => end(true);
    });
  }
}
