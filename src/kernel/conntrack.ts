import { readFile } from 'node:fs/promises';
import type { ConntrackCount } from '../model/conntrack.ts';
import type { Ip } from '../model/ip.ts';
import { KernelError } from './kernel.ts';
import { Dumper } from './netlink/dump.ts';
import { decodeError } from './netlink/error.ts';
import { AF, Flag, MessageReader, MessageWriter, Type } from './netlink/message.ts';
import { openTransport, SocketError, type Transport } from './netlink/transport.ts';
import { netfilter } from './nft-notification-filter.ts';

// linux/netfilter/nfnetlink_conntrack.h
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_ID = 12;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const NLA_F_NESTED = 0x8000;
/** In network byte order: the destination of the connection was changed. */
const IPS_DST_NAT = 1 << 5;
/** nfgenmsg: family, version, resource id */
const fixedBytes = 4;
/** Entries that one datagram deletes, of about 80 bytes each. */
const atOnce = 200;

/** What there is of an entry, as far as it is read: the raw bytes name it to the kernel. */
interface Entry {
  readonly family: number;
  readonly original: Uint8Array;
  readonly id: number | undefined;
}

/** A connection that NAT has sent to a node. */
export interface Flow {
  /** Where the client has sent it: an EIP, or what another program translates. */
  readonly destination: Ip;
  readonly node: Ip;
  /** As in IP: 6 is TCP, 17 UDP. */
  readonly protocol: number;
}

/** The kernel's table of connections. */
export class Conntrack implements Disposable {
  readonly #dumper = new Dumper(() => open('flows'));

  /**
   * Deletes the entries of connections that NAT has sent to a node. The next packet of such a connection is sent to
   * another node: a TCP connection is reset at once, and UDP goes on.
   *
   * @param ends which of them; NAT of others is among those that it is asked about
   * @returns how many were there
   * @throws KernelError
   */
  async deleteFlows(ends: (flow: Flow) => boolean, signal: AbortSignal): Promise<number> {
    try {
      const entries: Entry[] = [];
      for (const family of [AF.inet, AF.inet6])
        entries.push(
          ...(await this.#dumper.dump(
            {
              type: IPCTNL_MSG_CT_GET,
              encode: (writer) => header(writer, family),
              decode: (message) => entryOf(message, ends),
            },
            signal,
          )),
        );
      if (entries.length > 0) await remove(entries, signal);
      return entries.length;
    } catch (error) {
      if (error instanceof SocketError) throw new KernelError(error.code, error.message, { cause: error });
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#dumper.close();
  }
}

/** undefined: the kernel has no connection tracking yet. */
export async function conntrackCount(): Promise<ConntrackCount | undefined> {
  const read = async (name: string): Promise<number> =>
    Number(await readFile(`/proc/sys/net/netfilter/nf_conntrack_${name}`, 'utf8'));
  try {
    return { entries: await read('count'), limit: await read('max') };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function open(name: string): Transport {
  return openTransport({ name, family: netfilter, receiveBuffer: 1 << 20, groups: [] });
}

function header(writer: MessageWriter, family: number): void {
  writer.u8(family).u8(0).u16(0);
}

function entryOf(message: MessageReader, ends: (flow: Flow) => boolean): Entry | undefined {
  let original: Uint8Array | undefined;
  let id: number | undefined;
  let destination: Ip | undefined;
  let protocol = 0;
  let node: Ip | undefined;
  let isNat = false;
  message.attributes(fixedBytes);
  while (message.nextAttribute()) {
    const { attribute, at, size } = message;
    if (attribute === CTA_TUPLE_ORIG) {
      original = message.bytes.slice(at, at + size);
      destination = addressIn(message.within(at, at + size), CTA_IP_V4_DST, CTA_IP_V6_DST);
      protocol = protocolIn(message.within(at, at + size));
    } else if (attribute === CTA_TUPLE_REPLY) {
      node = addressIn(message.within(at, at + size), CTA_IP_V4_SRC, CTA_IP_V6_SRC);
    } else if (attribute === CTA_STATUS) {
      isNat = ((message.bytes[at + 3] ?? 0) & IPS_DST_NAT) !== 0;
    } else if (attribute === CTA_ID) {
      id = message.u32();
    }
  }
  if (!isNat || original === undefined || destination === undefined || node === undefined) return undefined;
  if (!ends({ destination, node, protocol })) return undefined;
  return { family: message.u8At(message.start), original, id };
}

/** The protocol of a tuple; 0: it names none. */
function protocolIn(tuple: MessageReader): number {
  while (tuple.nextAttribute()) {
    if (tuple.attribute !== CTA_TUPLE_PROTO) continue;
    const inner = tuple.within(tuple.at, tuple.at + tuple.size);
    while (inner.nextAttribute()) if (inner.attribute === CTA_PROTO_NUM) return inner.u8At(inner.at);
  }
  return 0;
}

/** An address of a tuple. */
function addressIn(tuple: MessageReader, v4: number, v6: number): Ip | undefined {
  while (tuple.nextAttribute()) {
    if (tuple.attribute !== CTA_TUPLE_IP) continue;
    const ips = tuple.within(tuple.at, tuple.at + tuple.size);
    while (ips.nextAttribute()) if (ips.attribute === v4 || ips.attribute === v6) return ips.ip();
  }
  return undefined;
}

/** Without an ACK: what is refused is answered all the same. An entry that has ended meanwhile is what was asked for. */
async function remove(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
  const transport = open('flow deletions');
  try {
    const writer = new MessageWriter(64 * 1024);
    const reader = new MessageReader(new Uint8Array(64 * 1024));
    for (let from = 0; from < entries.length; from += atOnce) {
      signal.throwIfAborted();
      writer.reset();
      for (const [i, { family, original, id }] of entries.slice(from, from + atOnce).entries()) {
        writer.begin(IPCTNL_MSG_CT_DELETE, Flag.NLM_F_REQUEST, from + i);
        header(writer, family);
        writer.attributeBytes(CTA_TUPLE_ORIG | NLA_F_NESTED, original);
        if (id !== undefined) writer.attributeU32(CTA_ID, id);
        writer.end();
      }
      await transport.send(writer.bytes, writer.length);
      for (
        let length = transport.receive(reader.bytes);
        length >= 0;
        length = transport.receive(reader.bytes)
      ) {
        reader.reset(length);
        while (reader.next()) {
          if (reader.type !== Type.NLMSG_ERROR) continue;
          const error = decodeError(reader);
          if (error !== undefined && error.code !== 'ENOENT') throw error;
        }
      }
    }
  } finally {
    transport.close();
  }
}
