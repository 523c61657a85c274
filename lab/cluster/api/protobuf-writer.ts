import { isList, isObject, type Json, type JsonObject } from './json.ts';
import { type Message, type Type, written } from './messages.ts';

/** What each object becomes in a list; objects are never changed in place. */
const made = new WeakMap<JsonObject, Buffer>();
/** The messages of objects that lists have. */
const ofObjects: ReadonlySet<Message> = new Set(
  Object.entries(written).flatMap(([kind, message]) => (`${kind}List` in written ? [message] : [])),
);

const typeMeta: Message = { 1: ['apiVersion', 'text'], 2: ['kind', 'text'] };
const bytesType = 2;

/**
 * An object or a list in the envelope of Kubernetes: `k8s`, a zero, and the message Unknown.
 *
 * @param message its fields; those of its kind, unless a test says otherwise
 * @returns undefined for a kind that is not written in protobuf here
 * @throws TypeError when a field has another type than Kubernetes gives it
 */
export function encode(
  object: JsonObject,
  message: Message | undefined = typeof object['kind'] === 'string' ? written[object['kind']] : undefined,
): Buffer | undefined {
  if (message === undefined) return undefined;
  const writer = new Writer();
  writer.inside(2, () => writer.message(object, message));
  writer.inside(1, () => writer.message(object, typeMeta));
  writer.raw(Buffer.from('k8s\0'));
  return writer.end();
}

/** An event of a watch, its length before it; undefined: see {@link encode}. */
export function encodeEvent(type: string, object: JsonObject): Buffer | undefined {
  const inner = encode(object);
  if (inner === undefined) return undefined;
  const writer = new Writer();
  writer.inside(2, () => writer.inside(1, () => writer.raw(inner)));
  writer.inside(1, () => writer.raw(Buffer.from(type)));
  const event = writer.end();
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

interface Field {
  readonly number: number;
  readonly name: string;
  readonly isList: boolean;
  readonly type: Type;
}

const fields = new Map<Message, readonly Field[]>();

/** The last one first. */
function fieldsOf(message: Message): readonly Field[] {
  const known = fields.get(message);
  if (known !== undefined) return known;
  const found = Object.entries(message).map(([number, [name, type]]) => ({
    number: Number(number),
    name: name.replace('*', ''),
    isList: name.endsWith('*'),
    type,
  }));
  fields.set(message, found.reverse());
  return found;
}

/** The buffer of the last writer that has ended, for the next one: a page would take a megabyte anew each time. */
let spare: Buffer | undefined;

/** Writes from the end to the beginning, so that the length of a message is known when it is written. */
class Writer {
  #buffer: Buffer;
  #start: number;

  constructor() {
    this.#buffer = spare ?? Buffer.allocUnsafe(1024);
    // A writer inside another one takes one of its own.
    spare = undefined;
    this.#start = this.#buffer.length;
  }

  /** Bytes that are written. */
  get #length(): number {
    return this.#buffer.length - this.#start;
  }

  /** What was written; the writer has ended. */
  end(): Buffer {
    const bytes = Buffer.from(this.#buffer.subarray(this.#start));
    spare = this.#buffer;
    return bytes;
  }

  message(object: JsonObject, message: Message): void {
    for (const { number, name, isList: repeated, type } of fieldsOf(message)) {
      const value = object[name];
      if (value === undefined || value === null) continue;
      if (!repeated) this.#value(number, name, value, type);
      else if (isList(value)) for (const item of value.toReversed()) this.#value(number, name, item, type);
      else throw wrong(name, value);
    }
  }

  /** A field of bytes. */
  inside(number: number, write: () => void): void {
    const before = this.#length;
    write();
    this.#varint(this.#length - before);
    this.#varint(number * 8 + bytesType);
  }

  raw(bytes: Buffer): void {
    this.#room(bytes.length);
    this.#start -= bytes.length;
    bytes.copy(this.#buffer, this.#start);
  }

  #value(number: number, name: string, value: Json, type: Type): void {
    switch (type) {
      case 'text':
        if (typeof value !== 'string') throw wrong(name, value);
        this.inside(number, () => this.#text(value));
        break;
      case 'number':
        if (typeof value !== 'number') throw wrong(name, value);
        this.#number(number, value);
        break;
      case 'boolean':
        if (typeof value !== 'boolean') throw wrong(name, value);
        this.#number(number, value ? 1 : 0);
        break;
      case 'time':
        if (typeof value !== 'string') throw wrong(name, value);
        this.inside(number, () => this.#time(value));
        break;
      case 'port':
        this.inside(number, () => this.#port(name, value));
        break;
      case 'json':
        this.inside(number, () => this.inside(1, () => this.#text(JSON.stringify(value))));
        break;
      case 'map':
        this.#map(number, name, value, (text) => this.inside(2, () => this.#text(text)));
        break;
      case 'quantities':
        this.#map(number, name, value, (text) =>
          this.inside(2, () => this.inside(1, () => this.#text(text))),
        );
        break;
      default:
        if (!isObject(value)) throw wrong(name, value);
        this.inside(number, () => this.#object(value, type));
    }
  }

  #object(object: JsonObject, message: Message): void {
    if (!ofObjects.has(message)) {
      this.message(object, message);
      return;
    }
    let bytes = made.get(object);
    if (bytes === undefined) {
      const writer = new Writer();
      writer.message(object, message);
      bytes = writer.end();
      made.set(object, bytes);
    }
    this.raw(bytes);
  }

  #map(number: number, name: string, value: Json, write: (text: string) => void): void {
    if (!isObject(value)) throw wrong(name, value);
    for (const [key, text] of Object.entries(value).reverse()) {
      if (typeof text !== 'string') throw wrong(name, value);
      this.inside(number, () => {
        write(text);
        this.inside(1, () => this.#text(key));
      });
    }
  }

  /** Nothing at all for what is no time, as for the zero time of Go. */
  #time(text: string): void {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) this.#number(1, Math.floor(ms / 1000));
  }

  #port(name: string, value: Json): void {
    if (typeof value === 'string') {
      this.inside(3, () => this.#text(value));
      this.#number(1, 1);
    } else if (typeof value === 'number') this.#number(2, value);
    else throw wrong(name, value);
  }

  #number(number: number, value: number): void {
    this.#varint(value);
    this.#varint(number * 8);
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#room(length);
    this.#start -= length;
    this.#buffer.write(text, this.#start);
  }

  #varint(value: number): void {
    // Nearly every number is a length or a tag.
    if (value >= 0 && value < 128) {
      this.#room(1);
      this.#start -= 1;
      this.#buffer[this.#start] = value;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    do {
      const byte = Number(rest & 0x7fn);
      rest >>= 7n;
      bytes.push(rest === 0n ? byte : byte | 0x80);
    } while (rest !== 0n);
    this.raw(Buffer.from(bytes));
  }

  #room(bytes: number): void {
    if (bytes <= this.#start) return;
    const used = this.#buffer.subarray(this.#start);
    const larger = Buffer.allocUnsafe(2 * this.#buffer.length + bytes);
    this.#start = larger.length - used.length;
    used.copy(larger, this.#start);
    this.#buffer = larger;
  }
}

function wrong(name: string, value: Json): TypeError {
  return new TypeError(`${name} cannot be ${JSON.stringify(value)}`);
}
