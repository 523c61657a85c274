import { Rests } from './rests.ts';

export interface LimitLooksOptions {
  /** ms between two looks */
  readonly pace: number;
  /** Whether time alone changes nothing. */
  readonly isIdle: () => boolean;
  readonly look: () => void;
}

/**
 * Looks again and again at limits of time, of whose end nothing tells, as long as there are any. A program that has none does
 * not wake up for them.
 */
export class LimitLooks {
  readonly #options: LimitLooksOptions;
  #wake = Promise.withResolvers<void>();

  constructor(options: LimitLooksOptions) {
    this.#options = options;
  }

  /** Begins, where there are limits now. */
  begin(): void {
    if (!this.#options.isIdle()) this.#wake.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pace, isIdle, look } = this.#options;
    signal.addEventListener('abort', () => this.#wake.resolve(), { once: true });
    const rests = new Rests(signal);
    while (!signal.aborted) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      while (!isIdle() && (await rests.take(pace))) look();
    }
  }
}
