import type { Clock } from './clock.ts';
import { isCertificateError } from './failure.ts';
import { withinSilence } from './silence.ts';
import { CredentialsError, type Transport } from './transport.ts';

/** ms */
export interface HeartbeatPace {
  /** Between an answer and the next question. */
  readonly every: number;
  /** For one answer. */
  readonly limit: number;
  /** Between two questions while the server does not say that it is ready. */
  readonly retry: number;
  /** A server that answers and is not ready for so long is asked every `every` again: perhaps we may not ask. */
  readonly patience: number;
}

export const defaultHeartbeat: HeartbeatPace = {
  every: 10_000,
  limit: 15_000,
  retry: 1000,
  patience: 60_000,
};

/**
 * What the server says of itself: it is ready; it answers, and is not (or we may not ask); it does not answer.
 * A server that starts answers everybody with 403 until it has read its roles, and is ready only then.
 */
export type Readiness = 'ready' | 'answers' | 'silent';

/** Asks once, for a command or an agent that keeps no connection. */
export async function readinessOf(
  transport: Pick<Transport, 'probe'>,
  signal: AbortSignal,
): Promise<Readiness> {
  try {
    return (await transport.probe(signal)) === 200 ? 'ready' : 'answers';
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    return 'silent';
  }
}

export interface HeartbeatOptions {
  readonly transport: Pick<Transport, 'probe' | 'disconnect'>;
  readonly clock: Clock;
  readonly pace?: HeartbeatPace;
  /** ms since the epoch, when the server was heard last by anybody */
  readonly heard: () => number;
  /** The server has answered. */
  readonly answered: () => void;
  /** The server has become ready, after it was not. */
  readonly ready: () => void;
}

/**
 * Asks the API server regularly whether it is ready, on the connection that the watches use. A firewall that drops
 * packets causes no error: without a question a watch just hears nothing, for minutes, as if the cluster were quiet.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #pace: HeartbeatPace;
  /** undefined: not asked yet */
  #last: Readiness | undefined;
  /** When the server answered first after it had not, in ms since the epoch. */
  #answersSince: number | undefined;
  #isHopeless = false;
  #asking: Promise<Readiness> | undefined;
  #wake: (() => void) | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#pace = options.pace ?? defaultHeartbeat;
  }

  /** A request has failed: the server is asked now, and often until it is ready. */
  doubt(): void {
    this.#wake?.();
  }

  /** Asks, or waits for the answer that is asked for already. */
  ask(signal: AbortSignal): Promise<Readiness> {
    this.#asking ??= this.#ask(signal).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Asks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#rest(signal);
      if (!signal.aborted) await this.ask(signal);
    }
  }

  async #ask(signal: AbortSignal): Promise<Readiness> {
    const { transport, clock, heard, answered, ready } = this.#options;
    const { limit } = this.#pace;
    const before = this.#last;
    let now: Readiness;
    try {
      const status = await withinSilence(
        clock,
        () => limit,
        signal,
        (within) => transport.probe(within),
      );
      now = status === 200 ? 'ready' : 'answers';
      this.#isHopeless = false;
      this.#answersSince ??= clock.now();
    } catch (error) {
      if (signal.aborted) return before ?? 'silent';
      if (error instanceof TypeError || error instanceof ReferenceError) throw error;
      now = 'silent';
      this.#answersSince = undefined;
      // Neither goes away within a second, and a plugin that gives credentials is a process each time.
      this.#isHopeless = error instanceof CredentialsError || isCertificateError(error);
      // What is on its way through a dead connection would be waited for. A long list is an answer as well.
      if (error instanceof Error && !this.#isHopeless && clock.now() - heard() >= limit)
        transport.disconnect(error);
    }
    this.#last = now;
    if (now !== 'silent') answered();
    if (now === 'ready' && before !== undefined && before !== 'ready') ready();
    return now;
  }

  /** Waits until the next question is due, or until a doubt. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const { every, retry, patience } = this.#pace;
    const isNew = this.#answersSince === undefined || clock.now() - this.#answersSince < patience;
    const isUrgent = this.#last !== 'ready' && this.#last !== undefined && isNew && !this.#isHopeless;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    // A doubt is no reason to ask all the time.
    const least = clock.sleep(retry, signal);
    this.#wake = () => over.abort();
    try {
      await least;
      if (!isUrgent) await clock.sleep(every - retry, either);
    } catch (error) {
      if (!either.aborted) throw error;
    } finally {
      this.#wake = undefined;
    }
  }
}
