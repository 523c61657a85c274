import { Rests } from './rests.ts';

export interface TickerOptions {
  /** ms between two ticks */
  readonly pace: number;
  /** Whether there is nothing to do. */
  readonly isIdle: () => boolean;
  readonly tick: (signal: AbortSignal) => void;
}

/** Ticks as long as there is something to do. A program that has nothing to do does not wake up. */
export class Ticker {
  readonly #options: TickerOptions;
  #wake = Promise.withResolvers<void>();

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  /** Begins, where there is something to do now. */
  begin(): void {
    if (!this.#options.isIdle()) this.#wake.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pace, isIdle, tick } = this.#options;
    signal.addEventListener('abort', () => this.#wake.resolve(), { once: true });
    const rests = new Rests(signal);
    while (!signal.aborted) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      while (!isIdle() && (await rests.take(pace))) tick(signal);
    }
  }
}
