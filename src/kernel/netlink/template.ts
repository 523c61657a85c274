import { bits, family, type Prefix } from '../../model/ip.ts';
import type { Change, Route } from '../../model/object.ts';
import { encodeChange } from './change.ts';
import { headerBytes, type MessageWriter } from './message.ts';

/** Offset of the address: the header, rtmsg, and the head of RTA_DST, the first attribute of encodeRoute. */
const dstOffset = headerBytes + 12 + 4;
const sequenceOffset = 8;

/**
 * The fast path for routes that differ only in their destination: the bytes of the previous message are copied, and
 * its sequence number and address patched.
 */
export class RouteTemplate {
  #verb: Change['verb'] | undefined;
  #route: Route | undefined;
  #words: Int32Array = new Int32Array();
  #width = 0;

  /** Writes one message: by a patched copy where the route allows it, else by encodeChange. */
  write(writer: MessageWriter, change: Change, route: Route, sequence: number): void {
    const { length } = writer;
    if (this.#fits(change.verb, route)) {
      writer.copy(this.#words);
      if (writeHost(writer.bytes, length + dstOffset, route.dst, this.#width)) {
        writer.setU32(length + sequenceOffset, sequence);
        return;
      }
      writer.length = length;
    }
    encodeChange(writer, change, sequence);
    this.#remember(change.verb, route, writer, length);
  }

  #fits(verb: Change['verb'], route: Route): boolean {
    const model = this.#route;
    return (
      model !== undefined &&
      verb === this.#verb &&
      route.nhid === model.nhid &&
      route.table === model.table &&
      route.metric === model.metric &&
      route.protocol === model.protocol &&
      route.type === model.type &&
      route.src === model.src &&
      route.hops.length === 0
    );
  }

  #remember(verb: Change['verb'], route: Route, writer: MessageWriter, from: number): void {
    this.#route = undefined;
    if (route.hops.length > 0) return;
    const width = bits(family(route.dst));
    if (!route.dst.endsWith(width === 32 ? '/32' : '/128')) return;
    this.#words = writer.wordsFrom(from);
    this.#width = width;
    this.#verb = verb;
    this.#route = route;
  }
}

const zero = 48;
const nine = 57;
const dot = 46;
const slash = 47;
const colon = 58;
const letterA = 97;

/**
 * Writes the address of a prefix whose text is known to be canonical.
 *
 * @param width 32 or 128
 * @returns false when the prefix is not a single address of this width; the bytes are then undefined
 */
function writeHost(bytes: Uint8Array, at: number, dst: Prefix, width: number): boolean {
  return width === 32 ? writeHost4(bytes, at, dst) : writeHost6(bytes, at, dst);
}

function writeHost4(bytes: Uint8Array, at: number, dst: Prefix): boolean {
  let octet = 0;
  let to = at;
  for (let i = 0; i < dst.length; i += 1) {
    const sign = dst.charCodeAt(i);
    if (sign >= zero && sign <= nine) {
      octet = octet * 10 + sign - zero;
    } else if (sign === dot) {
      bytes[to] = octet;
      to += 1;
      octet = 0;
    } else {
      bytes[to] = octet;
      return sign === slash && to === at + 3 && dst.length === i + 3 && dst.endsWith('32');
    }
  }
  return false;
}

function writeHost6(bytes: Uint8Array, at: number, dst: Prefix): boolean {
  if (!dst.endsWith('/128') || !dst.includes(':')) return false;
  const end = dst.length - 4;
  let to = at;
  let gap = -1;
  let group = 0;
  let digits = 0;
  for (let i = 0; i < end; i += 1) {
    const sign = dst.charCodeAt(i);
    if (sign !== colon) {
      group = (group << 4) | (sign <= nine ? sign - zero : sign - letterA + 10);
      digits += 1;
      continue;
    }
    if (digits > 0) {
      bytes[to] = group >> 8;
      bytes[to + 1] = group;
      to += 2;
      group = 0;
      digits = 0;
    }
    if (dst.charCodeAt(i + 1) === colon) {
      gap = to;
      i += 1;
    }
  }
  if (digits > 0) {
    bytes[to] = group >> 8;
    bytes[to + 1] = group;
    to += 2;
  }
  if (gap >= 0) {
    // The groups after "::" move to the end, and zeros fill the gap.
    const tail = to - gap;
    bytes.copyWithin(at + 16 - tail, gap, to);
    bytes.fill(0, gap, at + 16 - tail);
  }
  return true;
}
