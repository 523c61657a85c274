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

// The dump requests.

export const linkDump = { type: Type.RTM_GETLINK, encode: encodeLinkDump, decode: decodeLink };

export const addressDump: DumpRequest<FoundAddress> = {
  type: Type.RTM_GETADDR,
  encode: encodeAddressDump,
  decode: decodeAddress,
};

export const nexthopDump: DumpRequest<FoundNexthop> = {
  type: Type.RTM_GETNEXTHOP,
  encode: encodeNexthopDump,
  decode: decodeNexthop,
};

export function ruleDump(of: Family): DumpRequest<FoundRule> {
  return { type: Type.RTM_GETRULE, encode: (writer) => encodeRuleDump(writer, of), decode: decodeRule };
}

export function proxyNeighbourDump(of: Family): DumpRequest<ProxyNeighbour> {
  return {
    type: Type.RTM_GETNEIGH,
    encode: (writer) => encodeProxyNeighbourDump(writer, of),
    decode: decodeProxyNeighbour,
  };
}

export function routeDump(filter: RouteFilter): DumpRequest<Route> {
  return {
    type: Type.RTM_GETROUTE,
    encode: (writer) => encodeRouteDump(writer, filter),
    decode: decodeRoute,
  };
}

/** @param link ifindex; undefined: of all interfaces */
export function neighbourDump(of: Family): DumpRequest<FoundNeighbour> {
  return {
    type: Type.RTM_GETNEIGH,
    encode: (writer) => encodeNeighbourDump(writer, of),
    decode: decodeNeighbour,
  };
}
