import type { NeighbourState } from '../../model/listing.ts';
import type { Change, ProxyNeighbour, Route } from '../../model/object.ts';
import type { KernelError } from '../kernel.ts';
import type { Question } from '../lookup-port.ts';
import { encodeChange } from './change.ts';
import { decodeError } from './error.ts';
import { encodeLookup } from './lookup.ts';
import { Flag, MessageReader, MessageWriter, Type } from './message.ts';
import {
  decodeNeighbourState,
  encodeNeighbourKey,
  encodeNeighbourUse,
  type FoundNeighbour,
} from './neighbour.ts';
import { encodeProxyNeighbourKey } from './proxy-neighbour.ts';
import { decodeRoute } from './route.ts';
import { RouteTemplate } from './template.ts';
import { SocketError, type Transport } from './transport.ts';

/** About 2500 routes: the kernel works on them for 2 to 8 ms, while the next batch is encoded. */
const batchBytes = 128 * 1024;
/** The longest answer is a neighbour, or an error with its text. */
const receiveBytes = 64 * 1024;
/** The longest attribute: a group of 8191 nexthops. */
const longestMessage = 64 * 1024;
/** Bytes of receive buffer that the kernel charges for an answer (measured). */
const answerBytes = 832;

/** A part of a list of changes, from number `from` up to but not including `to`. */
export interface Run {
  readonly changes: readonly Change[];
  readonly from: number;
  readonly to: number;
  /** The error of a refused change has the index of the change. */
  readonly outcomes: (KernelError | undefined)[];
  /** Called with the index behind the last change that was answered, while the kernel works on those that follow. */
  readonly answered?: ((to: number) => void) | undefined;
}

export type Unresolved = Pick<FoundNeighbour, 'ip' | 'link'>;

/** One message per index from `from` up to but not including `to`, and the handler of their answers. */
interface Exchange {
  readonly from: number;
  readonly to: number;
  readonly encode: (writer: MessageWriter, index: number, sequence: number) => void;
  readonly answer: (reader: MessageReader, index: number) => void;
  /** As that of a {@link Run}. */
  readonly answered?: Run['answered'];
}

