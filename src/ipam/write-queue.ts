import type { Clock } from '../cluster/clock.ts';
import type { Outcome, Refusal, Writer } from '../cluster/writer.ts';
import type { Service } from '../model/cluster.ts';
import type { Task } from './due.ts';
import type { Backoff, WorkQueue } from './work-queue.ts';

/** ms */
export interface WritePace extends Backoff {
  /** A change of the Serving condition alone waits this long for the next one. */
  readonly idle: number;
}

export const defaultWritePace: WritePace = { idle: 1000, first: 500, longest: 30_000 };

/** So many writes are on their way at once. */
const most = 32;
/** For a write that came too late: what it was decided on has changed. */
const stale: Backoff = { first: 10, longest: 1000 };

/**
 * The writes on their way, and when a Service is written again after a failure.
 *
 * A single failure says little: a connection broke, or one server of several went away. All writes that were on their
 * way then fail with it, and each is tried again at once, which is safe since a write names the version it is for.
 * Only when the next writes fail as well does the API take none, and all wait, longer each time, until one succeeds.
 */
export class WriteQueue {
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #pace: WritePace;
  readonly #queue: WorkQueue<string>;
  /** Services that have something to write, and no write on its way. */
  readonly #waiting = new Set<string>();
  readonly #writes = new Set<Promise<void>>();
  #onTheirWay = 0;
  readonly #refused = new Map<string, string>();
  /** Services whose last write broke, and which were tried again at once. */
  readonly #retried = new Set<string>();
  /** How often the API took no writes, with no success between. Writes that began before belong to the last time. */
  #failures = 0;
  #event = 0;
  #pausedUntil = 0;
  /** Why the API takes no writes at all; undefined: it does. */
  trouble: Refusal | undefined;

  constructor(writer: Writer, queue: WorkQueue<string>, clock: Clock, pace: WritePace) {
    this.#writer = writer;
    this.#queue = queue;
    this.#clock = clock;
    this.#pace = pace;
  }

  /** Whether a write is on its way. */
  get isBusy(): boolean {
    return this.#onTheirWay > 0;
  }

  /** What the API will not have, by Service, in words. */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused;
  }

  /** Whether a write may start now; else its Service is queued again when it may. */
  admits(key: string): boolean {
    const pause = this.#pausedUntil - this.#clock.now();
    if (this.#onTheirWay < most && pause <= 0) {
      this.#waiting.delete(key);
      return true;
    }
    this.#waiting.add(key);
    if (pause > 0) this.#queue.addAfter(key, pause);
    return false;
  }

  /** Queues Services that wait to be written, as many as may be written now. @returns whether there were any */
  refill(): boolean {
    if (this.#clock.now() < this.#pausedUntil) return false;
    let room = most - this.#onTheirWay;
    let any = false;
    for (const key of this.#waiting) {
      if (room <= 0) break;
      this.#waiting.delete(key);
      this.#queue.add(key);
      room -= 1;
      any = true;
    }
    return any;
  }

  /** The API server is there again: what waited because it took no writes is written now. */
  recovered(): void {
    this.#failures = 0;
    this.#pausedUntil = 0;
    for (const key of this.#waiting) this.#queue.add(key);
  }

  /** @param ended is called with the outcome; the Service is processed again after it, and not before */
  start(service: Service, task: Task, ended: (outcome: Outcome) => void, signal: AbortSignal): void {
    this.#onTheirWay += 1;
    const write = this.#write(service, task, ended, signal).finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  /** The Service is gone. */
  forget(key: string): void {
    this.#waiting.delete(key);
    this.#succeeded(key);
  }

  /** Waits for the writes on their way, whose outcomes are not reported any more. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }

  async #write(
    service: Service,
    task: Task,
    ended: (outcome: Outcome) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const key = service.key;
    const event = this.#event;
    let outcome: Outcome;
    try {
      outcome =
        task.kind === 'finalizer'
          ? await this.#writer.finalizer(service, task.verb, signal)
          : await this.#writer.status(service, task, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    } finally {
      this.#onTheirWay -= 1;
    }
    this.#requeue(key, outcome, event);
    ended(outcome);
    this.#queue.done(key);
  }

  #requeue(key: string, outcome: Outcome, event: number): void {
    switch (outcome.kind) {
      case 'done':
        this.#succeeded(key);
        this.#queue.add(key);
        this.#failures = 0;
        this.#pausedUntil = 0;
        this.trouble = undefined;
        return;
      case 'stale':
        this.#queue.addRateLimited(key, stale);
        return;
      case 'gone':
        // The watch reports the deletion.
        this.#queue.addAfter(key, stale.longest);
        return;
      case 'refused':
        if (outcome.everything) this.#broken(key, outcome, event);
        else {
          this.#refused.set(key, outcome.message);
          this.#queue.addRateLimited(key, this.#pace);
        }
        return;
      default:
        outcome satisfies never;
    }
  }

  /** The API might refuse any other write as well. */
  #broken(key: string, refusal: Refusal, event: number): void {
    const { message, wait } = refusal;
    const now = this.#clock.now();
    if (event === this.#event) {
      this.#event += 1;
      this.#failures += 1;
      if (wait !== undefined || this.#failures > 1) {
        const { first, longest } = this.#pace;
        const nominal = Math.min(longest, first * 2 ** Math.min(Math.max(0, this.#failures - 2), 16));
        this.#pausedUntil = now + (wait ?? nominal * (0.5 + this.#clock.random()));
        this.trouble = refusal;
      }
    }
    if (now < this.#pausedUntil) this.#queue.add(key);
    else if (this.#retried.has(key)) {
      // Others are taken, this one is not.
      this.#refused.set(key, message);
      this.#queue.addRateLimited(key, this.#pace);
    } else {
      // Waits for other reasons do not count here.
      this.#queue.forget(key);
      this.#retried.add(key);
      this.#queue.add(key);
    }
  }

  #succeeded(key: string): void {
    this.#refused.delete(key);
    this.#retried.delete(key);
    this.#queue.forget(key);
  }
}
