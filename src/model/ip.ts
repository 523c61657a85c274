import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An IPv4 or IPv6 address in canonical text (RFC 5952 for IPv6); made by {@link parseIp} only. */
export type Ip = string & { readonly [ipBrand]: true };
declare const ipBrand: unique symbol;

/** A network in canonical text, host bits zero, always with its length: `198.51.100.0/24`. */
export type Prefix = string & { readonly [prefixBrand]: true };
declare const prefixBrand: unique symbol;

export type Family = 4 | 6;

export const families: readonly Family[] = [4, 6];

/** Codes of characters. */
const [dot, zero, nine] = [46, 48, 57] as const;

/**
 * @throws RangeError when the text is not an address, has a zone (`%eth0`), or is an IPv4-mapped IPv6
 *   address (`::ffff:192.0.2.1`), which Linux does not route
 */
export function parseIp(text: string): Ip {
  if (isIPv4(text)) return text as Ip;
  const version = isIP(text);
  if (version !== 6 || text.includes('%')) throw new RangeError(`"${text}" is not an IP address`);
  const parsed = ipaddr.IPv6.parse(text);
  if (parsed.isIPv4MappedAddress()) throw new RangeError(`"${text}" is an IPv4 address written as IPv6`);
  return parsed.toRFC5952String() as Ip;
}

/** As isIP says it: a hundred thousand addresses are read in one go. */
function isIPv4(text: string): boolean {
  let dots = 0;
  let digits = 0;
  let octet = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === dot) {
      if (digits === 0) return false;
      dots += 1;
      digits = 0;
      octet = 0;
      continue;
    }
    // No number begins with a zero but zero itself.
    if (code < zero || code > nine || (digits > 0 && octet === 0)) return false;
    octet = octet * 10 + code - zero;
    digits += 1;
    if (octet > 255) return false;
  }
  return dots === 3 && digits > 0;
}

/**
 * A network, or a single address as a network of one.
 *
 * @throws RangeError when the text is no network, or has host bits set (`198.51.100.7/24`)
 */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf('/');
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash));
  const width = bits(family(ip));
  const tail = slash < 0 ? String(width) : text.slice(slash + 1);
  const length = Number(tail);
  if (!/^\d{1,3}$/.test(tail) || length > width) throw new RangeError(`"${text}" is not a network`);
  if (tail !== String(length)) {
    throw new RangeError(`"${text}" is not a network: write its length as ${length}, without a leading 0`);
  }
  const network = networkOf(ip, length);
  if (network !== `${ip}/${length}`) {
    throw new RangeError(`"${text}" has host bits set; the network is ${network}`);
  }
  return network;
}

/** The network of `length` bits around an address; host bits are cleared. */
export function networkOf(ip: Ip, length: number): Prefix {
  const bytes = ipBytes(ip);
  for (let i = 0; i < bytes.length; i += 1) {
    const keep = Math.min(8, Math.max(0, length - i * 8));
    bytes[i] = (bytes[i] ?? 0) & (0xff00 >> keep) & 0xff;
  }
  return `${ipFromBytes(bytes)}/${length}` as Prefix;
}

/** A flat string, as it is kept: a template would keep its parts. */
export function hostPrefix(ip: Ip): Prefix {
  return [ip, bits(family(ip))].join('/') as Prefix;
}

/** The default route's destination. */
export function anyPrefix(of: Family): Prefix {
  return (of === 4 ? '0.0.0.0/0' : '::/0') as Prefix;
}

/** An IPv4 address has a dot after its first number, of at most three digits, where IPv6 has none. */
export function family(of: Ip | Prefix): Family {
  return of.charCodeAt(1) === dot || of.charCodeAt(2) === dot || of.charCodeAt(3) === dot ? 4 : 6;
}

export function bits(of: Family): 32 | 128 {
  return of === 4 ? 32 : 128;
}

export function prefixIp(prefix: Prefix): Ip {
  return prefix.slice(0, prefix.indexOf('/')) as Ip;
}

export function prefixLength(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

/** The address of a /32 or /128; undefined for any other prefix. */
export function onlyIp(prefix: Prefix): Ip | undefined {
  return prefixLength(prefix) === bits(family(prefix)) ? prefixIp(prefix) : undefined;
}

/** 4 or 16 bytes in network order. */
export function ipBytes(ip: Ip): Uint8Array {
  if (family(ip) === 6) return Uint8Array.from(ipaddr.IPv6.parse(ip).toByteArray());
  const bytes = new Uint8Array(4);
  let at = 0;
  let octet = 0;
  for (let i = 0; i < ip.length; i += 1) {
    const code = ip.charCodeAt(i);
    if (code === 46) {
      bytes[at] = octet;
      at += 1;
      octet = 0;
    } else {
      octet = octet * 10 + code - 48;
    }
  }
  bytes[at] = octet;
  return bytes;
}

/** @throws RangeError unless there are 4 or 16 bytes */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Ip;
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  return new ipaddr.IPv6([...bytes]).toRFC5952String() as Ip;
}

