import type { Link } from '../../model/object.ts';
import { AF, MalformedError, type MessageReader, type MessageWriter } from './message.ts';
import { macBytes, macText } from './neighbour.ts';

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_EXT_MASK = 29;
const RTEXT_FILTER_SKIP_STATS = 8;
/** ifinfomsg */
const fixedBytes = 16;
const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;

export function encodeLinkDump(writer: MessageWriter): void {
  writer.u8(AF.unspecified).u8(0).u16(0).u32(0).u32(0).u32(0);
  writer.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

/**
 * The addresses are left empty: RTM_GETADDR lists them.
 *
 * @returns undefined for a bridge's message about one of its ports, which looks like a link message
 * @throws MalformedError
 */
export function decodeLink(message: MessageReader): Link | undefined {
  message.attributes(fixedBytes);
  if (message.u8At(message.start) !== AF.unspecified) return undefined;
  const index = message.u32At(message.start + 4);
  const flags = message.u32At(message.start + 8);
  let name: string | undefined;
  let mac: string | undefined;
  while (message.nextAttribute()) {
    if (message.attribute === IFLA_IFNAME) name = message.text();
    else if (message.attribute === IFLA_ADDRESS && message.size === macBytes) mac = macText(message);
  }
  if (name === undefined) throw new MalformedError(`link ${index} has no name`);
  const [up, carrier] = [(flags & IFF_UP) !== 0, (flags & IFF_LOWER_UP) !== 0];
  return { index, name, up, carrier, ...(mac === undefined ? {} : { mac }), addresses: [] };
}
