import type { Clock } from '../../../src/cluster/clock.ts';
import { ApiError, type Page, type Transport } from '../../../src/cluster/transport.ts';

/**
 * What the API server is like:
 *
 * - up: ready; lists and watches work
 * - dropped: packets to it and from it are dropped, and nothing says so: what goes through a connection from before is
 *   never answered, and a new one cannot be made within 10 s
 * - refused: connections break, and new ones are refused
 * - starting: it answers everybody with 403, and /readyz with 403 as well
 */
export type Mode = 'up' | 'dropped' | 'refused' | 'starting';

const aDay = 24 * 3_600_000;

/** A server that is up and down by the clock; watches from before its last start get a 410. */
export class OutageTransport implements Transport {
  readonly probes: number[] = [];
  readonly #clock: Clock;
  #mode: Mode = 'up';
  /** Raised by each start: a watch from a version of an earlier one is too old. */
  #epoch = 1;
  #isConnected = false;
  /** Breaks what is open. */
  #connections = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  be(mode: Mode): void {
    if (mode === 'refused') this.disconnect(socketError('ECONNRESET'));
    if (mode === 'starting') this.#epoch += 1;
    this.#mode = mode;
  }

  async list(_resource: unknown, _limit: number, _from: unknown, signal: AbortSignal): Promise<Page> {
    await this.#answer(signal);
    return { items: [], resourceVersion: String(this.#epoch), next: undefined };
  }

  async watch(
    _resource: unknown,
    version: string,
    _seconds: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly unknown[]>> {
    await this.#answer(signal);
    if (version !== String(this.#epoch)) throw new ApiError(410, 'too old resource version');
    return this.#quiet(signal);
  }

  async probe(signal: AbortSignal): Promise<number> {
    this.probes.push(this.#clock.now());
    if (this.#mode === 'starting') return 403;
    await this.#answer(signal);
    return 200;
  }

  disconnect(error: Error): void {
    this.#isConnected = false;
    this.#connections.abort(error);
    this.#connections = new AbortController();
  }

  async #answer(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    switch (this.#mode) {
      case 'up':
        this.#isConnected = true;
        return;
      case 'refused':
        throw socketError('ECONNREFUSED');
      case 'starting':
        throw new ApiError(403, 'forbidden');
      case 'dropped':
        await this.#clock.sleep(
          this.#isConnected ? aDay : 10_000,
          AbortSignal.any([signal, this.#connections.signal]),
        );
        throw socketError('UND_ERR_CONNECT_TIMEOUT');
      default:
        this.#mode satisfies never;
    }
  }

  /** Hears nothing until the connection breaks. */
  async *#quiet(signal: AbortSignal): AsyncGenerator<readonly unknown[]> {
    const either = AbortSignal.any([signal, this.#connections.signal]);
    await this.#clock.sleep(aDay, either);
    yield [];
  }
}

function socketError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
