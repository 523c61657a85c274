import { type Family, family, type Ip, ipBytes } from '../../model/ip.ts';
import type { Neighbour, NeighbourState } from '../../model/listing.ts';
import { familyNumber, type MessageReader, type MessageWriter } from './message.ts';

const NDA_DST = 1;
const NDA_LLADDR = 2;
/**
 * NUD_*: one bit each. NUD_NONE (0) is an entry that nobody has used yet. NUD_NOARP (0x40) is left out: it is no host
 * that could answer, but a group address.
 */
const states: ReadonlyMap<number, NeighbourState> = new Map([
  [0x01, 'INCOMPLETE'],
  [0x02, 'REACHABLE'],
  [0x04, 'STALE'],
  [0x08, 'DELAY'],
  [0x10, 'PROBE'],
  [0x20, 'FAILED'],
  [0x80, 'PERMANENT'],
]);
const resolved: ReadonlySet<NeighbourState | undefined> = new Set([
  'REACHABLE',
  'STALE',
  'DELAY',
  'PROBE',
  'PERMANENT',
]);
const NUD_STALE = 0x04;
const NTF_USE = 0x01;
const NTF_PROXY = 0x08;
export const macBytes = 6;
/** ndmsg */
const fixedBytes = 12;

/**
 * An entry of the neighbour table; `mac` is undefined while the host has not answered, `state` while nobody has used
 * the entry, and where there is nobody to ask.
 */
export type FoundNeighbour = Omit<Neighbour, 'mac'> & {
  readonly mac: string | undefined;
  readonly state: NeighbourState | undefined;
};

/** @param link ifindex; undefined: of all interfaces */
export function encodeNeighbourDump(writer: MessageWriter, of: Family): void {
  writer.u8(familyNumber(of)).u8(0).u16(0).u32(0).u16(0).u8(0).u8(0);
}

/** NTF_USE: the kernel treats the entry as if a packet had just been sent to it, and resolves it if necessary. */
export function encodeNeighbourUse(writer: MessageWriter, ip: Ip, link: number): void {
  encodeEntry(writer, ip, link, NTF_USE);
}

/** Makes an entry with a link-layer address STALE, and keeps the address. */
export function encodeNeighbourStale(writer: MessageWriter, ip: Ip, link: number): void {
  encodeEntry(writer, ip, link, 0, NUD_STALE);
}

/** Names one entry, for RTM_GETNEIGH. */
export function encodeNeighbourKey(writer: MessageWriter, ip: Ip, link: number): void {
  encodeEntry(writer, ip, link, 0);
}

function encodeEntry(writer: MessageWriter, ip: Ip, link: number, flags: number, state = 0): void {
  writer
    .u8(familyNumber(family(ip)))
    .u8(0)
    .u16(0)
    .u32(link)
    .u16(state)
    .u8(flags)
    .u8(0);
  writer.attributeBytes(NDA_DST, ipBytes(ip));
}

/** Of an entry that is no proxy: a thousand nodes are read every few seconds for nothing else. */
export function decodeNeighbourState(message: MessageReader): NeighbourState | undefined {
  message.attributes(fixedBytes);
  return states.get(message.u16At(message.start + 8));
}

/**
 * @returns undefined for proxy entries, and for families that we do not know
 * @throws MalformedError
 */
export function decodeNeighbour(message: MessageReader): FoundNeighbour | undefined {
  message.attributes(fixedBytes);
  const { start } = message;
  if ((message.u8At(start + 10) & NTF_PROXY) !== 0) return undefined;
  const state = states.get(message.u16At(start + 8));
  let ip: Ip | undefined;
  let mac: string | undefined;
  while (message.nextAttribute()) {
    if (message.attribute === NDA_DST && (message.size === 4 || message.size === 16)) ip = message.ip();
    else if (message.attribute === NDA_LLADDR && message.size === macBytes) mac = macText(message);
  }
  if (ip === undefined) return undefined;
  return { ip, link: message.u32At(start + 4), state, mac: resolved.has(state) ? mac : undefined };
}

/** An address of the link layer, of an attribute. */
export function macText({ bytes, at, size }: MessageReader): string {
  return Array.from(bytes.subarray(at, at + size), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
