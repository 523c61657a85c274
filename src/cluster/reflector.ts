import type { Clock } from './clock.ts';
import { errorOf, isCertificateError } from './failure.ts';
import type { Heartbeat, Readiness } from './heartbeat.ts';
import type { Replacement } from './resource-index.ts';
import { Signal } from './signal.ts';
import { SilenceError, withinSilence } from './silence.ts';
import {
  ApiError,
  CredentialsError,
  type Listed,
  type Page,
  ProtocolError,
  type Transport,
} from './transport.ts';
import { versionOf } from './versions.ts';

/** How often and how long; ms unless the name says otherwise. */
export interface ReflectorPace {
  /** Objects per page of a list. */
  readonly page: number;
  /** The server is asked to end a watch after a random time between these two. */
  readonly watchSeconds: readonly [shortest: number, longest: number];
  /** A watch is given up when it is silent for longer than its own duration and this. */
  readonly silence: number;
  /**
   * The same for a server that sends bookmarks. API servers send one a minute, so a dead path is noticed in minutes
   * instead of at the end of the watch.
   */
  readonly bookmarkSilence: number;
  /** Time limit for one page of a list, and for the response to a watch request. */
  readonly listSilence: number;
  /** A watch that is open for this long resets the back-off. */
  readonly settled: number;
  /** Wait after the first failure; doubled each time, with jitter. */
  readonly first: number;
  readonly longest: number;
  /** The longest wait while the server does not answer at all, so that its return is noticed soon. */
  readonly longestUnanswered: number;
  /** Consecutive failures after which the resource is listed instead of watched from the last version. */
  readonly relistAfter: number;
}

export const defaultPace: ReflectorPace = {
  page: 2000,
  watchSeconds: [240, 480],
  silence: 30_000,
  bookmarkSilence: 150_000,
  listSilence: 60_000,
  settled: 1000,
  first: 800,
  longest: 30_000,
  longestUnanswered: 2000,
  relistAfter: 4,
};

/** Objects that are decoded before the event loop gets a turn: a few milliseconds. */
const portion = 500;

/** Where a reflector keeps what it lists and watches. */
export interface ReflectorStore {
  readonly of: Listed;
  /** A list was complete. */
  isSynced(): boolean;
  /** An event of the watch. */
  set(object: unknown): void;
  delete(object: unknown): void;
  /** Begins a new list. */
  replacement(): Replacement;
  /**
   * Applies a list that is complete.
   *
   * @param turn yields to the event loop
   * @param version resourceVersion of the list
   */
  commit(replacement: Replacement, turn: () => Promise<void>, version: string): Promise<void>;
  /** @param now ms since the epoch */
  heard(now: number): void;
  works(): void;
  /** @param readiness of the server, asked after a 403 */
  fails(error: unknown, readiness: Readiness): void;
  /** Tells the listeners what has changed. */
  notify(): void;
}

export interface ReflectorOptions {
  readonly transport: Transport;
  readonly store: ReflectorStore;
  readonly pace: ReflectorPace;
  readonly clock: Clock;
  /** Shared by the reflectors of one server. */
  readonly recovery: Signal<Recovery, Recovery>;
  /** Of the same server. */
  readonly heartbeat: Pick<Heartbeat, 'ask' | 'doubt'>;
}

/** One of the reflectors gets answers again; or the server says that it is ready, after it was not. */
export type Recovery = 'answers' | 'ready';

/** Both may come while a reflector is busy: the stronger one stays. */
export function recoverySignal(): Signal<Recovery, Recovery> {
  return new Signal((held, next) => (held === 'ready' ? held : next));
}

/** Why the last attempt failed; 'expired' is HTTP 410. */
type Failure = 'none' | 'unanswered' | 'expired' | 'other';

/**
 * Keeps a store in sync with the API server until the signal is aborted: LIST, then WATCH, then again
 * after any failure. The old state stays until a new list is complete.
 */
export class Reflector {
  readonly #transport: Transport;
  readonly #store: ReflectorStore;
  readonly #pace: ReflectorPace;
  readonly #clock: Clock;
  readonly #recovery: Signal<Recovery, Recovery>;
  readonly #heartbeat: ReflectorOptions['heartbeat'];
  /** resourceVersion to watch from; undefined: list first. */
  #version: string | undefined;
  #failures = 0;
  #lastFailure: Failure = 'none';
  /** The last pause was cut short. The next one is not, so that two reflectors cannot wake each other in a loop. */
  #woken = false;
  /** This server sends bookmarks. */
  #bookmarks = false;

