import koffi, { type node } from 'koffi';
import {
  attachFilter,
  lastErrno,
  libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
} from '../../libc.ts';

import { printable } from '../../model/text.ts';
import { PrintedTransport } from './debug.ts';

/** A netlink socket; the interface to the native part. */
export interface Transport {
  /** Port id of the socket, which the kernel puts into notifications of its changes. */
  readonly portId: number;
  /** Bytes of receive buffer that the kernel granted; it charges about 832 for every unread answer. */
  readonly receiveBuffer: number;
  /** Bytes of send buffer that the kernel granted; a datagram must stay 32 below. */
  readonly sendBuffer: number;
  /**
   * Sends the first `length` bytes as one datagram; a long one off the event loop. Rtnetlink handles it within the system
   * call: when this resolves, the answers are in the receive buffer.
   *
   * @throws SocketError
   */
  send(bytes: Uint8Array, length: number): Promise<void>;
  /**
   * Receives one datagram.
   *
   * @returns its length, larger than `into` when it was cut; -1 when there is none
   * @throws SocketError ENOBUFS once after the kernel dropped messages
   */
  receive(into: Uint8Array): number;
  /**
   * Replaces the filter; what was received before stays.
   *
   * @throws SocketError ENOMEM where the kernel has no room for the program: the socket has no filter then
   */
  filter(program: Uint8Array): void;
  /** Joins a multicast group. @throws SocketError */
  join(group: number): void;
  /** Resolves when a datagram or an error can be received. */
  readable(signal: AbortSignal): Promise<void>;
  /** No call may be in progress. */
  close(): void;
}

/** A system call on a netlink socket failed. */
export class SocketError extends Error {
  override readonly name = 'SocketError';
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call} on a netlink socket: ${code}`);
    this.code = code;
  }
}

export interface TransportOptions {
  /** Names the socket in the lines of EIPROUTE_DEBUG. */
  readonly name: string;
  /** The netlink family; NETLINK_ROUTE by default. */
  readonly family?: number;
  /** Requested bytes; rmem_max limits them without CAP_NET_ADMIN in the initial user namespace. */
  readonly receiveBuffer: number;
  /** Multicast groups, as numbers (RTNLGRP_...), not bits. */
  readonly groups: readonly number[];
  /** A classic BPF program for what is received, from the netlink header on; undefined: all of it. */
  readonly filter?: Uint8Array;
}

const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const MSG_TRUNC = 0x20;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_DETACH_FILTER = 27;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const sendBufferBytes = 1 << 20;
/**
 * Bytes that are sent at once: some seventy routes, or a group of five hundred nexthops. The kernel is done with them in 0.2 ms;
 * to hand them to a thread and to hear of its end costs more processor time than one route does.
 */
export const shortBytes = 4096;

/** EIPROUTE_DEBUG=netlink: every message that is sent or received goes to stderr as a line. */
const printing = (process.env['EIPROUTE_DEBUG'] ?? '').split(',').includes('netlink');

/** Characters of a line; a link has fifty attributes. */
const mostPrinted = 10_000;

/** @throws SocketError */
export function openTransport(options: TransportOptions): Transport {
  const transport = openSocket(options);
  if (!printing) return transport;
  return new PrintedTransport(transport, options.name, (line) =>
    process.stderr.write(`${printable(line, mostPrinted)}\n`),
  );
}

function openSocket(options: TransportOptions): Transport {
  const fd: number = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, options.family ?? NETLINK_ROUTE);
  if (fd < 0) throw failure('socket');
  try {
    const address = new Uint32Array(3);
    new Uint16Array(address.buffer)[0] = AF_NETLINK;
    check('bind', libc.bind(fd, address, address.byteLength));
    check('getsockname', libc.getsockname(fd, address, Uint32Array.of(address.byteLength)));
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      check('setsockopt', setOption(fd, SOL_NETLINK, option, 1));
    }
    // The FORCE options exceed rmem_max and wmem_max; they need CAP_NET_ADMIN in the initial user namespace.
    if (setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBuffer) < 0) {
      check('setsockopt', setOption(fd, SOL_SOCKET, SO_RCVBUF, options.receiveBuffer));
    }
    if (setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, sendBufferBytes) < 0) {
      check('setsockopt', setOption(fd, SOL_SOCKET, SO_SNDBUF, sendBufferBytes));
    }
    if (options.filter) setFilter(fd, options.filter);
    for (const group of options.groups) {
      joinGroup(fd, group);
    }
    return new KoffiTransport(fd, address[1] ?? 0);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

class KoffiTransport implements Transport {
  readonly portId: number;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  readonly #fd: number;
  #poll: node.PollHandle | undefined;

  constructor(fd: number, portId: number) {
    this.#fd = fd;
    this.portId = portId;
    this.receiveBuffer = getOption(fd, SO_RCVBUF);
    this.sendBuffer = getOption(fd, SO_SNDBUF);
  }

  async send(bytes: Uint8Array, length: number): Promise<void> {
    if (length <= shortBytes) {
      if (libc.send(this.#fd, bytes, length, 0) < 0) throw failure('send');
      return;
    }
    await new Promise<void>((resolve, reject) => {
      libc.send.async(this.#fd, bytes, length, 0, (error: Error | null, sent: number) => {
        if (error) reject(error);
        else if (sent < 0) reject(failure('send'));
        else resolve();
      });
    });
  }

  receive(into: Uint8Array): number {
    return received(libc.recv(this.#fd, into, into.length, MSG_DONTWAIT | MSG_TRUNC));
  }

  filter(program: Uint8Array): void {
    // Linux charges the new program while it has the former one, and before 6.7 there is room for 20 KB.
    const detached = setOption(this.#fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
    if (detached < 0 && lastErrno() !== 'ENOENT') throw failure('setsockopt');
    setFilter(this.#fd, program);
  }

  join(group: number): void {
    joinGroup(this.#fd, group);
  }

  readable(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const settle = () => {
        this.#poll?.stop();
        signal.removeEventListener('abort', settle);
        if (signal.aborted) reject(signal.reason);
        // koffi calls back outside of Node's callback scope: promises would only continue with another event.
        else setImmediate(resolve);
      };
      signal.addEventListener('abort', settle);
      // libuv uses epoll: unlike a blocking poll(2) it needs no thread of the pool and does not delay exit.
      if (this.#poll) this.#poll.start({ readable: true }, settle);
      else this.#poll = koffi.node.poll(this.#fd, { readable: true }, settle);
    });
  }

  close(): void {
    this.#poll?.close();
    libc.close(this.#fd);
  }
}

function received(length: number): number {
  if (length >= 0) return length;
  const code = lastErrno();
  if (code === 'EAGAIN') return -1;
  throw new SocketError('recv', code);
}

function joinGroup(fd: number, group: number): void {
  // The bit mask of bind() ends with group 31; RTNLGRP_NEXTHOP is 32.
  check('setsockopt', setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group));
}

function setFilter(fd: number, program: Uint8Array): void {
  check('setsockopt', attachFilter(fd, program));
}

function setOption(fd: number, level: number, name: number, value: number): number {
  return libc.setsockopt(fd, level, name, Int32Array.of(value), 4);
}

function getOption(fd: number, name: number): number {
  const value = new Int32Array(1);
  check('getsockopt', libc.getsockopt(fd, SOL_SOCKET, name, value, Uint32Array.of(4)));
  return value[0] ?? 0;
}

function check(call: string, result: number): void {
  if (result < 0) throw failure(call);
}

function failure(call: string): SocketError {
  return new SocketError(call, lastErrno());
}
