import type { Clock } from '../cluster/clock.ts';
import type { Outcome, Writer } from '../cluster/writer.ts';
import { type Service, serviceName } from '../model/cluster.ts';
import type { Task } from './due.ts';

/** ms */
export interface DeskPace {
  /** What only tells whether a Service is served now waits so long for the next change of that. */
  readonly idle: number;
  /** The first wait after the API would not have a write; doubled each time. */
  readonly first: number;
  readonly longest: number;
}

export const defaultDeskPace: DeskPace = { idle: 1000, first: 500, longest: 30_000 };

/** So many writes are on their way at once. */
const most = 32;
/** ms before a write is tried again that came too late; doubled each time */
const staleFirst = 10;
const staleLongest = 1000;

/** The writes on their way, at most one per Service, and when what failed is tried again. */
export class Desk {
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #pace: DeskPace;
  readonly #busy = new Map<string, Promise<void>>();
  readonly #resting = new Map<string, { readonly until: number; readonly failures: number }>();
  readonly #idle = new Map<string, number>();
  readonly #refused = new Map<string, string>();
  #pause = 0;
  #failures = 0;
  /** Why the API takes no writes at all; undefined: it does. */
  trouble: string | undefined;

  constructor(writer: Writer, clock: Clock, pace: DeskPace) {
    this.#writer = writer;
    this.#clock = clock;
    this.#pace = pace;
  }

  isBusy(key: string): boolean {
    return this.#busy.has(key);
  }

  get full(): boolean {
    return this.#busy.size >= most;
  }

  /** What the API will not have, by Service, in words. */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused;
  }

  /** When a task may start; now or earlier: at once. @returns ms since the epoch */
  startsAt(key: string, task: Task): number {
    const rest = Math.max(this.#pause, this.#resting.get(key)?.until ?? 0);
    if (task.kind !== 'status' || !task.idle) {
      this.#idle.delete(key);
      return rest;
    }
    const due = this.#idle.get(key) ?? this.#clock.now() + this.#pace.idle;
    this.#idle.set(key, due);
    return Math.max(rest, due);
  }

  /** @param ended is told how it went */
  start(service: Service, task: Task, ended: (outcome: Outcome) => void, signal: AbortSignal): void {
    const key = serviceName(service);
    this.#idle.delete(key);
    this.#busy.set(key, this.#write(key, service, task, ended, signal));
  }

  forget(key: string): void {
    this.#resting.delete(key);
    this.#refused.delete(key);
    this.#idle.delete(key);
  }

  /** Waits for the writes that are on their way; says of none how it went. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#busy.values());
  }

  async #write(
    key: string,
    service: Service,
    task: Task,
    ended: (outcome: Outcome) => void,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const outcome =
        task.kind === 'finalizer'
          ? await this.#writer.finalizer(service, task.verb, signal)
          : await this.#writer.status(service, task, signal);
      this.#busy.delete(key);
      this.#note(key, outcome);
      ended(outcome);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#busy.delete(key);
    }
  }

  #note(key: string, outcome: Outcome): void {
    const now = this.#clock.now();
    const failures = (this.#resting.get(key)?.failures ?? 0) + 1;
    const wait = (first: number, longest: number, times: number): number =>
      Math.min(longest, first * 2 ** Math.min(times - 1, 16)) * (0.5 + this.#clock.random());
    switch (outcome.kind) {
      case 'done':
        this.forget(key);
        this.#failures = 0;
        this.trouble = undefined;
        return;
      case 'stale':
        this.#resting.set(key, { until: now + wait(staleFirst, staleLongest, failures), failures });
        return;
      case 'gone':
        // The watch will tell.
        this.#resting.set(key, { until: now + staleLongest, failures });
        return;
      case 'refused':
        if (outcome.everything) {
          this.#failures += 1;
          this.#pause = now + (outcome.wait ?? wait(this.#pace.first, this.#pace.longest, this.#failures));
          this.trouble = outcome.message;
        } else {
          this.#refused.set(key, outcome.message);
          this.#resting.set(key, {
            until: now + wait(this.#pace.first, this.#pace.longest, failures),
            failures,
          });
        }
        return;
      default:
        outcome satisfies never;
    }
  }
}
