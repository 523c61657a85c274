import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Hint } from './kernel.ts';
import { MessageReader } from './netlink/message.ts';
import { SocketError, type Transport } from './netlink/transport.ts';

/** An RTM_NEWLINK with all its attributes has a few KiB. */
const receiveBytes = 64 * 1024;
/** Messages read before the event loop continues: about 4 ms. */
const drainAtOnce = 4096;

/** Decides which notifications are hints. */
export interface Filter {
  /** @returns undefined for what does not concern us; 'later' when {@link changedSettings} is to be asked */
  hintOf(message: MessageReader): Hint | 'later' | undefined;
  changedSettings(): Promise<readonly Hint[]>;
}

/** Reads the notifications of one socket, from construction until the signal, and closes it then. */
export class NotificationReader {
  readonly #transport: Transport;
  readonly #filter: Filter;
  readonly #heard: (hint: Hint) => void;
  readonly #signal: AbortSignal;
  readonly #reader = new MessageReader(new Uint8Array(receiveBytes));
  #lost = false;
  /** Rejects when the socket cannot be read any more before the signal: SocketError, MalformedError. */
  readonly ended: Promise<void>;

  constructor(transport: Transport, filter: Filter, heard: (hint: Hint) => void, signal: AbortSignal) {
    this.#transport = transport;
    this.#filter = filter;
    this.#heard = heard;
    this.#signal = signal;
    this.ended = this.#run();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        await this.#transport.readable(this.#signal);
        while (await this.#drain()) await nextTurn();
        if (this.#lost) this.#heard({ kind: 'overrun', text: 'notifications were lost: too many at once' });
        this.#lost = false;
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      this.#transport.close();
    }
  }

  /** @returns whether there may be more */
  async #drain(): Promise<boolean> {
    let later = false;
    const hints: Hint[] = [];
    let taken = 0;
    for (; taken < drainAtOnce; taken += 1) {
      const length = this.#receive();
      if (length < 0) break;
      this.#reader.reset(length);
      while (this.#reader.next()) {
        const hint = this.#filter.hintOf(this.#reader);
        if (hint === 'later') later = true;
        else if (hint) hints.push(hint);
      }
    }
    if (later) for (const hint of await this.#filter.changedSettings()) this.#heard(hint);
    for (const hint of hints) this.#heard(hint);
    return taken === drainAtOnce && !this.#signal.aborted;
  }

  #receive(): number {
    for (;;) {
      try {
        return this.#transport.receive(this.#reader.bytes);
      } catch (error) {
        if (!(error instanceof SocketError && error.code === 'ENOBUFS')) throw error;
        // ENOBUFS: the socket keeps the messages from before the overrun. Linux drops further ones without another
        // error until the socket is empty, so the listing has to come after that.
        this.#lost = true;
      }
    }
  }
}
