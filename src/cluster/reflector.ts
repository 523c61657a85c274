import type { Resource } from '../model/cluster.ts';
import type { Clock } from './clock.ts';
import type { Signal } from './signal.ts';
import { withinSilence } from './silence.ts';
import type { ClusterStore } from './store.ts';
import { ApiError, CredentialsError, ProtocolError, type Transport } from './transport.ts';
import { errorOf, isCertificateError, failure as troubleOf } from './trouble.ts';
import { versionOf } from './versions.ts';

/** How often and how long; ms unless the name says otherwise. */
export interface ReflectorPace {
  /** Objects per page of a list. */
  readonly page: number;
  /** The server is asked to end a watch after a random time between these two. */
  readonly watchSeconds: readonly [shortest: number, longest: number];
  /** How much longer than the watch itself we hear nothing before we give it up. */
  readonly silence: number;
  /**
   * How long we hear nothing from a server that is known to send bookmarks before we give a watch up. API servers
   * send one a minute; so a path that is gone without a word is noticed in minutes, not at the end of the watch.
   */
  readonly bookmarkSilence: number;
  /** How long one page may take, and the answer to a watch. */
  readonly listSilence: number;
  /** A watch that lives this long was a success, and what failed before is forgotten. */
  readonly settled: number;
  /** Wait after the first failure; doubled each time, with jitter. */
  readonly first: number;
  readonly longest: number;
  /** The longest wait while the server does not answer at all: one that is back is to be found soon. */
  readonly longestUnanswered: number;
  /** Failures in a row after which the version is not trusted any more, and all is listed anew. */
  readonly relistAfter: number;
}

