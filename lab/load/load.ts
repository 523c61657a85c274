import { Worker } from 'node:worker_threads';
import { abortable } from '../../src/abortable.ts';
import type { Ip } from '../../src/model/ip.ts';
import { client, clients } from '../network/map.ts';
import type { Answer, Errand, Order, Report } from './load.worker.ts';

export type { Answer };

export interface LoadPlan {
  /** Taken in turn. */
  readonly to: readonly Ip[];
  readonly port: number;
  /** ms between two requests. */
  readonly every: number;
}

/**
 * A request without an answer after this time (ms) is lost: Linux sends a lost SYN again after 1000 ms, so a
 * single lost packet does not hide behind a retry.
 */
const patience = 900;

/**
 * Steady requests from the client's namespace, each over a TCP connection of its own, from sixteen addresses in
 * turn. They run in a thread of their own: what the demo does meanwhile delays none.
 */
export class Clients implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #loads = new Map<number, Load>();
  #count = 0;

  constructor(namespace: string) {
    this.#worker = new Worker(new URL('./load.worker.ts', import.meta.url), { workerData: namespace });
    this.#worker.on('message', (report: Report) => {
      const load = this.#loads.get(report.number);
      if (report.kind === 'answer') return load?.take(report.answer);
      this.#loads.delete(report.number);
      load?.end();
    });
    this.#worker.on('error', (cause) => this.#fail(new Error('the load generator broke', { cause })));
  }

  start({ to, port, every }: LoadPlan): Load {
    this.#count += 1;
    const number = this.#count;
    const from = Array.from({ length: clients }, (_, i) => client(i));
    const errand: Errand = {
      to,
      port,
      every,
      patience,
      from: { v4: from.map(({ v4 }) => v4), v6: from.map(({ v6 }) => v6) },
    };
    const load = new Load(() => this.#tell({ verb: 'stop', number }));
    this.#loads.set(number, load);
    this.#tell({ verb: 'start', number, errand });
    return load;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
    this.#fail(new Error('the load generator was closed'));
  }

  #tell(order: Order): void {
    this.#worker.postMessage(order);
  }

  #fail(error: Error): void {
    for (const load of this.#loads.values()) load.fail(error);
    this.#loads.clear();
  }
}

/** One stream of requests, from start to stop. */
export class Load implements AsyncDisposable {
  readonly #answers: Answer[] = [];
  readonly #watchers = new Set<(answer: Answer) => void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #halt: () => void;

  constructor(halt: () => void) {
    this.#halt = halt;
    // A load that nobody stops must not turn a broken thread into an unhandled rejection.
    this.#ended.promise.catch(() => undefined);
  }

  get answers(): readonly Answer[] {
    return this.#answers;
  }

  /** The next answer, from now on, that is like this. */
  async next(like: (answer: Answer) => boolean, signal: AbortSignal): Promise<Answer> {
    const found = Promise.withResolvers<Answer>();
    const watch = (answer: Answer): void => {
      if (like(answer)) found.resolve(answer);
    };
    this.#watchers.add(watch);
    const broken = this.#ended.promise.then(() => {
      throw new Error('the load has ended');
    });
    try {
      return await abortable(Promise.race([found.promise, broken]), signal);
    } finally {
      this.#watchers.delete(watch);
    }
  }

  /** Asks no more, waits for what is still open, and sums up what was sent at or after `from` (ms, epoch). */
  async stop(from = 0): Promise<Tally> {
    this.#halt();
    await this.#ended.promise;
    return tally(this.#answers.filter((answer) => answer.sent >= from));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#halt();
    await this.#ended.promise;
  }

  take(answer: Answer): void {
    this.#answers.push(answer);
    for (const watch of this.#watchers) watch(answer);
  }

  end(): void {
    this.#ended.resolve();
  }

  fail(error: Error): void {
    this.#ended.reject(error);
  }
}

/** Times in ms. */
export interface Tally {
  readonly sent: number;
  readonly lost: number;
  /** How they were lost: `{ timeout: 3 }` */
  readonly errors: Readonly<Record<string, number>>;
  /** Good answers per pod. */
  readonly pods: Readonly<Record<string, number>>;
  readonly slowest: number;
  /** The longest time between two good answers. */
  readonly gap: number;
}

export function tally(answers: readonly Answer[]): Tally {
  const errors: Record<string, number> = {};
  const pods: Record<string, number> = {};
  const good: Answer[] = [];
  for (const answer of answers) {
    if (answer.pod !== undefined) {
      pods[answer.pod] = (pods[answer.pod] ?? 0) + 1;
      good.push(answer);
    } else {
      const why = answer.error ?? 'unknown';
      errors[why] = (errors[why] ?? 0) + 1;
    }
  }
  const times = good.map(({ done }) => done).sort((a, b) => a - b);
  return {
    sent: answers.length,
    lost: answers.length - good.length,
    errors,
    pods,
    slowest: good.reduce((most, { sent, done }) => Math.max(most, done - sent), 0),
    gap: times.reduce((most, time, i) => Math.max(most, time - (times[i - 1] ?? time)), 0),
  };
}
