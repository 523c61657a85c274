import { isAscii } from 'node:buffer';

/** The bytes are no protobuf, or a field is not what its message says. The text says where. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

const types = ['a varint', '64 bits', 'bytes', 'a group', 'the end of a group', '32 bits', '?', '?'] as const;
const [varint, fixed64, bytes, fixed32] = [0, 1, 2, 5] as const;

/** Slots for strings that come again and again; a power of two. */
const slots = 1 << 14;

/**
 * Strings that were read before, by a hash of their bytes: a name that comes again is found instead of made. A string
 * takes the slot of another one with the same hash, so this does not grow.
 */
const seen: string[] = new Array(slots).fill('');

/** Up to this length V8 copies a substring; a longer one would keep all of the text that it is of. */
const copied = 12;

/** Bytes that are made text at once. Of a longer text V8 makes an object of its own, in memory that is new each time. */
const window = 1 << 16;

/**
 * Reads a protobuf message field by field, and makes nothing of a field that is skipped.
 *
 *     while (reader.next()) {
 *       if (reader.field === 1) name = reader.text();
 *       else reader.skip();
 *     }
 *
 * Nothing is read beyond the end of the message. Every method throws {@link ProtobufError}.
 */
export class ProtobufReader {
  /** Number of the present field. */
  field = 0;
  readonly #bytes: Buffer;
  /** Each byte as a character, from `#from` on: the text of those that are ASCII. Others are in nearly every message, as lengths. */
  #characters = '';
  #from = 0;
  /** All bytes are. */
  readonly #isAscii: boolean;
  #at: number;
  /** Where the present message ends. */
  #end: number;
  /** Wire type of the present field. */
  #type = 0;
  /** Bits 32 to 63 of the last varint. */
  #high = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#isAscii = isAscii(bytes);
    this.#at = 0;
    this.#end = bytes.length;
  }

  /** Goes to another place in the same bytes, to read the message there. */
  seek(start: number, end: number): this {
    this.#at = start;
    this.#end = end;
    return this;
  }

  /**
   * Goes on to the next field, once the value of the present one was read or skipped.
   *
   * @returns false at the end of the message
   */
  next(): boolean {
    if (this.#at === this.#end) return false;
    const tag = this.#varint();
    this.field = tag >>> 3;
    this.#type = tag & 7;
    if (this.field === 0 || this.#high !== 0) throw this.#error('a field has no valid number');
    return true;
  }

  skip(): void {
    switch (this.#type) {
      case varint:
        this.#varint();
        break;
      case fixed64:
        this.#take(8);
        break;
      case bytes:
        this.#take(this.#length());
        break;
      case fixed32:
        this.#take(4);
        break;
      default:
        throw this.#error(`field ${this.field} is ${types[this.#type]}, which Kubernetes does not use`);
    }
  }

  /** Reads the message in the present field; `read` reads it to its end. */
  message<T>(read: (reader: this) => T): T {
    const outer = this.enter();
    const value = read(this);
    this.leave(outer);
    return value;
  }

  /**
   * Goes into the message in the present field, without a closure to read it.
   *
   * @returns what {@link leave} wants, once the message is read to its end
   */
  enter(): number {
    this.#need(bytes);
    const length = this.#length();
    const start = this.#take(length);
    const outer = this.#end;
    this.#at = start;
    this.#end = start + length;
    return outer;
  }

  leave(outer: number): void {
    this.#end = outer;
  }

  /** Skips the bytes in the present field, and says where they are. */
  range(): readonly [start: number, end: number] {
    this.#need(bytes);
    const length = this.#length();
    const start = this.#take(length);
    return [start, start + length];
  }

  text(): string {
    this.#need(bytes);
    const length = this.#length();
    const start = this.#take(length);
    return this.#text(start, start + length);
  }

  /** A text that is likely to have come before: the name of a node, a protocol. */
  word(): string {
    this.#need(bytes);
    const length = this.#length();
    const start = this.#take(length);
    const end = start + length;
    let hash = length;
    for (let i = start; i < end; i += 1) hash = (Math.imul(hash, 31) + (this.#bytes[i] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 14)) & (slots - 1);
    const known = seen[slot] ?? '';
    if (this.#is(known, start, end)) return known;
    const text = this.#text(start, end);
    seen[slot] = text;
    return text;
  }

  bool(): boolean {
    this.#need(varint);
    return this.#varint() !== 0 || this.#high !== 0;
  }

  int32(): number {
    this.#need(varint);
    return this.#varint() | 0;
  }

  /** Not exact beyond 2^53. */
  int64(): number {
    this.#need(varint);
    const low = this.#varint();
    return (this.#high | 0) * 2 ** 32 + low;
  }

  #need(type: number): void {
    if (this.#type === type) return;
    throw this.#error(`field ${this.field} is ${types[this.#type]} instead of ${types[type]}`);
  }

  /** Moves on by a number of bytes. @returns where they begin */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) throw this.#error('the message ends in the middle of a field');
    this.#at = start + length;
    return start;
  }

  #length(): number {
    const length = this.#varint();
    return this.#high === 0 ? length : Number.POSITIVE_INFINITY;
  }

  /** @returns bits 0 to 31 */
  #varint(): number {
    const first = this.#bytes[this.#at] ?? 0;
    // As nearly all: the number of a field, the length of a name.
    if (first < 0x80 && this.#at < this.#end) {
      this.#at += 1;
      this.#high = 0;
      return first;
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw this.#error('the message ends in the middle of a number');
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      const part = byte & 0x7f;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high = part >>> 4;
      } else high |= part << (shift - 32);
      if (byte < 0x80) {
        this.#high = high >>> 0;
        return low >>> 0;
      }
    }
    throw this.#error('a number has more than ten bytes');
  }

  /** Whether these bytes are the text, which they are taken for only when they are ASCII. */
  #is(text: string, start: number, end: number): boolean {
    if (text.length !== end - start) return false;
    for (let i = start; i < end; i += 1) {
      const byte = this.#bytes[i] ?? 0;
      if (byte > 0x7f || text.charCodeAt(i - start) !== byte) return false;
    }
    return true;
  }

  #text(start: number, end: number): string {
    if (end - start > copied) return this.#bytes.toString(this.#isAscii ? 'latin1' : 'utf8', start, end);
    if (!this.#isAscii)
      for (let i = start; i < end; i += 1)
        if ((this.#bytes[i] ?? 0) > 0x7f) return this.#bytes.toString('utf8', start, end);
    if (start < this.#from || end > this.#from + this.#characters.length) {
      this.#characters = this.#bytes.toString('latin1', start, start + window);
      this.#from = start;
    }
    return this.#characters.substring(start - this.#from, end - this.#from);
  }

  #error(what: string): ProtobufError {
    return new ProtobufError(`${what}, at byte ${this.#at}`);
  }
}