/** The order of numbers, IPv4 before IPv6; 0 when equal. */
export function compareIp(a: Ip, b: Ip): number {
  const of = family(a);
  if (of !== family(b)) return of - family(b);
  if (of === 4) return ipv4Number(a) - ipv4Number(b);
  const left = ipBytes(a);
  const right = ipBytes(b);
  for (let i = 0; i < left.length; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function ipNumber(ip: Ip): bigint {
  if (family(ip) === 4) return BigInt(ipv4Number(ip));
  let number = 0n;
  for (const byte of ipBytes(ip)) number = (number << 8n) | BigInt(byte);
  return number;
}

/** Without bigint, for speed: up to sixty thousand addresses are numbered in one go. */
function ipv4Number(ip: Ip): number {
  let number = 0;
  let octet = 0;
  for (let i = 0; i < ip.length; i += 1) {
    const code = ip.charCodeAt(i);
    if (code === 46) {
      number = number * 256 + octet;
      octet = 0;
    } else {
      octet = octet * 10 + code - 48;
    }
  }
  return number * 256 + octet;
}

/** @throws RangeError when the number does not fit the family */
export function ipFromNumber(number: bigint, of: Family): Ip {
  if (number < 0n || number >= 1n << BigInt(bits(of))) throw new RangeError(`no IPv${of} address ${number}`);
  if (of === 4) {
    const all = Number(number);
    return `${all >>> 24}.${(all >>> 16) & 255}.${(all >>> 8) & 255}.${all & 255}` as Ip;
  }
  const bytes = new Uint8Array(16);
  let rest = number;
  for (let i = bytes.length - 1; i >= 0; i -= 1) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return ipFromBytes(bytes);
}

export function contains(prefix: Prefix, ip: Ip): boolean {
  return membership(prefix)(ip);
}

/** {@link contains} for many addresses. */
export function membership(prefix: Prefix): (ip: Ip) => boolean {
  const network = prefixIp(prefix);
  const length = prefixLength(prefix);
  if (family(prefix) === 4) {
    const first = ipv4Number(network);
    const end = first + 2 ** (32 - length);
    return (ip) => {
      if (family(ip) !== 4) return false;
      const number = ipv4Number(ip);
      return number >= first && number < end;
    };
  }
  const start = ipBytes(network);
  return (ip) => family(ip) === 6 && startsWith(ipBytes(ip), start, length);
}

/** @param length bits that count */
function startsWith(bytes: Uint8Array, network: Uint8Array, length: number): boolean {
  let rest = length;
  for (let i = 0; rest > 0; i += 1, rest -= 8) {
    const mask = rest >= 8 ? 0xff : 0xff00 >> rest;
    if ((((network[i] ?? 0) ^ (bytes[i] ?? 0)) & mask & 0xff) !== 0) return false;
  }
  return true;
}

/** By address, the shorter prefix first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareIp(prefixIp(a), prefixIp(b)) || prefixLength(a) - prefixLength(b);
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return prefixLength(a) <= prefixLength(b) ? contains(a, prefixIp(b)) : contains(b, prefixIp(a));
}

/** Whether all addresses of a network are in another one. */
export function isWithin(inner: Prefix, outer: Prefix): boolean {
  return prefixLength(outer) <= prefixLength(inner) && contains(outer, prefixIp(inner));
}

/** The parts of a network that are in none of the others: as few networks as possible, in order. */
export function remainder(network: Prefix, others: readonly Prefix[]): readonly Prefix[] {
  const near = others.filter((other) => overlaps(network, other));
  if (near.length === 0) return [network];
  if (near.some((other) => isWithin(network, other))) return [];
  const length = prefixLength(network) + 1;
  const first = prefixIp(network);
  const of = family(network);
  const second = ipFromNumber(ipNumber(first) + (1n << BigInt(bits(of) - length)), of);
  return [first, second].flatMap((ip) => remainder(networkOf(ip, length), near));
}

/**
 * The fewest networks that cover exactly the addresses from `first` to `last`, both included.
 *
 * @throws RangeError when the families differ or `last` is before `first`
 */
export function rangePrefixes(first: Ip, last: Ip): readonly Prefix[] {
  const of = family(first);
  if (of !== family(last)) throw new RangeError(`${first}-${last} mixes IPv4 and IPv6`);
  const end = ipNumber(last);
  let at = ipNumber(first);
  if (at > end) throw new RangeError(`${first}-${last} ends before it starts`);
  const width = bits(of);
  const prefixes: Prefix[] = [];
  while (at <= end) {
    let size = 0;
    while (
      size < width &&
      (at & ((2n << BigInt(size)) - 1n)) === 0n &&
      at + (2n << BigInt(size)) - 1n <= end
    ) {
      size += 1;
    }
    prefixes.push(`${ipFromNumber(at, of)}/${width - size}` as Prefix);
    at += 1n << BigInt(size);
  }
  return prefixes;
}
