import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Judge } from './judge.ts';
import type { Hint } from './kernel.ts';
import { MessageReader } from './netlink/message.ts';
import { SocketError, type Transport } from './netlink/transport.ts';

/** A notification of a link with all its attributes is a few KiB. */
const receiveBytes = 64 * 1024;
/** Taken in one go, before others get their turn of the event loop: about 4 ms. */
const drainAtOnce = 4096;
/** Hints of the same words are one; of more than this nobody could make use. */
const mostPending = 64;

/** Rtnetlink multicast groups: what can take something of ours away, or bring it back. */
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

/** Turns the kernel's notifications into hints, from its making on until the signal; then closes the socket. */
export class Monitor {
  readonly #transport: Transport;
  readonly #judge: Judge;
  readonly #signal: AbortSignal;
  readonly #reader = new MessageReader(new Uint8Array(receiveBytes));
  readonly #pending = new Map<string, Hint>();
  #wake = Promise.withResolvers<void>();
  /** Resolves when the socket is closed. */
  readonly ended: Promise<void>;
  #lost = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(transport: Transport, judge: Judge, signal: AbortSignal) {
    this.#transport = transport;
    this.#judge = judge;
    this.#signal = signal;
    this.ended = this.#run();
  }

  /** Ends with the signal. @throws SocketError, MalformedError: nothing more is heard then */
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

  async #run(): Promise<void> {
    try {
      for (;;) {
        await this.#transport.readable(this.#signal);
        while (await this.#drain()) await nextTurn();
        if (this.#lost) this.#add({ kind: 'overrun', text: 'notifications were lost: too many at once' });
        this.#lost = false;
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#failure = { error };
    } finally {
      this.#transport.close();
      this.#wake.resolve();
    }
  }

  /** @returns whether there may be more */
  async #drain(): Promise<boolean> {
    let settingsTouched = false;
    const heard: Hint[] = [];
    let taken = 0;
    for (; taken < drainAtOnce; taken += 1) {
      const length = this.#receive();
      if (length < 0) break;
      this.#reader.reset(length);
      while (this.#reader.next()) {
        const verdict = this.#judge.judge(this.#reader);
        if (verdict === 'settings') settingsTouched = true;
        else if (verdict) heard.push(verdict);
      }
    }
    if (settingsTouched) for (const hint of await this.#judge.changedSettings()) this.#add(hint);
    for (const hint of heard) this.#add(hint);
    return taken === drainAtOnce && !this.#signal.aborted;
  }

  #receive(): number {
    for (;;) {
      try {
        return this.#transport.receive(this.#reader.bytes);
      } catch (error) {
        if (!(error instanceof SocketError && error.code === 'ENOBUFS')) throw error;
        // The socket lives, and holds what arrived before. Linux goes on to drop, and says so no more, until the
        // socket is empty: only a look after that sees everything.
        this.#lost = true;
      }
    }
  }

  #add(hint: Hint): void {
    if (this.#pending.size < mostPending || hint.kind === 'overrun') {
      this.#pending.set(`${hint.kind} ${hint.text}`, hint);
    }
    this.#wake.resolve();
  }
}
