import type { Clock } from '../../../src/cluster/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * Time that stands still while there is anything to do, and then jumps to the next sleeper: a night of silence takes
 * a millisecond, and always goes the same way.
 */
export class VirtualClock implements Clock {
  #now = 1_000_000;
  #sleepers: Sleeper[] = [];
  #scheduled = false;
  /** What was slept for, in ms, without the turns (0 ms). */
  readonly slept: number[] = [];

  now(): number {
    return this.#now;
  }

  time(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (ms > 0) this.slept.push(ms);
    await new Promise<void>((resolve, reject) => {
      const sleeper: Sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
        reject(signal.reason);
      });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#sleepers.length === 0) return;
    this.#scheduled = true;
    // All promises that are ready have their turn first.
    setImmediate(() => {
      this.#scheduled = false;
      const next = this.#sleepers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) return;
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers = this.#sleepers.filter((each) => each !== next);
      next.wake();
      this.#schedule();
    });
  }
}
