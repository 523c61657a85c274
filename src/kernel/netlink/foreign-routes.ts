import {
  bits,
  type Family,
  families,
  family,
  ipBytes,
  type Prefix,
  prefixIp,
  prefixLength,
} from '../../model/ip.ts';
import { familyNumber, headerBytes, Type } from './message.ts';
import { fixedBytes, RTA_DST } from './route.ts';
import {
  accept,
  and,
  andIndex,
  drop,
  findAttribute,
  halfAsLoaded,
  type Instruction,
  ifAtLeast,
  ifEqual,
  jump,
  loadByte,
  loadHalf,
  loadNumber,
  loadWordBehind,
  mostInstructions,
  recall,
  recallIndex,
  shiftLeftByIndex,
  store,
  subtractIndex,
  toIndex,
  xor,
} from './socket-filter.ts';

const typeOffset = 4;
/** rtm_family, rtm_dst_len, rtm_protocol */
const familyOffset = headerBytes;
const lengthOffset = headerBytes + 1;
const protocolOffset = headerBytes + 5;
/** A destination is compared by its first four bytes. */
const comparedBits = 32;
const attributeHeaderBytes = 4;
const ones = 0xffff_ffff;
/** Of the memory of a program. */
const [lengthMask, destination] = [0, 1];
/** The rest of a program takes some sixty instructions. */
const mostForNetworks = mostInstructions - 100;

/** What of the foreign routes is heard. */
export interface HeardRoutes {
  /** Of our own routes, which are heard all. */
  readonly protocol: number;
  readonly networks: readonly Prefix[];
}

/**
 * Drops the notifications of foreign routes to networks that overlap none of ours: a host with a full BGP table receives
 * thousands in a second, and each takes 7 us to receive and decode. It is a sieve: some that concern nobody pass. All routes
 * to a host pass, and all default routes, which may have the key of one of ours; IPv6 networks are compared by 32 bits.
 *
 * @returns a program that ends with an answer
 */
export function withoutForeignRoutes({ protocol, networks }: HeardRoutes): readonly Instruction[] {
  const sections = families.map((of) => ({ of, program: ofFamily(of, networks) }));
  const size = sections.reduce((sum, { program }) => sum + program.length, 0);
  if (size > mostForNetworks) return [accept];
  return [
    loadHalf(typeOffset),
    ifEqual(halfAsLoaded(Type.RTM_NEWROUTE), 2, 0),
    ifEqual(halfAsLoaded(Type.RTM_DELROUTE), 1, 0),
    accept,
    loadByte(protocolOffset),
    ifEqual(protocol, 0, 1),
    accept,
    ...sections.flatMap(({ of, program }) => [
      loadByte(familyOffset),
      // A conditional jump reaches 255 instructions, another one any number.
      ifEqual(familyNumber(of), 1, 0),
      jump(program.length),
      ...program,
    ]),
    accept,
  ];
}

function ofFamily(of: Family, networks: readonly Prefix[]): readonly Instruction[] {
  const compared = networks.filter((network) => family(network) === of).map(comparedPart);
  const distinct = new Map(compared.map((part) => [`${part.first} ${part.mask}`, part]));
  return [
    loadByte(lengthOffset),
    ifEqual(0, 0, 1),
    accept,
    ifEqual(bits(of), 0, 1),
    accept,
    ...toMask,
    store(lengthMask),
    ...findAttribute(RTA_DST, headerBytes + fixedBytes),
    ifEqual(0, 0, 1),
    accept,
    loadWordBehind(attributeHeaderBytes),
    store(destination),
    recallIndex(lengthMask),
    ...[...distinct.values()].flatMap(({ first, mask }) => [
      recall(destination),
      xor(first),
      and(mask),
      andIndex,
      ifEqual(0, 0, 1),
      accept,
    ]),
    drop,
  ];
}

/** Makes a mask of a length, which is not 0. */
const toMask: readonly Instruction[] = [
  ifAtLeast(comparedBits, 0, 1),
  loadNumber(comparedBits),
  toIndex,
  loadNumber(comparedBits),
  subtractIndex,
  toIndex,
  loadNumber(ones),
  shiftLeftByIndex,
];

/** What of a network is compared. */
function comparedPart(network: Prefix): { readonly first: number; readonly mask: number } {
  const bytes = ipBytes(prefixIp(network));
  const length = Math.min(prefixLength(network), comparedBits);
  return {
    first: new DataView(bytes.buffer, bytes.byteOffset).getUint32(0),
    mask: length === 0 ? 0 : (ones << (comparedBits - length)) >>> 0,
  };
}
