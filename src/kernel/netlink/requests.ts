import type { Family } from '../../model/ip.ts';
import type { ProxyNeighbour, Route } from '../../model/object.ts';
import { decodeAddress, encodeAddressDump, type FoundAddress } from './address.ts';
import type { DumpRequest } from './dump.ts';
import { decodeLink, encodeLinkDump } from './link.ts';
import { Type } from './message.ts';
import { decodeNeighbour, encodeNeighbourDump, type FoundNeighbour } from './neighbour.ts';
import { decodeNexthop, encodeNexthopDump, type FoundNexthop } from './nexthop.ts';
import { decodeProxyNeighbour, encodeProxyNeighbourDump } from './proxy-neighbour.ts';
import { decodeRoute, encodeRouteDump, type RouteFilter } from './route.ts';
import { decodeRule, encodeRuleDump, type FoundRule } from './rule.ts';

// The dumps there are.

export const linkDump = { type: Type.getLink, encode: encodeLinkDump, decode: decodeLink };

export const addressDump: DumpRequest<FoundAddress> = {
  type: Type.getAddress,
  encode: encodeAddressDump,
  decode: decodeAddress,
};

export const nexthopDump: DumpRequest<FoundNexthop> = {
  type: Type.getNexthop,
  encode: encodeNexthopDump,
  decode: decodeNexthop,
};

export function ruleDump(of: Family): DumpRequest<FoundRule> {
  return { type: Type.getRule, encode: (writer) => encodeRuleDump(writer, of), decode: decodeRule };
}

export function proxyNeighbourDump(of: Family): DumpRequest<ProxyNeighbour> {
  return {
    type: Type.getNeighbour,
    encode: (writer) => encodeProxyNeighbourDump(writer, of),
    decode: decodeProxyNeighbour,
  };
}

export function routeDump(filter: RouteFilter): DumpRequest<Route> {
  return { type: Type.getRoute, encode: (writer) => encodeRouteDump(writer, filter), decode: decodeRoute };
}

export function neighbourDump(of: Family): DumpRequest<FoundNeighbour> {
  return {
    type: Type.getNeighbour,
    encode: (writer) => encodeNeighbourDump(writer, of),
    decode: decodeNeighbour,
  };
}