/** Sends messages in batches; the next batch is encoded while one is sent. One call at a time. */
export class Batcher {
  readonly #transport: Transport;
  readonly #template = new RouteTemplate();
  readonly #reader = new MessageReader(new Uint8Array(receiveBytes));
  readonly #most: number;
  readonly #bytes: number;
  #writer = new MessageWriter(batchBytes + longestMessage);
  #spare = new MessageWriter(batchBytes + longestMessage);
  #sequence = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
    // Every message of a batch may be answered with an error, and no answer may be lost.
    this.#most = Math.max(1, Math.floor(transport.receiveBuffer / answerBytes / 2));
    this.#bytes = Math.min(batchBytes, transport.sendBuffer - longestMessage - 32);
  }

  /**
   * Makes the changes, in order; one that is refused does not stop the others.
   *
   * @throws SocketError; which changes were made is then unknown
   * @throws the signal's reason, between two batches
   */
  async apply({ changes, from, to, outcomes, answered }: Run, signal: AbortSignal): Promise<void> {
    const exchange: Exchange = {
      from,
      to,
      encode: (writer, index, sequence) => {
        const change = changes[index];
        if (change === undefined) throw new RangeError(`no change ${index} of ${changes.length}`);
        const object = change.verb === 'delete' ? change.have : change.want;
        if (object.kind === 'route') this.#template.write(writer, change, object, sequence);
        else encodeChange(writer, change, sequence);
      },
      answer: (reader, index) => {
        if (reader.type === Type.NLMSG_ERROR) outcomes[index] = decodeError(reader);
      },
      answered,
    };
    await this.#exchange(exchange, signal);
  }

  /** Whether there is a proxy entry for each of these already, made by any program. */
  async taken(entries: readonly ProxyNeighbour[], signal: AbortSignal): Promise<readonly boolean[]> {
    const taken = entries.map(() => false);
    const encode = (writer: MessageWriter, entry: ProxyNeighbour, sequence: number): void => {
      writer.begin(Type.RTM_GETNEIGH, Flag.NLM_F_REQUEST, sequence);
      encodeProxyNeighbourKey(writer, entry);
      writer.end();
    };
    // The change itself receives the other errors (no such link) with their text.
    await this.#each(entries, signal, encode, (reader, index) => {
      if (reader.type === Type.RTM_NEWNEIGH) taken[index] = true;
    });
    return taken;
  }

  /** Makes the kernel resolve these neighbours; their answers come later. */
  async resolve(neighbours: readonly Unresolved[], signal: AbortSignal): Promise<void> {
    const encode = (writer: MessageWriter, { ip, link }: Unresolved, sequence: number): void => {
      writer.begin(Type.RTM_NEWNEIGH, Flag.NLM_F_REQUEST | Flag.NLM_F_CREATE, sequence);
      encodeNeighbourUse(writer, ip, link);
      writer.end();
    };
    // An error means that the interface is down or gone, which RTM_NEWLINK or RTM_DELLINK reports.
    await this.#each(neighbours, signal, encode, () => undefined);
  }

  /** The state of each entry of the neighbour table; undefined: there is none. */
  async states(
    neighbours: readonly Unresolved[],
    signal: AbortSignal,
  ): Promise<readonly (NeighbourState | undefined)[]> {
    const states: (NeighbourState | undefined)[] = neighbours.map(() => undefined);
    const encode = (writer: MessageWriter, { ip, link }: Unresolved, sequence: number): void => {
      writer.begin(Type.RTM_GETNEIGH, Flag.NLM_F_REQUEST, sequence);
      encodeNeighbourKey(writer, ip, link);
      writer.end();
    };
    // ENOENT: no entry. Another error means that the interface is gone, which RTM_DELLINK reports.
    await this.#each(neighbours, signal, encode, (reader, index) => {
      if (reader.type === Type.RTM_NEWNEIGH) states[index] = decodeNeighbourState(reader);
    });
    return states;
  }

  /** Which route each packet matches; undefined: one that {@link decodeRoute} leaves out. */
  async lookups(
    questions: readonly Question[],
    signal: AbortSignal,
  ): Promise<readonly (Route | KernelError | undefined)[]> {
    const found: (Route | KernelError | undefined)[] = questions.map(() => undefined);
    const encode = (writer: MessageWriter, question: Question, sequence: number): void => {
      writer.begin(Type.RTM_GETROUTE, Flag.NLM_F_REQUEST, sequence);
      encodeLookup(writer, question);
      writer.end();
    };
    await this.#each(questions, signal, encode, (reader, index) => {
      if (reader.type === Type.RTM_NEWROUTE) found[index] = decodeRoute(reader);
      // The acknowledgement of the last question follows its answer.
      else if (reader.type === Type.NLMSG_ERROR) found[index] = decodeError(reader) ?? found[index];
    });
    return found;
  }

  /** One request for each entry. @param encode writes the whole message */
  async #each<T>(
    entries: readonly T[],
    signal: AbortSignal,
    encode: (writer: MessageWriter, entry: T, sequence: number) => void,
    answer: Exchange['answer'],
  ): Promise<void> {
    const exchange: Exchange = {
      from: 0,
      to: entries.length,
      encode: (writer, index, sequence) => {
        const entry = entries[index];
        if (entry === undefined) throw new RangeError(`no entry ${index} of ${entries.length}`);
        encode(writer, entry, sequence);
      },
      answer,
    };
    await this.#exchange(exchange, signal);
  }

  async #exchange(exchange: Exchange, signal: AbortSignal): Promise<void> {
    let flying: Promise<void> | undefined;
    try {
      for (let next = exchange.from; next < exchange.to; ) {
        signal.throwIfAborted();
        const writer = this.#spare;
        this.#spare = this.#writer;
        this.#writer = writer;
        writer.reset();
        const first = next;
        const sequence = this.#sequence;
        while (next < exchange.to && next - first < this.#most && writer.length < this.#bytes) {
          exchange.encode(writer, next, (sequence + next - first) >>> 0);
          next += 1;
        }
        writer.addFlags(Flag.NLM_F_ACK);
        this.#sequence = (sequence + next - first) >>> 0;
        await flying;
        flying = this.#send(writer, { ...exchange, from: first, to: next }, sequence);
        if (first > exchange.from) exchange.answered?.(first);
      }
    } finally {
      await flying;
    }
  }

  /** @param sequence of the first message */
  async #send(writer: MessageWriter, { from, to, answer }: Exchange, sequence: number): Promise<void> {
    await this.#transport.send(writer.bytes, writer.length);
    const reader = this.#reader;
    const count = to - from;
    for (let acknowledged = false; !acknowledged; ) {
      const length = this.#transport.receive(reader.bytes);
      if (length < 0) throw new SocketError('recv: a batch without its acknowledgement', 'EAGAIN');
      reader.reset(length);
      while (reader.next()) {
        // Answers to an earlier batch that failed have smaller sequence numbers.
        const index = (reader.sequence - sequence) >>> 0;
        if (index >= count) continue;
        answer(reader, from + index);
        if (reader.type === Type.NLMSG_ERROR && index === count - 1) acknowledged = true;
      }
    }
  }
}
