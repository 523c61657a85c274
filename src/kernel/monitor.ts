import type { Hint } from './kernel.ts';
import type { Transport } from './netlink/transport.ts';
import { type Filter, NotificationReader } from './notification-reader.ts';

/** Hints with the same text are merged; beyond this number they are dropped, since one is enough to list again. */
const mostPending = 64;

/** Rtnetlink multicast groups (RTNLGRP_...) of all events that may remove or restore our objects. */
export const groups: readonly number[] = [
  1, // LINK
  5, // IPV4_IFADDR
  7, // IPV4_ROUTE
  8, // IPV4_RULE
  9, // IPV6_IFADDR
  11, // IPV6_ROUTE
  19, // IPV6_RULE
  24, // IPV4_NETCONF
  25, // IPV6_NETCONF
  32, // NEXTHOP
];

/** RTNLGRP_NEIGH, for roles that have neighbours. */
export const neighbourGroup = 3;

/** Merges the hints of several sockets into one stream, from construction until the signal. */
export class Monitor {
  readonly #signal: AbortSignal;
  readonly #readers: NotificationReader[] = [];
  readonly #pending = new Map<string, Hint>();
  #wake = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    if (signal.aborted) this.#wake.resolve();
    signal.addEventListener('abort', () => this.#wake.resolve());
  }

  /** The transport is closed with the signal. */
  listen(transport: Transport, filter: Filter): void {
    const reader = new NotificationReader(transport, filter, (hint) => this.#add(hint), this.#signal);
    this.#readers.push(reader);
    reader.ended.catch((error: unknown) => {
      this.#failure = { error };
      this.#wake.resolve();
    });
  }

  /** Waits until all sockets are closed. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#readers.map((reader) => reader.ended));
  }

  /** Ends with the signal. @throws SocketError, MalformedError when one of the sockets cannot be read any more */
  async *hints(): AsyncGenerator<Hint> {
    for (;;) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      const hints = [...this.#pending.values()];
      this.#pending.clear();
      yield* hints;
      if (this.#failure) throw this.#failure.error;
      if (this.#signal.aborted) return;
    }
  }

  #add(hint: Hint): void {
    if (this.#pending.size < mostPending || hint.kind === 'overrun') {
      this.#pending.set(`${hint.kind} ${hint.text}`, hint);
    }
    this.#wake.resolve();
  }
}
