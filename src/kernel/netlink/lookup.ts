import { bits, family, ipBytes } from '../../model/ip.ts';
import type { Question } from '../lookup-port.ts';
import { familyNumber, type MessageWriter } from './message.ts';

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_MARK = 16;
/** The answer names the table. IPv6 does so in any case, and refuses the flag. */
const RTM_F_LOOKUP_TABLE = 0x1000;
/** The answer is the route that matches, and not the hop that a packet takes. */
const RTM_F_FIB_MATCH = 0x2000;

/** Writes the payload of the question which route a packet matches. */
export function encodeLookup(writer: MessageWriter, { dst, from, iif, mark }: Question): void {
  const length = bits(family(dst));
  writer.u8(familyNumber(family(dst))).u8(length);
  writer.u8(from === undefined ? 0 : length).u8(0);
  writer.u8(0).u8(0).u8(0).u8(0);
  writer.u32(family(dst) === 4 ? RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH : RTM_F_FIB_MATCH);
  writer.attributeBytes(RTA_DST, ipBytes(dst));
  if (from !== undefined) writer.attributeBytes(RTA_SRC, ipBytes(from));
  if (iif !== undefined) writer.attributeU32(RTA_IIF, iif);
  if (mark !== undefined) writer.attributeU32(RTA_MARK, mark);
}
