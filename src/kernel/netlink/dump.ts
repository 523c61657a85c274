import { setImmediate as nextTurn } from 'node:timers/promises';
import { KernelError } from '../kernel.ts';
import { decodeDone, decodeError } from './error.ts';
import { Flag, MalformedError, MessageReader, MessageWriter, Type } from './message.ts';
import type { RepeatedDump } from './repeated.ts';
import type { Transport } from './transport.ts';

/** The kernel fills at most 32 KiB into a datagram of a dump. */
const receiveBytes = 64 * 1024;
/** Datagrams read before the event loop continues: 4000 routes, a few ms. */
const partsAtOnce = 8;
/** Attempts at a dump that other programs interrupt (NLM_F_DUMP_INTR). */
const attempts = 10;

export interface DumpRequest<T> {
  /** RTM_GET... */
  readonly type: number;
  /** Writes the payload. */
  readonly encode: (writer: MessageWriter) => void;
  /** undefined: the object is left out. */
  readonly decode: (message: MessageReader) => T | undefined;
}

type Request = Pick<DumpRequest<unknown>, 'type' | 'encode'>;
type Take = (message: MessageReader) => void;

/** Requests dumps on its own socket, one at a time. */
export class Dumper {
  readonly #open: () => Transport;
  #transport: Transport | undefined;
  readonly #request = new MessageWriter(256);
  readonly #reader = new MessageReader(new Uint8Array(receiveBytes));
  #sequence = 0;

  constructor(open: () => Transport) {
    this.#open = open;
    this.#transport = open();
  }

  /**
   * @returns all objects, in the kernel's order; none where a routing table does not exist
   * @throws KernelError when the kernel refuses, or when other programs interrupted every attempt
   * @throws SocketError, MalformedError
   */
  async dump<T>(request: DumpRequest<T>, signal: AbortSignal): Promise<readonly T[]> {
    let found: T[] = [];
    await this.#try(
      request,
      () => {
        found = [];
        return (message) => {
          const object = request.decode(message);
          if (object !== undefined) found.push(object);
        };
      },
      signal,
    );
    return found;
  }

  /**
   * Like {@link dump}, with the result of the last dump at hand.
   *
   * @returns undefined for an object that is left out; the same array as the last time when no message has changed
   */
  async again<T>(dump: RepeatedDump<T>, signal: AbortSignal): Promise<readonly (T | undefined)[]> {
    await this.#try(
      dump.request,
      () => {
        dump.start();
        return (message) => dump.take(message);
      },
      signal,
    );
    return dump.end();
  }

  /** No dump may be in progress. */
  close(): void {
    this.#transport?.close();
    this.#transport = undefined;
  }

  /** @param start called before each attempt; returns the handler of its messages */
  async #try(request: Request, start: () => Take, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      signal.throwIfAborted();
      const answer = new Answer(start());
      await this.#run(request, answer);
      const { error } = answer;
      if (error && !(error.code === 'ENOENT' && request.type === Type.RTM_GETROUTE)) throw error;
      if (!answer.disturbed) return;
    }
    throw new KernelError('EINTR', `a dump (type ${request.type}) was disturbed ${attempts} times in a row`);
  }

  async #run(request: Request, answer: Answer): Promise<void> {
    this.#transport ??= this.#open();
    const transport = this.#transport;
    const reader = this.#reader;
    try {
      await transport.send(...this.#write(request));
      for (let taken = 1; !answer.ended; taken += 1) {
        // Each recv makes the kernel build the next datagram: 50 us, less than a switch to another thread and back.
        const length = transport.receive(reader.bytes);
        if (length < 0) throw new MalformedError(`a dump (type ${request.type}) has no end`);
        reader.reset(length);
        answer.read(reader, this.#sequence);
        if (taken % partsAtOnce === 0) await nextTurn();
      }
    } catch (error) {
      // The socket may still hold the rest of the dump.
      this.close();
      throw error;
    }
  }

  #write(request: Request): [bytes: Uint8Array, length: number] {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const writer = this.#request;
    writer.reset();
    writer.begin(request.type, Flag.NLM_F_REQUEST | Flag.NLM_F_DUMP, this.#sequence);
    request.encode(writer);
    writer.end();
    return [writer.bytes, writer.length];
  }
}

/** State of one attempt. */
class Answer {
  readonly #take: Take;
  /** NLM_F_DUMP_INTR: objects changed during the dump, so some may be missing or doubled. */
  disturbed = false;
  ended = false;
  error: KernelError | undefined;

  constructor(take: Take) {
    this.#take = take;
  }

  read(reader: MessageReader, sequence: number): void {
    while (reader.next()) {
      if (reader.sequence !== sequence) continue;
      if (reader.flags & Flag.NLM_F_DUMP_INTR) this.disturbed = true;
      if (reader.type === Type.NLMSG_DONE || reader.type === Type.NLMSG_ERROR) {
        this.ended = true;
        this.error = reader.type === Type.NLMSG_DONE ? decodeDone(reader) : decodeError(reader);
        return;
      }
      this.#take(reader);
    }
  }
}
