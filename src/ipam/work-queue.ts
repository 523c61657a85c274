import type { Clock } from '../cluster/clock.ts';
import { Heap } from './heap.ts';

/** ms: the wait after a first failure, doubled with each further one up to the longest, with a jitter. */
export interface Backoff {
  readonly first: number;
  readonly longest: number;
}

/**
 * Keys to reconcile, with the semantics of client-go's workqueue. A key that is added again before it is taken is
 * taken once. A key that is added while it is processed is handed out again when it is done, so that no key is
 * processed twice at the same time.
 */
export class WorkQueue<Key> {
  readonly #clock: Clock;
  /** To be taken, in the order in which they were added. */
  readonly #ready = new Set<Key>();
  readonly #processing = new Set<Key>();
  /** Added while they were processed. */
  readonly #dirty = new Set<Key>();
  /** When each delayed key becomes ready, in ms since the epoch. */
  readonly #delayed = new Map<Key, number>();
  /** The same, earliest first; entries that #delayed does not confirm are void. */
  readonly #timers = new Heap<{ readonly at: number; readonly key: Key }>((a, b) => a.at < b.at);
  /** When the sleeps end that are under way, in ms since the epoch. */
  readonly #sleeps = new Set<number>();
  readonly #failures = new Map<Key, number>();
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(key: Key): void {
    if (this.#processing.has(key)) this.#dirty.add(key);
    else this.#ready.add(key);
    this.#wake?.();
  }

  /** Adds a key when the time has passed; of two times the earlier one counts. */
  addAfter(key: Key, ms: number): void {
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.now() + ms;
    if ((this.#delayed.get(key) ?? Number.POSITIVE_INFINITY) <= at) return;
    this.#delayed.set(key, at);
    this.#timers.add({ at, key });
    if (this.#timers.first?.key === key) this.#wake?.();
  }

  /** Adds a key after a failure: later each time until {@link forget}. */
  addRateLimited(key: Key, { first, longest }: Backoff): void {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    const wait = Math.min(longest, first * 2 ** Math.min(failures, 16));
    this.addAfter(key, wait * (0.5 + this.#clock.random()));
  }

  /** How often a key was added after a failure since it was last forgotten. */
  failures(key: Key): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The key has succeeded, or is of no interest any more: its next failure is a first one. */
  forget(key: Key): void {
    this.#failures.delete(key);
  }

  /** The next key; it is processed until {@link done}. undefined: none is ready. */
  take(): Key | undefined {
    this.#expire();
    for (const key of this.#ready) {
      this.#ready.delete(key);
      this.#processing.add(key);
      return key;
    }
    return undefined;
  }

  done(key: Key): void {
    this.#processing.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  /** Yields whenever there is something to take; ends with the signal. One consumer at a time. */
  async *ready(signal: AbortSignal): AsyncGenerator<void> {
    const end = (): void => this.#wake?.();
    signal.addEventListener('abort', end);
    try {
      while (!signal.aborted) {
        this.#expire();
        if (this.#ready.size > 0) yield;
        else await this.#more(signal);
      }
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** Moves the delayed keys whose time has come. */
  #expire(): void {
    const now = this.#clock.now();
    for (let timer = this.#timers.first; timer && timer.at <= now; timer = this.#timers.first) {
      this.#timers.drop();
      if (this.#delayed.get(timer.key) !== timer.at) continue;
      this.#delayed.delete(timer.key);
      this.add(timer.key);
    }
  }

  /** Waits for a key that is added, for the first delayed one, or for the signal. */
  async #more(signal: AbortSignal): Promise<void> {
    const woken = Promise.withResolvers<void>();
    this.#wake = woken.resolve;
    const next = this.#timers.first;
    if (next !== undefined) this.#wakeAt(next.at, signal);
    try {
      await woken.promise;
    } finally {
      this.#wake = undefined;
    }
  }

  /** Sleeps on when a key is added meanwhile: to abort a sleep costs more than to be woken once for nothing. */
  #wakeAt(at: number, signal: AbortSignal): void {
    for (const earlier of this.#sleeps) if (earlier <= at) return;
    this.#sleeps.add(at);
    const woken = (): void => {
      this.#sleeps.delete(at);
      this.#wake?.();
    };
    this.#clock.sleep(at - this.#clock.now(), signal).then(woken, (error: unknown) => {
      woken();
      if (!signal.aborted) throw error;
    });
  }
}
