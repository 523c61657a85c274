import { family, type Ip, ipBytes } from '../../model/ip.ts';
import type { Nexthop, NexthopGroup } from '../../model/object.ts';
import { decodeMembers, decodeResilience, PLAIN, RESILIENT } from './group.ts';
import { AF, familyNumber, MalformedError, type MessageReader, type MessageWriter } from './message.ts';

const NHA_ID = 1;
const NHA_GROUP = 2;
const NHA_GROUP_TYPE = 3;
const NHA_OIF = 5;
const NHA_GATEWAY = 6;
const NHA_RES_GROUP = 12;
/** Attributes that our model cannot express and that change where packets go: blackhole, encapsulation, bridge fdb. */
const inexpressible = new Set([4, 7, 8, 11]);
/** nh_flags: RTNH_F_ONLINK; the other flags are state. */
const RTNH_F_ONLINK = 4;

/** A nexthop or group of a dump; `object` is undefined when our model cannot express it. */
export interface FoundNexthop {
  readonly id: number;
  readonly protocol: number;
  readonly object: Nexthop | NexthopGroup | undefined;
}

/** Writes the payload of a nexthop message. */
export function encodeNexthop(writer: MessageWriter, nexthop: Nexthop): void {
  encodeFixed(writer, familyNumber(family(nexthop.via)), nexthop.protocol);
  writer.attributeU32(NHA_ID, nexthop.id);
  writer.attributeU32(NHA_OIF, nexthop.link);
  writer.attributeBytes(NHA_GATEWAY, ipBytes(nexthop.via));
}

/** Also for groups. Linux refuses RTM_DELNEXTHOP with a protocol: only the id is sent. */
export function encodeNexthopId(writer: MessageWriter, id: number): void {
  encodeFixed(writer, AF.unspecified, 0);
  writer.attributeU32(NHA_ID, id);
}

/** Requests all nexthops and groups of the namespace: all programs share one range of ids. */
export function encodeNexthopDump(writer: MessageWriter): void {
  encodeFixed(writer, AF.unspecified, 0);
}

function encodeFixed(writer: MessageWriter, af: number, protocol: number): void {
  writer.u8(af).u8(0).u8(protocol).u8(0).u32(0);
}

/** @throws MalformedError */
export function decodeNexthop(message: MessageReader): FoundNexthop {
  message.attributes(8);
  const protocol = message.u8At(message.start + 2);
  const onlink = (message.u32At(message.start + 4) & RTNH_F_ONLINK) !== 0;
  let id: number | undefined;
  let link: number | undefined;
  let via: Ip | undefined;
  let members: NexthopGroup['members'] | undefined;
  let type = PLAIN;
  let resilience: NexthopGroup['resilience'];
  let expressible = !onlink;
  while (message.nextAttribute()) {
    switch (message.attribute) {
      case NHA_ID:
        id = message.u32();
        break;
      case NHA_OIF:
        link = message.u32();
        break;
      case NHA_GATEWAY:
        via = message.ip();
        break;
      case NHA_GROUP:
        members = decodeMembers(message);
        break;
      case NHA_GROUP_TYPE:
        type = message.u16();
        break;
      case NHA_RES_GROUP:
        resilience = decodeResilience(message);
        break;
      default:
        if (inexpressible.has(message.attribute)) expressible = false;
    }
  }
  if (id === undefined) throw new MalformedError('a nexthop without an id');
  if (members) {
    if ((type === RESILIENT) !== (resilience !== undefined)) expressible = false;
    const object = { kind: 'group', id, protocol, members, resilience } as const;
    return { id, protocol, object: expressible ? object : undefined };
  }
  if (via === undefined || link === undefined || !expressible) return { id, protocol, object: undefined };
  return { id, protocol, object: { kind: 'nexthop', id, protocol, via, link } };
}