export const defaultPace: ReflectorPace = {
  page: 500,
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

export interface ReflectorOptions {
  readonly resource: Resource;
  readonly transport: Transport;
  readonly store: ClusterStore;
  readonly pace: ReflectorPace;
  readonly clock: Clock;
  /** Shared by the reflectors of one server: one of them got an answer again, so the others need not wait. */
  readonly recovery: Signal;
}

/** Why the last attempt failed; `none`: it did not. */
type Failure = 'none' | 'unanswered' | 'expired' | 'other';

/**
 * Keeps one resource of the store like the API server's, until the signal is aborted: LIST, then WATCH, and again
 * after any failure. The old state stays until a new list is whole.
 */
export class Reflector {
  readonly #resource: Resource;
  readonly #transport: Transport;
  readonly #store: ClusterStore;
  readonly #pace: ReflectorPace;
  readonly #clock: Clock;
  readonly #recovery: Signal;
  /** Up to where we know; undefined: a list is due. */
  #version: string | undefined;
  #failures = 0;
  #lastFailure: Failure = 'none';
  /** The last pause was cut short; the next one is not, or two reflectors could drive each other in circles. */
  #woken = false;
  /** This server sends bookmarks. */
  #bookmarks = false;

  constructor({ resource, transport, store, pace, clock, recovery }: ReflectorOptions) {
    this.#resource = resource;
    this.#transport = transport;
    this.#store = store;
    this.#pace = pace;
    this.#clock = clock;
    this.#recovery = recovery;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal);
        await this.#watch(this.#version, signal);
      } catch (error) {
        if (signal.aborted) return;
        const wait = this.#recover(error);
        this.#store.notify();
        await this.#pause(wait, signal);
      }
    }
  }

  /** @returns the version of the list */
  async #list(signal: AbortSignal): Promise<string> {
    const replacement = this.#store.indexes[this.#resource].replacement();
    let from: string | undefined;
    for (;;) {
      const page = await withinSilence(
        this.#clock,
        () => this.#pace.listSilence,
        signal,
        (within) => this.#transport.list(this.#resource, this.#pace.page, from, within),
      );
      signal.throwIfAborted();
      this.#store.heard(this.#resource, this.#clock.now());
      for (const item of page.items) replacement.add(item);
      if (page.next === undefined) {
        await this.#store.commit(replacement, () => this.#clock.sleep(0, signal), page.resourceVersion);
        this.#store.state(this.#resource, { synced: true, trouble: undefined });
        this.#store.notify();
        if (this.#failures > 0) this.#recovery.notify();
        return page.resourceVersion;
      }
      from = page.next;
      // Other work has its turn between two pages.
      await this.#clock.sleep(0, signal);
    }
  }

  async #watch(version: string, signal: AbortSignal): Promise<void> {
    const [shortest, longest] = this.#pace.watchSeconds;
    const seconds = Math.round(shortest + this.#clock.random() * (longest - shortest));
    const whole = seconds * 1000 + this.#pace.silence;
    const limit = this.#bookmarks ? Math.min(whole, this.#pace.bookmarkSilence) : whole;
    const opened = this.#clock.now();
    // A server that takes the request and never answers it must not pass for a quiet cluster.
    let silence = this.#pace.listSilence;
    await withinSilence(
      this.#clock,
      () => silence,
      signal,
      async (within, heard) => {
        const batches = await this.#transport.watch(this.#resource, version, seconds, within);
        silence = limit;
        heard();
        const over = new AbortController();
        const settling = this.#clock.sleep(this.#pace.settled, AbortSignal.any([within, over.signal])).then(
          () => this.#settle(),
          () => {}, // It ended before it had settled.
        );
        try {
          for await (const batch of batches) {
            within.throwIfAborted();
            heard();
            this.#store.heard(this.#resource, this.#clock.now());
            for (const event of batch) this.#take(event);
            this.#store.notify();
          }
          within.throwIfAborted();
        } finally {
          over.abort();
          await settling;
        }
      },
    );
    if (this.#clock.now() - opened < this.#pace.settled) {
      throw new ProtocolError('the API server ends each watch at once');
    }
  }

  /** All is well again. */
  #settle(): void {
    if (this.#failures > 0) this.#recovery.notify();
    this.#failures = 0;
    this.#lastFailure = 'none';
    this.#woken = false;
    this.#store.heard(this.#resource, this.#clock.now());
    this.#store.state(this.#resource, { trouble: undefined });
    this.#store.notify();
  }

  #take(event: unknown): void {
    const { type, object } = eventOf(event);
    const index = this.#store.indexes[this.#resource];
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        index.set(object);
        break;
      case 'DELETED':
        index.delete(object);
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
  #recover(error: unknown): number {
    // A mistake of ours; going round and round with it would hide it.
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    const { first, longest, longestUnanswered, relistAfter } = this.#pace;
    const last = this.#lastFailure;
    const failure = failureOf(error);
    this.#lastFailure = failure;
    if (failure === 'expired') this.#version = undefined;
    // What failed before says nothing about a server that answers again, nor about a list.
    const answersAgain = last === 'unanswered' && isAnswer(error);
    if (answersAgain || (failure === 'expired' && last !== 'expired')) this.#failures = 0;
    if (answersAgain) this.#recovery.notify();
    const before = this.#failures;
    this.#failures += 1;
    if (before === 0 && failure === 'expired') return 0;
    // A token that was replaced is put right by reading it again; a second refusal waits like any other failure.
    if (before === 0 && error instanceof ApiError && error.status === 401) return 0;
    if (this.#failures >= relistAfter) this.#version = undefined;
    // Connections are cut now and then; the second failure in a row is worth a word.
    if (before > 0 || !this.#store.feed(this.#resource).synced) {
      this.#store.state(this.#resource, { trouble: troubleOf(error, this.#resource) });
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
    if (this.#woken) {
      await sleeping;
      this.#woken = false;
      return;
    }
    const recovery = this.#recovery.listen(either)[Symbol.asyncIterator]();
    const waking = recovery.next().then(({ done }) => done !== true);
    this.#woken = await Promise.race([sleeping, waking]);
    over.abort();
    await Promise.all([sleeping, waking]);
  }
}

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
