import { setImmediate as nextTurn } from 'node:timers/promises';
import { KernelError } from '../kernel.ts';
import { decodeDone, decodeError } from './error.ts';
import { Flag, MalformedError, MessageReader, MessageWriter, Type } from './message.ts';
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
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      signal.throwIfAborted();
      const part = new Part<T>(request);
      await this.#run(part);
      if (part.error && !(part.error.code === 'ENOENT' && request.type === Type.getRoute)) throw part.error;
      if (!part.disturbed) return part.found;
    }
    throw new KernelError('EINTR', `a dump (type ${request.type}) was disturbed ${attempts} times in a row`);
  }

  /** No dump may be under way. */
  close(): void {
    this.#transport?.close();
    this.#transport = undefined;
  }

  async #run<T>(part: Part<T>): Promise<void> {
    this.#transport ??= this.#open();
    const transport = this.#transport;
    const reader = this.#reader;
    try {
      await transport.send(...this.#write(part));
      for (let taken = 1; !part.ended; taken += 1) {
        // Each receive makes the kernel gather the next part: 50 us, less than the way to another thread and back.
        const length = transport.receive(reader.bytes);
        if (length < 0) throw new MalformedError(`a dump (type ${part.request.type}) has no end`);
        reader.reset(length);
        part.take(reader, this.#sequence);
        if (taken % partsAtOnce === 0) await nextTurn();
      }
    } catch (error) {
      // The rest of the dump may still be in the socket.
      this.close();
      throw error;
    }
  }

  #write<T>({ request }: Part<T>): [bytes: Uint8Array, length: number] {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const writer = this.#request;
    writer.reset();
    writer.begin(request.type, Flag.request | Flag.dump, this.#sequence);
    request.encode(writer);
    writer.end();
    return [writer.bytes, writer.length];
  }
}

/** What has arrived of one dump. */
class Part<T> {
  readonly request: DumpRequest<T>;
  readonly found: T[] = [];
  /** The kernel said that things changed meanwhile: some may be missing, some twice. */
  disturbed = false;
  ended = false;
  error: KernelError | undefined;

  constructor(request: DumpRequest<T>) {
    this.request = request;
  }

  take(reader: MessageReader, sequence: number): void {
    const { decode } = this.request;
    while (reader.next()) {
      if (reader.sequence !== sequence) continue;
      if (reader.flags & Flag.dumpInterrupted) this.disturbed = true;
      if (reader.type === Type.done || reader.type === Type.error) {
        this.ended = true;
        this.error = reader.type === Type.done ? decodeDone(reader) : decodeError(reader);
        return;
      }
      const object = decode(reader);
      if (object !== undefined) this.found.push(object);
    }
  }
}
