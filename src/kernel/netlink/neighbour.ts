import { type Family, family, type Ip, ipBytes } from '../../model/ip.ts';
import type { Neighbour } from '../../model/listing.ts';
import { familyNumber, type MessageReader, type MessageWriter } from './message.ts';

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_REACHABLE = 0x02;
const NUD_STALE = 0x04;
const NUD_DELAY = 0x08;
const NUD_PROBE = 0x10;
const NUD_PERMANENT = 0x80;
const resolved = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
const NTF_USE = 0x01;
const NTF_PROXY = 0x08;
const macBytes = 6;
/** ndmsg */
const fixedBytes = 12;

/** An entry of the neighbour table; `mac` is undefined while the host has not answered. */
export type FoundNeighbour = Omit<Neighbour, 'mac'> & { readonly mac: string | undefined };

export function encodeNeighbourDump(writer: MessageWriter, of: Family): void {
  writer.u8(familyNumber(of)).u8(0).u16(0).u32(0).u16(0).u8(0).u8(0);
}

/** NTF_USE: the kernel treats the entry as if a packet had just been sent to it, and resolves it if necessary. */
export function encodeNeighbourUse(writer: MessageWriter, ip: Ip, link: number): void {
  writer
    .u8(familyNumber(family(ip)))
    .u8(0)
    .u16(0)
    .u32(link)
    .u16(0)
    .u8(NTF_USE)
    .u8(0);
  writer.attributeBytes(NDA_DST, ipBytes(ip));
}

/**
 * @returns undefined for proxy entries, and for families that we do not know
 * @throws MalformedError
 */
export function decodeNeighbour(message: MessageReader): FoundNeighbour | undefined {
  message.attributes(fixedBytes);
  const { start } = message;
  if ((message.u8At(start + 10) & NTF_PROXY) !== 0) return undefined;
  const known = (message.u16At(start + 8) & resolved) !== 0;
  let ip: Ip | undefined;
  let mac: string | undefined;
  while (message.nextAttribute()) {
    if (message.attribute === NDA_DST && (message.size === 4 || message.size === 16)) ip = message.ip();
    else if (message.attribute === NDA_LLADDR && message.size === macBytes) mac = macText(message);
  }
  if (ip === undefined) return undefined;
  return { ip, link: message.u32At(start + 4), mac: known ? mac : undefined };
}

function macText({ bytes, at, size }: MessageReader): string {
  return Array.from(bytes.subarray(at, at + size), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