  /** A watch is open: data on its connection proves that the connection is alive. */
  #isWatching = false;

  constructor({ transport, store, pace, clock, recovery, heartbeat }: ReflectorOptions) {
    this.#transport = transport;
    this.#store = store;
    this.#pace = pace;
    this.#clock = clock;
    this.#recovery = recovery;
    this.#heartbeat = heartbeat;
  }

  /** The server has answered something. */
  answered(): void {
    if (this.#isWatching) this.#store.heard(this.#clock.now());
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal);
        await this.#watch(this.#version, signal);
      } catch (error) {
        if (signal.aborted) return;
        const wait = await this.#recover(error, signal);
        if (signal.aborted) return;
        this.#store.notify();
        await this.#pause(wait, signal);
      }
    }
  }

  /** @returns the version of the list */
  async #list(signal: AbortSignal): Promise<string> {
    const replacement = this.#store.replacement();
    let version = '';
    for await (const { items, resourceVersion, next, release } of this.#pages(signal)) {
      signal.throwIfAborted();
      this.#store.heard(this.#clock.now());
      let added = 0;
      for (const item of items) {
        replacement.add(item);
        added += 1;
        // A long page does not block the event loop.
        if (added % portion === 0) await this.#clock.sleep(0, signal);
      }
      release?.();
      version = resourceVersion;
      // Nor do many short pages.
      if (next !== undefined) await this.#clock.sleep(0, signal);
    }
    await this.#store.commit(replacement, () => this.#turn(signal), version);
    this.#store.works();
    this.#store.notify();
    if (this.#failures > 0) this.#recovery.notify('answers');
    return version;
  }

  /**
   * The pages of a list. While one is read the next is here or on its way; once it is here, the server writes the one after
   * it, and does not wait until the present one is read.
   */
  async *#pages(signal: AbortSignal): AsyncGenerator<Page> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const after = (page: Promise<Page | undefined>): Promise<Page | undefined> => {
      const following = page.then((one) => {
        if (one?.next === undefined) return undefined;
        either.throwIfAborted();
        return this.#page(one.next, either);
      });
      // It is awaited below; a failure before that is not an unhandled rejection.
      following.catch(nothing);
      return following;
    };
    let coming: Promise<Page | undefined> = this.#page(undefined, either);
    let following = after(coming);
    try {
      for (let page = await coming; page !== undefined; page = await coming) {
        coming = following;
        following = after(coming);
        yield page;
      }
    } finally {
      // Ends the requests for further pages, when this page cannot be read.
      over.abort();
      await Promise.allSettled([coming, following]);
    }
  }

  /** A long list that is being applied is no silence. */
  async #turn(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(0, signal);
    this.#store.heard(this.#clock.now());
  }

  #page(from: string | undefined, signal: AbortSignal): Promise<Page> {
    return withinSilence(
      this.#clock,
      () => this.#pace.listSilence,
      signal,
      (within) => this.#transport.list(this.#store.of, this.#pace.page, from, within),
    );
  }

  async #watch(version: string, signal: AbortSignal): Promise<void> {
    const [shortest, longest] = this.#pace.watchSeconds;
    const seconds = Math.round(shortest + this.#clock.random() * (longest - shortest));
    const whole = seconds * 1000 + this.#pace.silence;
    const limit = this.#bookmarks ? Math.min(whole, this.#pace.bookmarkSilence) : whole;
    const opened = this.#clock.now();
    // A server that never answers must not look like a quiet cluster.
    let silence = this.#pace.listSilence;
    let isOpen = false;
    await withinSilence(
      this.#clock,
      () => silence,
      signal,
      async (within, heard) => {
        const batches = await this.#transport.watch(this.#store.of, version, seconds, within);
        silence = limit;
        isOpen = true;
        heard();
        this.#isWatching = true;
        const over = new AbortController();
        const settling = this.#clock.sleep(this.#pace.settled, AbortSignal.any([within, over.signal])).then(
          () => this.#settle(),
          () => {}, // The watch ended before it settled.
        );
        try {
          for await (const batch of batches) {
            within.throwIfAborted();
            heard();
            this.#store.heard(this.#clock.now());
            for (const event of batch) this.#take(event);
            this.#store.notify();
          }
          within.throwIfAborted();
        } finally {
          this.#isWatching = false;
          over.abort();
          await settling;
        }
      },
    ).catch((error: unknown) => {
      // A server whose etcd was restored from a backup waits with a watch, and with its bookmarks, until it has come to
      // the version again. A connection that is dead is found by the heartbeat before this.
      if (isOpen && limit < whole && error instanceof SilenceError) this.#version = undefined;
      throw error;
    });
    if (this.#clock.now() - opened < this.#pace.settled) {
      throw new ProtocolError('the API server ends each watch at once');
    }
  }

  /** Resets the back-off. */
  #settle(): void {
    if (this.#failures > 0) this.#recovery.notify('answers');
    this.#failures = 0;
    this.#lastFailure = 'none';
    this.#woken = false;
    this.#store.heard(this.#clock.now());
    this.#store.works();
    this.#store.notify();
  }

  #take(event: unknown): void {
    const { type, object } = eventOf(event);
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        this.#store.set(object);
        break;
      case 'DELETED':
        this.#store.delete(object);
        break;
      case 'BOOKMARK':
        this.#bookmarks = true;
        break;
      case 'ERROR':
        this.#store.notify();
        throw errorOf(object);
      default:
        throw new ProtocolError(
          `the API server sent a watch event of the unknown type ${JSON.stringify(type)}`,
        );
    }
    this.#version = versionOf(object) ?? this.#version;
    if (this.#failures > 0) this.#settle();
  }

  /** @returns ms to wait before the next attempt */
  async #recover(error: unknown, signal: AbortSignal): Promise<number> {
    // Programming errors must not be hidden by retries.
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    const { first, longest, longestUnanswered, relistAfter } = this.#pace;
    const last = this.#lastFailure;
    const failure = failureOf(error);
    this.#lastFailure = failure;
    if (failure === 'expired') this.#version = undefined;
    // Earlier failures are irrelevant once the server answers again, and for the list that follows a 410.
    const answersAgain = last === 'unanswered' && isAnswer(error);
    if (answersAgain || (failure === 'expired' && last !== 'expired')) this.#failures = 0;
    if (answersAgain) this.#recovery.notify('answers');
    const before = this.#failures;
    this.#failures += 1;
    if (before === 0 && failure === 'expired') return 0;
    this.#heartbeat.doubt();
    // The transport reads a rotated token after a 401; a second 401 waits like any other failure.
    if (before === 0 && error instanceof ApiError && error.status === 401) return 0;
    if (this.#failures >= relistAfter) this.#version = undefined;
    // A single failure is normal; the second one in a row is reported.
    if (before > 0 || !this.#store.isSynced()) {
      // A server that starts refuses every request with 403; only from a ready server a 403 is about our rights.
      const isRefused = error instanceof ApiError && error.status === 403;
      const readiness = isRefused ? await this.#heartbeat.ask(signal) : 'ready';
      this.#store.fails(error, readiness);
    }
    if (error instanceof ApiError && error.retryAfter !== undefined) return error.retryAfter;
    const most = failure === 'unanswered' ? longestUnanswered : longest;
    const nominal = Math.min(most, first * 2 ** Math.min(before, 16));
    return nominal * (0.5 + this.#clock.random());
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms === 0) return;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const sleeping = this.#clock.sleep(ms, either).then(
      () => false,
      (error: unknown) => {
        if (!either.aborted) throw error;
        return false;
      },
    );
    const waking = this.#awaken(either);
    const by = await Promise.race([sleeping, waking]);
    over.abort();
    await Promise.all([sleeping, waking]);
    this.#woken = by === 'answers';
    // Failures from before the server was ready do not count.
    if (by === 'ready') this.#failures = 0;
  }

  /** @returns what cuts the pause short; false when the signal is aborted */
  async #awaken(signal: AbortSignal): Promise<Recovery | false> {
    for await (const by of this.#recovery.listen(signal)) if (by === 'ready' || !this.#woken) return by;
    return false;
  }
}

function nothing(): void {}

function failureOf(error: unknown): Failure {
  if (error instanceof ApiError && error.status === 410) return 'expired';
  return isAnswer(error) || error instanceof CredentialsError || isCertificateError(error)
    ? 'other'
    : 'unanswered';
}

function isAnswer(error: unknown): boolean {
  return error instanceof ApiError || error instanceof ProtocolError;
}

function eventOf(event: unknown): { type: unknown; object: unknown } {
  if (typeof event !== 'object' || event === null) return { type: undefined, object: undefined };
  return {
    type: 'type' in event ? event.type : undefined,
    object: 'object' in event ? event.object : undefined,
  };
}
