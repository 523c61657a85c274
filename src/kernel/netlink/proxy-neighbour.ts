import { type Family, family, type Ip, ipBytes } from '../../model/ip.ts';
import type { ProxyNeighbour } from '../../model/object.ts';
import { familyNumber, type MessageReader, type MessageWriter } from './message.ts';

const NDA_DST = 1;
const NDA_PROTOCOL = 12;
const NUD_PERMANENT = 0x80;
const NTF_PROXY = 0x08;
/** ndmsg */
const fixedBytes = 12;

/** Writes the payload of a message that adds an entry. */
export function encodeProxyNeighbour(writer: MessageWriter, neighbour: ProxyNeighbour): void {
  encodeFixed(writer, family(neighbour.ip), neighbour.link, NUD_PERMANENT);
  writer.attributeBytes(NDA_DST, ipBytes(neighbour.ip));
  writer.attributeU8(NDA_PROTOCOL, neighbour.protocol);
}

/** Writes the payload of a message that deletes or requests an entry; strict checking refuses other attributes. */
export function encodeProxyNeighbourKey(writer: MessageWriter, neighbour: ProxyNeighbour): void {
  encodeFixed(writer, family(neighbour.ip), neighbour.link, 0);
  writer.attributeBytes(NDA_DST, ipBytes(neighbour.ip));
}

/** Requests the proxy entries of a family, on all links. */
export function encodeProxyNeighbourDump(writer: MessageWriter, of: Family): void {
  encodeFixed(writer, of, 0, 0);
}

function encodeFixed(writer: MessageWriter, of: Family, link: number, state: number): void {
  writer.u8(familyNumber(of)).u8(0).u16(0).u32(link).u16(state).u8(NTF_PROXY).u8(0);
}

/**
 * @returns undefined for what is no proxy entry
 * @throws MalformedError
 */
export function decodeProxyNeighbour(message: MessageReader): ProxyNeighbour | undefined {
  message.attributes(fixedBytes);
  const link = message.u32At(message.start + 4);
  const proxy = (message.u8At(message.start + 10) & NTF_PROXY) !== 0;
  let ip: Ip | undefined;
  let protocol = 0;
  while (message.nextAttribute()) {
    if (message.attribute === NDA_DST) ip = message.ip();
    else if (message.attribute === NDA_PROTOCOL) protocol = message.u8();
  }
  return proxy && ip !== undefined ? { kind: 'neighbour', ip, link, protocol } : undefined;
}
