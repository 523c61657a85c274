import { endianness } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import koffi, { type node } from 'koffi';
import {
  AF_PACKET,
  attachFilter,
  lastErrno,
  libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../libc.ts';
import type { Ip } from '../model/ip.ts';
import { KernelError } from './kernel.ts';
import {
  announcementOf,
  ETH_P_ARP,
  ETH_P_IPV6,
  macText,
  ndpOnly,
  type Packet,
  probeOf,
  readPacket,
  reportsOf,
} from './segment-packets.ts';
import type { Heard, SegmentPort } from './segment-port.ts';

/** struct sockaddr_ll */
const addressBytes = 20;
const outgoing = 4;
/** Packets that are sent or read before others have their turn; a thousand take 11 ms. */
const mostAtOnce = 500;
const SO_RCVBUFFORCE = 33;
/** For the answers to a probe of 4000 EIPs: Linux charges some 800 bytes for each, and drops the rest. */
const receiveBuffer = 4 << 20;
/** The longest that says who has an address. */
const receiveBytes = 1500;
const isLittle = endianness() === 'LE';

/** Two sockets that are not bound yet, so that they receive nothing. */
export interface PacketSockets {
  readonly arp: number;
  readonly ndp: number;
}

/**
 * Only this needs CAP_NET_RAW; what is done with the sockets afterwards does not.
 *
 * @throws KernelError EPERM without CAP_NET_RAW
 */
export function openPacketSockets(): PacketSockets {
  const open = (): number => {
    const fd = check('socket', libc.socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    check('setsockopt', libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, Int32Array.of(receiveBuffer), 4));
    return fd;
  };
  const arp = open();
  const ndp = open();
  check('setsockopt', attachFilter(ndp, ndpOnly));
  return { arp, ndp };
}

/** Packet sockets of this network namespace. */
export class LinuxSegment implements SegmentPort {
  #sockets: PacketSockets | undefined;
  #link = 0;
  #mac = new Uint8Array(6);
  readonly #polls: node.PollHandle[] = [];
  #wake: (() => void) | undefined;
  readonly #into = new Uint8Array(receiveBytes);
  readonly #from = new Uint8Array(addressBytes);

  /** @param sockets that were opened while it was allowed; undefined: they are opened when they are needed */
  constructor(sockets?: PacketSockets) {
    this.#sockets = sockets;
  }

  bind(link: number): string {
    this.#sockets ??= openPacketSockets();
    const { arp, ndp } = this.#sockets;
    for (const [fd, protocol] of [
      [arp, ETH_P_ARP],
      [ndp, ETH_P_IPV6],
    ] as const)
      check('bind', libc.bind(fd, addressOf(protocol, link), addressBytes));
    const own = new Uint8Array(addressBytes);
    check('getsockname', libc.getsockname(arp, own, Uint32Array.of(addressBytes)));
    this.#link = link;
    this.#mac = own.slice(12, 18);
    this.#poll();
    return macText(this.#mac);
  }

  probe(ips: readonly Ip[]): Promise<void> {
    return this.#send(ips, probeOf);
  }

  async announce(ips: readonly Ip[]): Promise<void> {
    for (const packet of reportsOf(ips, this.#mac)) this.#sendOne(packet);
    await this.#send(ips, announcementOf);
  }

  async *heard(signal: AbortSignal): AsyncGenerator<readonly Heard[]> {
    while (!signal.aborted) {
      const heard = this.#read();
      if (heard.length > 0) {
        yield heard;
        await nextTurn();
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
      this.#poll();
      await promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wake?.();
    for (const poll of this.#polls) poll.close();
    if (this.#sockets === undefined) return;
    libc.close(this.#sockets.arp);
    libc.close(this.#sockets.ndp);
    this.#sockets = undefined;
  }

  async #send(ips: readonly Ip[], encode: (ip: Ip, mac: Uint8Array) => Packet): Promise<void> {
    if (this.#sockets === undefined) throw new KernelError('ENOTCONN', 'no interface is bound');
    for (const [i, ip] of ips.entries()) {
      if (i > 0 && i % mostAtOnce === 0) await nextTurn();
      this.#sendOne(encode(ip, this.#mac));
    }
  }

  #sendOne({ protocol, to, bytes }: Packet): void {
    if (this.#sockets === undefined) throw new KernelError('ENOTCONN', 'no interface is bound');
    const { arp, ndp } = this.#sockets;
    const fd = protocol === ETH_P_ARP ? arp : ndp;
    const address = addressOf(protocol, this.#link, to);
    check('sendto', libc.sendto(fd, bytes, bytes.length, 0, address, addressBytes));
  }

  /** Wakes {@link heard} with the next packet, once. */
  #poll(): void {
    if (this.#sockets === undefined || this.#wake === undefined) return;
    const { arp, ndp } = this.#sockets;
    // koffi calls back outside of Node's callback scope: promises would only continue with another event.
    const wake = (): void => {
      for (const poll of this.#polls) poll.stop();
      setImmediate(() => this.#wake?.());
    };
    if (this.#polls.length > 0) for (const poll of this.#polls) poll.start({ readable: true }, wake);
    else for (const fd of [arp, ndp]) this.#polls.push(koffi.node.poll(fd, { readable: true }, wake));
  }

  #read(): readonly Heard[] {
    if (this.#sockets === undefined) return [];
    const own = macText(this.#mac);
    const heard: Heard[] = [];
    const { arp, ndp } = this.#sockets;
    for (const [fd, protocol] of [
      [arp, ETH_P_ARP],
      [ndp, ETH_P_IPV6],
    ] as const)
      for (let count = 0; count < mostAtOnce; count += 1) {
        const size = Uint32Array.of(addressBytes);
        const length: number = libc.recvfrom(fd, this.#into, receiveBytes, MSG_DONTWAIT, this.#from, size);
        if (length < 0) {
          const code = lastErrno();
          // The interface went down: told once, and by its link event to everybody.
          if (code === 'ENETDOWN') continue;
          if (code === 'EAGAIN') break;
          throw new KernelError(code, 'recvfrom on a packet socket');
        }
        if (this.#from[10] === outgoing) continue;
        const one = readPacket(
          protocol,
          this.#into.subarray(0, length),
          macText(this.#from.subarray(12, 18)),
        );
        if (one !== undefined && one.mac !== own) heard.push(one);
      }
    return heard;
  }
}

function addressOf(protocol: number, link: number, to?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(addressBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, isLittle);
  view.setUint16(2, protocol);
  view.setInt32(4, link, isLittle);
  if (to === undefined) return bytes;
  bytes[11] = to.length;
  bytes.set(to, 12);
  return bytes;
}

function check(call: string, result: number): number {
  if (result >= 0) return result;
  const code = lastErrno();
  throw new KernelError(code, `${call} on a packet socket`);
}
