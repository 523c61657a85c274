import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';
import { neighbourGroup } from './monitor.ts';
import { Mutex } from './mutex.ts';
import type { NeighbourPort } from './neighbour-port.ts';
import { Batcher } from './netlink/batch.ts';
import { failedNeighbours } from './netlink/failed-neighbours.ts';
import { Flag, MessageReader, MessageWriter, Type } from './netlink/message.ts';
import { decodeNeighbour, encodeNeighbourStale, encodeNeighbourUse } from './netlink/neighbour.ts';
import { openTransport, SocketError, shortBytes, type Transport } from './netlink/transport.ts';
import { asKernelError, withKernelErrors } from './netlink-failure.ts';

const commandBuffer = 4 << 20;
const failureBuffer = 4 << 20;
/** The longest notification of a neighbour has some hundred bytes. */
const receiveBytes = 4096;
/** Bytes of a message about an IPv6 address. */
const longestMessage = 48;

/** Messages for the hosts of one interface. */
interface Batch {
  readonly link: number;
  /** Each is sent as one datagram. */
  readonly parts: readonly Uint8Array[];
}

/** The neighbour table of this network namespace, with sockets of its own: a batch of routes delays no question. */
export class LinuxNeighbours implements NeighbourPort {
  readonly #commands: Transport;
  readonly #batcher: Batcher;
  readonly #running = new Mutex();
  readonly #refusals = new Uint8Array(receiveBytes);
  /** Solicitations are sent several times a second, and are the same each time. */
  readonly #batches = new WeakMap<readonly Ip[], Batch>();

  /** @throws SocketError */
  constructor() {
    this.#commands = openTransport({ name: 'neighbours', receiveBuffer: commandBuffer, groups: [] });
    this.#batcher = new Batcher(this.#commands);
  }

  async solicit(link: number, ips: readonly Ip[]): Promise<void> {
    let batch = this.#batches.get(ips);
    if (batch?.link !== link) {
      batch = solicitation(link, ips);
      this.#batches.set(ips, batch);
    }
    await this.#send(batch);
  }

  expire(link: number, ips: readonly Ip[]): Promise<void> {
    return this.#send(expiry(link, ips));
  }

  states(
    link: number,
    ips: readonly Ip[],
    signal: AbortSignal,
  ): Promise<readonly (NeighbourState | undefined)[]> {
    return this.#run(() =>
      this.#batcher.states(
        ips.map((ip) => ({ ip, link })),
        signal,
      ),
    );
  }

  async *failures(signal: AbortSignal): AsyncGenerator<readonly Ip[] | 'unknown'> {
    const transport = openTransport({
      name: 'failures',
      receiveBuffer: failureBuffer,
      groups: [neighbourGroup],
      filter: failedNeighbours,
    });
    const reader = new MessageReader(new Uint8Array(receiveBytes));
    try {
      while (!signal.aborted) {
        await transport.readable(signal);
        yield readFailures(transport, reader);
        await nextTurn();
      }
    } catch (error) {
      if (!signal.aborted) throw asKernelError(error);
    } finally {
      transport.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.run(async () => this.#commands.close());
  }

  #send({ parts }: Batch): Promise<void> {
    return this.#run(async () => {
      for (const part of parts) await this.#commands.send(part, part.length);
      // Only refusals are answered: the interface is down or gone, which RTM_NEWLINK or RTM_DELLINK reports, or the
      // entry is.
      while (this.#commands.receive(this.#refusals) >= 0);
    });
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    return this.#running.run(() => withKernelErrors(work));
  }
}

/** In parts that are sent without a thread: to wake one, several times a second, costs more than what it does. */
function solicitation(link: number, ips: readonly Ip[]): Batch {
  const most = Math.floor(shortBytes / longestMessage);
  const parts = Array.from({ length: Math.ceil(ips.length / most) }, (_, i) =>
    messages(
      link,
      ips.slice(i * most, (i + 1) * most),
      Flag.NLM_F_REQUEST | Flag.NLM_F_CREATE,
      encodeNeighbourUse,
    ),
  );
  return { link, parts };
}

function expiry(link: number, ips: readonly Ip[]): Batch {
  const part = messages(link, ips, Flag.NLM_F_REQUEST | Flag.NLM_F_REPLACE, encodeNeighbourStale);
  return { link, parts: [part] };
}

function messages(
  link: number,
  ips: readonly Ip[],
  flags: number,
  encode: (writer: MessageWriter, ip: Ip, link: number) => void,
): Uint8Array {
  const writer = new MessageWriter(ips.length * longestMessage);
  for (const ip of ips) {
    writer.begin(Type.RTM_NEWNEIGH, flags, 0);
    encode(writer, ip, link);
    writer.end();
  }
  return writer.bytes.subarray(0, writer.length);
}

/** Empties the socket. */
function readFailures(transport: Transport, reader: MessageReader): readonly Ip[] | 'unknown' {
  const failed = new Set<Ip>();
  let isOverrun = false;
  for (;;) {
    try {
      const length = transport.receive(reader.bytes);
      if (length < 0) return isOverrun ? 'unknown' : [...failed];
      reader.reset(length);
      while (reader.next()) {
        const found = decodeNeighbour(reader);
        if (found !== undefined) failed.add(found.ip);
      }
    } catch (error) {
      if (!(error instanceof SocketError && error.code === 'ENOBUFS')) throw error;
      isOverrun = true;
    }
  }
}
