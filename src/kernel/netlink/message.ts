import { endianness } from 'node:os';
import { type Family, type Ip, ipFromBytes, type Prefix } from '../../model/ip.ts';

/** Netlink uses the byte order of the machine. */
const littleEndian = endianness() === 'LE';

export const headerBytes = 16;

/** nlmsg_type */
export const Type = {
  NLMSG_ERROR: 2,
  NLMSG_DONE: 3,
  RTM_NEWLINK: 16,
  RTM_DELLINK: 17,
  RTM_GETLINK: 18,
  RTM_NEWADDR: 20,
  RTM_DELADDR: 21,
  RTM_GETADDR: 22,
  RTM_NEWROUTE: 24,
  RTM_DELROUTE: 25,
  RTM_GETROUTE: 26,
  RTM_NEWNEIGH: 28,
  RTM_DELNEIGH: 29,
  RTM_GETNEIGH: 30,
  RTM_NEWRULE: 32,
  RTM_DELRULE: 33,
  RTM_GETRULE: 34,
  RTM_NEWNETCONF: 80,
  RTM_DELNETCONF: 81,
  RTM_NEWNEXTHOP: 104,
  RTM_DELNEXTHOP: 105,
  RTM_GETNEXTHOP: 106,
} as const;

/** nlmsg_flags */
export const Flag = {
  NLM_F_REQUEST: 0x1,
  NLM_F_ACK: 0x4,
  NLM_F_DUMP_INTR: 0x10,
  NLM_F_REPLACE: 0x100,
  NLM_F_EXCL: 0x200,
  NLM_F_CREATE: 0x400,
  NLM_F_DUMP: 0x300,
  /** In an error: the offending message was cut to its header. */
  NLM_F_CAPPED: 0x100,
  /** In an error: attributes follow. */
  NLM_F_ACK_TLVS: 0x200,
} as const;

/** Address families as rtnetlink writes them. */
export const AF = { unspecified: 0, inet: 2, inet6: 10 } as const;

export function familyNumber(family: Family): 2 | 10 {
  return family === 4 ? AF.inet : AF.inet6;
}

/** The bytes are not a netlink message; the message says why and where. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

/** Writes consecutive messages into one buffer. */
export class MessageWriter {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Int32Array;
  readonly #view: DataView;
  /** Bytes written so far. */
  length = 0;
  #start = 0;

  /** @param capacity bytes, a multiple of 4 */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.#words = new Int32Array(this.bytes.buffer);
    this.#view = new DataView(this.bytes.buffer);
  }

  reset(): void {
    this.length = 0;
    this.#start = 0;
  }

  begin(type: number, flags: number, sequence: number): void {
    this.#start = this.length;
    this.u32(0).u16(type).u16(flags).u32(sequence).u32(0);
  }

  end(): void {
    this.#view.setUint32(this.#start, this.length - this.#start, littleEndian);
  }

  /** Copies a whole message; for so few words a loop is faster than TypedArray.set. */
  copy(words: Int32Array): void {
    const at = this.length >> 2;
    for (let i = 0; i < words.length; i += 1) this.#words[at + i] = words[i] ?? 0;
    this.#start = this.length;
    this.length += words.length << 2;
  }

  /** The words from a byte offset on, a multiple of 4, to the end. */
  wordsFrom(offset: number): Int32Array {
    return this.#words.slice(offset >> 2, this.length >> 2);
  }

  /** Adds flags to the last message. */
  addFlags(flags: number): void {
    const at = this.#start + 6;
    this.#view.setUint16(at, this.#view.getUint16(at, littleEndian) | flags, littleEndian);
  }

  u8(value: number): this {
    this.#view.setUint8(this.length, value);
    this.length += 1;
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.length, value, littleEndian);
    this.length += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.length, value, littleEndian);
    this.length += 4;
    return this;
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value, littleEndian);
  }

  /** @returns where to {@link close} it */
  open(type: number): number {
    const at = this.length;
    this.u16(0).u16(type);
    return at;
  }

  close(at: number): void {
    // The length of an attribute does not include its padding.
    this.#view.setUint16(at, this.length - at, littleEndian);
    while (this.length % 4 !== 0) this.u8(0);
  }

  /** Sets a length without padding: rtnexthop of a multipath route. */
  setLength(at: number): void {
    this.#view.setUint16(at, this.length - at, littleEndian);
  }

  attributeU8(type: number, value: number): void {
    const at = this.open(type);
    this.u8(value).close(at);
  }

  attributeU16(type: number, value: number): void {
    const at = this.open(type);
    this.u16(value).close(at);
  }

  attributeU32(type: number, value: number): void {
    this.u16(8).u16(type).u32(value);
  }

  attributeBytes(type: number, bytes: Uint8Array): void {
    const at = this.open(type);
    this.raw(bytes).close(at);
  }

  attributeText(type: number, text: string): void {
    const at = this.open(type);
    this.raw(Buffer.from(text)).u8(0).close(at);
  }

  raw(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }
}

/**
 * Two cursors over a received buffer: one over its messages, one over the attributes of a message. Nothing is
 * copied: byte ranges are valid until the next receive.
 */
