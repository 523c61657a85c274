import { type Attributes, type Layout, layouts, type Shown } from './attributes.ts';
import { decodeDone, decodeError } from './error.ts';
import { Flag, headerBytes, MalformedError, MessageReader, Type } from './message.ts';
import type { Transport } from './transport.ts';

/** `>`: sent to the kernel; `<`: received. */
type Direction = '>' | '<';

/** Receives a line without its line break. */
export type Print = (line: string) => void;

const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Type).map(([name, number]) => [number, name]),
);
const families: Readonly<Record<number, string>> = { 0: 'unspec', 2: 'inet', 10: 'inet6' };
/** Bytes shown of an attribute without a layout. */
const mostBytes = 32;

/**
 * The messages of a buffer, one line each:
 * `> RTM_NEWROUTE seq 3 REQUEST|ACK|CREATE|EXCL inet dst_len 32 ... RTA_DST 198.51.100.10 RTA_NH_ID 260000000`.
 * A malformed message is a line as well: it is what one looks for.
 */
export function messageLines(direction: Direction, bytes: Uint8Array, length: number): readonly string[] {
  const lines: string[] = [];
  const reader = new MessageReader(bytes);
  try {
    reader.reset(length);
    while (reader.next()) lines.push(`${direction} ${messageText(reader)}`);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    lines.push(`${direction} malformed: ${error.message}`);
  }
  return lines;
}

function messageText(message: MessageReader): string {
  const type = typeNames.get(message.type) ?? `type ${message.type}`;
  const from = message.port === 0 ? '' : ` port ${message.port}`;
  return [`${type} seq ${message.sequence}${from}`, ...flagNames(message), payload(message)].join(' ').trim();
}

function flagNames({ type, flags }: MessageReader): readonly string[] {
  const names: string[] = [];
  const note = (bits: number, name: string): void => {
    if ((flags & bits) === bits) names.push(name);
  };
  note(Flag.NLM_F_REQUEST, 'REQUEST');
  note(0x2, 'MULTI');
  note(Flag.NLM_F_ACK, 'ACK');
  note(Flag.NLM_F_DUMP_INTR, 'DUMP_INTR');
  note(0x20, 'DUMP_FILTERED');
  if (type === Type.NLMSG_ERROR || type === Type.NLMSG_DONE) {
    note(Flag.NLM_F_CAPPED, 'CAPPED');
    note(Flag.NLM_F_ACK_TLVS, 'ACK_TLVS');
  } else if (isGet(type)) {
    note(Flag.NLM_F_DUMP, 'DUMP');
  } else {
    note(Flag.NLM_F_REPLACE, 'REPLACE');
    note(Flag.NLM_F_EXCL, 'EXCL');
    note(Flag.NLM_F_CREATE, 'CREATE');
  }
  return names.length === 0 ? [] : [names.join('|')];
}

function isGet(type: number): boolean {
  return (type & 3) === 2;
}

function payload(message: MessageReader): string {
  if (message.type === Type.NLMSG_DONE) return decodeDone(message)?.message ?? '';
  if (message.type === Type.NLMSG_ERROR) {
    // The error number is followed by the header of the message that it answers.
    const of = message.u16At(message.start + 8);
    const error = decodeError(message);
    return `${error?.message ?? 'ack'} (${typeNames.get(of) ?? `type ${of}`})`;
  }
  const layout = layouts.get(message.type & ~3);
  return layout === undefined ? hex(message, message.start, message.end) : laidOut(message, layout);
}

function laidOut(message: MessageReader, { prefix, fixed, fields, attributes }: Layout): string {
  message.attributes(fixed);
  const { start } = message;
  const words = [families[message.u8At(start)] ?? `family ${message.u8At(start)}`];
  for (const [name, at, size] of fields) {
    const value =
      size === 1
        ? message.u8At(start + at)
        : size === 2
          ? message.u16At(start + at)
          : message.u32At(start + at);
    if (value !== 0) words.push(`${name} ${value}`);
  }
  words.push(...attributeWords(message, prefix, attributes));
  return words.join(' ');
}

function attributeWords(message: MessageReader, prefix: string, known: Attributes): readonly string[] {
  const words: string[] = [];
  while (message.nextAttribute()) {
    const [name, shown] = known.get(message.attribute) ?? [String(message.attribute), 'bytes'];
    words.push(`${prefix}${name} ${value(message, shown, `${prefix}${name}_`)}`);
  }
  return words;
}

function value(message: MessageReader, shown: Shown, prefix: string): string {
  const { at, size } = message;
  switch (shown) {
    case 'u8':
      return String(message.u8());
    case 'u16':
      return String(message.u16());
    case 'u32':
      return String(message.u32());
    case 'mask':
      return `0x${message.u32().toString(16)}`;
    case 'members':
      return members(message);
    case 'ip':
      return message.ip();
    case 'text':
      return JSON.stringify(message.text());
    case 'mac':
      return Buffer.from(message.bytes.subarray(at, at + size))
        .toString('hex')
        .replace(/..(?=.)/g, '$&:');
    case 'bytes':
      return hex(message, at, at + size);
    default:
      return `{ ${attributeWords(message.within(at, at + size), prefix, shown).join(' ')} }`;
  }
}

/** The nexthops of a group, as iproute2 writes them: `250000001/250000002,3`. */
function members(message: MessageReader): string {
  const { at, size } = message;
  const ids = Array.from({ length: Math.floor(size / 8) }, (_, i) => {
    const weight = message.u8At(at + 8 * i + 4) + 1;
    return `${message.u32At(at + 8 * i)}${weight === 1 ? '' : `,${weight}`}`;
  });
  return ids.join('/');
}

function hex({ bytes }: MessageReader, from: number, to: number): string {
  const shown = Buffer.from(bytes.subarray(from, Math.min(to, from + mostBytes))).toString('hex');
  return to - from > mostBytes ? `${shown}... (${to - from} bytes)` : shown;
}

/** A transport that prints what goes through it. */
export class PrintedTransport implements Transport {
  readonly #inner: Transport;
  readonly #name: string;
  readonly #print: Print;

  constructor(inner: Transport, name: string, print: Print) {
    this.#inner = inner;
    this.#name = name;
    this.#print = print;
  }

  get portId(): number {
    return this.#inner.portId;
  }

  get receiveBuffer(): number {
    return this.#inner.receiveBuffer;
  }

  get sendBuffer(): number {
    return this.#inner.sendBuffer;
  }

  async send(bytes: Uint8Array, length: number): Promise<void> {
    this.#show('>', bytes, length);
    await this.#inner.send(bytes, length);
  }

  receive(into: Uint8Array): number {
    const length = this.#inner.receive(into);
    if (length >= headerBytes) this.#show('<', into, length);
    return length;
  }

  filter(program: Uint8Array): void {
    this.#inner.filter(program);
  }

  join(group: number): void {
    this.#print(`netlink ${this.#name}: joins group ${group}`);
    this.#inner.join(group);
  }

  readable(signal: AbortSignal): Promise<void> {
    return this.#inner.readable(signal);
  }

  close(): void {
    this.#inner.close();
  }

  #show(direction: Direction, bytes: Uint8Array, length: number): void {
    for (const line of messageLines(direction, bytes, length)) this.#print(`netlink ${this.#name}: ${line}`);
  }
}
