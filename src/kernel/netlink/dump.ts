import { setImmediate as nextTurn } from 'node:timers/promises';
import { KernelError } from '../kernel.ts';
import { decodeDone, decodeError } from './error.ts';
import { Flag, MalformedError, MessageReader, MessageWriter, Type } from './message.ts';
import type { RepeatedDump } from './repeated.ts';
import type { Transport } from './transport.ts';

/** The kernel fills at most 32 KiB into a datagram of a dump. */
const receiveBytes = 64 * 1024;
/** Parts taken before others get their turn of the event loop: 4000 routes, a few ms. */
const partsAtOnce = 8;
/** A dump that others keep disturbing is asked for so often, then given up. */
const attempts = 10;

export interface DumpRequest<T> {
  /** RTM_GET... */
  readonly type: number;
  /** Writes what stands behind the header. */
  readonly encode: (writer: MessageWriter) => void;
  /** undefined: not of interest. */
  readonly decode: (message: MessageReader) => T | undefined;
}

type Request = Pick<DumpRequest<unknown>, 'type' | 'encode'>;
type Take = (message: MessageReader) => void;

/** Asks for dumps on a socket of its own; one at a time. */
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
   * @throws KernelError when the kernel refuses, or when others changed things under every attempt
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
   * As {@link dump}, by one who remembers the last time.
   *
   * @returns undefined for what is not of interest; the very same array as the last time when nothing has changed
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

  /** No dump may be under way. */
  close(): void {
    this.#transport?.close();
    this.#transport = undefined;
  }

  /** @param start called before each attempt, for one who takes its messages */
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
        // Each receive makes the kernel gather the next part: 50 us, less than the way to another thread and back.
        const length = transport.receive(reader.bytes);
        if (length < 0) throw new MalformedError(`a dump (type ${request.type}) has no end`);
        reader.reset(length);
        answer.read(reader, this.#sequence);
        if (taken % partsAtOnce === 0) await nextTurn();
      }
    } catch (error) {
      // The rest of the dump may still be in the socket.
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

/** The state of one answer. */
class Answer {
  readonly #take: Take;
  /** The kernel said that things changed meanwhile: some may be missing, some twice. */
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