export class MessageReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #limit = 0;
  #next = 0;
  /** Of the current message. */
  type: number = 0;
  flags = 0;
  sequence = 0;
  /** Port id of the socket that asked for the change; 0: the kernel itself. */
  port = 0;
  /** The payload is between these two offsets. */
  start = 0;
  end = 0;
  /** Type of the current attribute, without the NESTED and NET_BYTEORDER bits. */
  attribute: number = 0;
  at = 0;
  size = 0;
  #nextAttribute = 0;
  #attributesEnd = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Starts over with the first `length` bytes. */
  reset(length: number): void {
    if (length > this.bytes.length) {
      throw new MalformedError(`a datagram of ${length} bytes was cut to ${this.bytes.length}`);
    }
    this.#limit = length;
    this.#next = 0;
  }

  /** @throws MalformedError when a length is impossible */
  next(): boolean {
    const at = this.#next;
    if (at >= this.#limit) return false;
    if (at + headerBytes > this.#limit) throw new MalformedError(`half a header at byte ${at}`);
    const length = this.#view.getUint32(at, littleEndian);
    if (length < headerBytes || at + length > this.#limit) {
      throw new MalformedError(`a message of ${length} bytes at byte ${at} of ${this.#limit}`);
    }
    this.type = this.#view.getUint16(at + 4, littleEndian);
    this.flags = this.#view.getUint16(at + 6, littleEndian);
    this.sequence = this.#view.getUint32(at + 8, littleEndian);
    this.port = this.#view.getUint32(at + 12, littleEndian);
    this.start = at + headerBytes;
    this.end = at + length;
    this.#next = at + ((length + 3) & ~3);
    return true;
  }

  /** Puts the attribute cursor behind a fixed part of `fixed` bytes. */
  attributes(fixed: number): void {
    if (this.start + fixed > this.end) {
      throw new MalformedError(
        `message type ${this.type} has ${this.end - this.start} bytes, less than ${fixed}`,
      );
    }
    this.attributesIn(this.start + ((fixed + 3) & ~3), this.end);
  }

  attributesIn(from: number, to: number): void {
    this.#nextAttribute = from;
    this.#attributesEnd = to;
  }

  /** @throws MalformedError when a length is impossible */
  nextAttribute(): boolean {
    const at = this.#nextAttribute;
    if (at >= this.#attributesEnd) return false;
    const room = this.#attributesEnd - at;
    const length = room < 4 ? 0 : this.#view.getUint16(at, littleEndian);
    if (length < 4 || length > room) {
      throw new MalformedError(`an attribute of ${length} bytes in ${room}, message type ${this.type}`);
    }
    this.attribute = this.#view.getUint16(at + 2, littleEndian) & 0x3fff;
    this.at = at + 4;
    this.size = length - 4;
    this.#nextAttribute = at + ((length + 3) & ~3);
    return true;
  }

  /** A second reader of the same bytes, for attributes within an attribute. */
  within(from: number, to: number): MessageReader {
    const inner = new MessageReader(this.bytes);
    inner.type = this.type;
    inner.attributesIn(from, to);
    return inner;
  }

  u8At(at: number): number {
    return this.#view.getUint8(at);
  }

  u16At(at: number): number {
    return this.#view.getUint16(at, littleEndian);
  }

  u32At(at: number): number {
    return this.#view.getUint32(at, littleEndian);
  }

  i32At(at: number): number {
    return this.#view.getInt32(at, littleEndian);
  }

  /** The current attribute's value. */
  u8(): number {
    this.#need(1);
    return this.#view.getUint8(this.at);
  }

  u16(): number {
    this.#need(2);
    return this.#view.getUint16(this.at, littleEndian);
  }

  u32(): number {
    this.#need(4);
    return this.#view.getUint32(this.at, littleEndian);
  }

  text(): string {
    const bytes = this.bytes.subarray(this.at, this.at + this.size);
    const nul = bytes.indexOf(0);
    return Buffer.from(nul < 0 ? bytes : bytes.subarray(0, nul)).toString();
  }

  ip(): Ip {
    return this.ipAt(this.at, this.size);
  }

  ipAt(at: number, size: number): Ip {
    // Built from the buffer without a copy: a dump has a hundred thousand of them.
    if (size === 4) {
      const { bytes } = this;
      return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Ip;
    }
    if (size !== 16) {
      throw new MalformedError(`an address of ${size} bytes, message type ${this.type}`);
    }
    return ipFromBytes(this.bytes.subarray(at, at + size));
  }

  /** The current attribute as a network; the kernel has cleared the host bits. */
  prefix(length: number): Prefix {
    if (length > this.size * 8) throw new MalformedError(`a network of ${length} bits in ${this.size} bytes`);
    return `${this.ip()}/${length}` as Prefix;
  }

  #need(bytes: number): void {
    if (this.size < bytes) {
      throw new MalformedError(
        `attribute ${this.attribute} of message type ${this.type} has ${this.size} bytes, less than ${bytes}`,
      );
    }
  }
}
