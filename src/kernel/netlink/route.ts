import {
  type Family,
  family,
  type Ip,
  ipBytes,
  type Prefix,
  prefixIp,
  prefixLength,
} from '../../model/ip.ts';
import { type Hop, noHops, type Route, type RouteType } from '../../model/object.ts';
import { AF, familyNumber, MalformedError, type MessageReader, type MessageWriter } from './message.ts';

export const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_NH_ID = 30;
const RTM_F_CLONED = 0x200;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_HOST = 254;
const RT_SCOPE_NOWHERE = 255;
/** rtmsg */
export const fixedBytes = 12;
/** rtnexthop */
const hopBytes = 8;

/** By their number in rtm_type (RTN_*). */
const routeTypes: readonly (RouteType | undefined)[] = [
  undefined,
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
];
const leadNowhere: ReadonlySet<RouteType> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);

/** Writes the payload of a message that adds or replaces a route. */
export function encodeRoute(writer: MessageWriter, route: Route): void {
  encode(writer, route, scopeOf(route));
}

/**
 * Writes the payload of a deletion. With the destination alone Linux deletes the route with the best metric, or one
 * that another program put in the place of ours, so the protocol, the type and the hops are sent. The nexthop id is
 * not: for an id that does not exist Linux answers EINVAL instead of ESRCH.
 */
export function encodeRouteDeletion(writer: MessageWriter, route: Route): void {
  encode(writer, route.nhid === undefined ? route : { ...route, nhid: undefined }, RT_SCOPE_NOWHERE);
}

/** The filter that the kernel applies to a dump. */
export interface RouteFilter {
  readonly family: Family;
  readonly table: number;
  /** 0: any */
  readonly protocol: number;
}

export function encodeRouteDump(writer: MessageWriter, filter: RouteFilter): void {
  writer.u8(familyNumber(filter.family)).u8(0).u8(0).u8(0);
  // Without flags the dump has no cached exceptions (redirects, path MTUs); with RTM_F_PREFIX it has no routes.
  writer.u8(0).u8(filter.protocol).u8(0).u8(0).u32(0);
  writer.attributeU32(RTA_TABLE, filter.table);
}

function encode(writer: MessageWriter, route: Route, scope: number): void {
  const of = family(route.dst);
  const length = prefixLength(route.dst);
  writer.u8(familyNumber(of)).u8(length).u8(0).u8(0);
  writer.u8(route.table < 256 ? route.table : 0).u8(route.protocol);
  writer.u8(scope).u8(routeTypes.indexOf(route.type)).u32(0);
  // The first attribute, also of a default route: RouteTemplate patches it at a fixed offset.
  writer.attributeBytes(RTA_DST, ipBytes(prefixIp(route.dst)));
  if (route.table > 255) writer.attributeU32(RTA_TABLE, route.table);
  if (route.metric !== 0) writer.attributeU32(RTA_PRIORITY, route.metric);
  if (route.src !== undefined) writer.attributeBytes(RTA_PREFSRC, ipBytes(route.src));
  if (route.nhid !== undefined) writer.attributeU32(RTA_NH_ID, route.nhid);
  const [hop] = route.hops;
  if (hop === undefined) return;
  if (route.hops.length === 1) {
    if (hop.via !== undefined) encodeVia(writer, hop.via, of);
    if (hop.link !== undefined) writer.attributeU32(RTA_OIF, hop.link);
    return;
  }
  const nested = writer.open(RTA_MULTIPATH);
  for (const { via, link, weight } of route.hops) {
    const at = writer.length;
    writer
      .u16(0)
      .u8(0)
      .u8(weight - 1)
      .u32(link ?? 0);
    if (via !== undefined) encodeVia(writer, via, of);
    writer.setLength(at);
  }
  writer.close(nested);
}

function encodeVia(writer: MessageWriter, via: Ip, of: Family): void {
  if (family(via) === of) {
    writer.attributeBytes(RTA_GATEWAY, ipBytes(via));
    return;
  }
  const at = writer.open(RTA_VIA);
  writer
    .u16(familyNumber(family(via)))
    .raw(ipBytes(via))
    .close(at);
}

function scopeOf(route: Route): number {
  if (family(route.dst) === 6) return RT_SCOPE_UNIVERSE;
  switch (route.type) {
    case 'local':
      return RT_SCOPE_HOST;
    case 'broadcast':
    case 'multicast':
    case 'anycast':
      return RT_SCOPE_LINK;
    case 'unicast':
      return route.nhid !== undefined || route.hops.some(({ via }) => via !== undefined)
        ? RT_SCOPE_UNIVERSE
        : RT_SCOPE_LINK;
    case 'blackhole':
    case 'unreachable':
    case 'prohibit':
    case 'throw':
      return RT_SCOPE_UNIVERSE;
    default:
      return route.type satisfies never;
  }
}

/**
 * @returns undefined for a route that cannot conflict with ours: cached, with a type of service, or of an unknown
 *   type or family
 * @throws MalformedError
 */
export function decodeRoute(message: MessageReader): Route | undefined {
  message.attributes(fixedBytes);
  const { start } = message;
  const af = message.u8At(start);
  const length = message.u8At(start + 1);
  const tos = message.u8At(start + 3);
  const type = routeTypes[message.u8At(start + 7)];
  if ((af !== AF.inet && af !== AF.inet6) || type === undefined || tos !== 0) return undefined;
  if (message.u32At(start + 8) & RTM_F_CLONED) return undefined;
  let table = message.u8At(start + 4);
  let dst: Prefix | undefined;
  let metric = 0;
  let nhid: number | undefined;
  let src: Ip | undefined;
  let via: Ip | undefined;
  let link: number | undefined;
  let several: readonly Hop[] | undefined;
  while (message.nextAttribute()) {
    switch (message.attribute) {
      case RTA_DST:
        dst = message.prefix(length);
        break;
      case RTA_TABLE:
        table = message.u32();
        break;
      case RTA_PRIORITY:
        metric = message.u32();
        break;
      case RTA_NH_ID:
        nhid = message.u32();
        break;
      case RTA_PREFSRC:
        src = message.ip();
        break;
      // With nexthop_compat_mode the hops of the nexthop follow its id, which is enough.
      case RTA_GATEWAY:
        if (nhid === undefined) via = message.ip();
        break;
      case RTA_VIA:
        if (nhid === undefined) via = decodeVia(message);
        break;
      case RTA_OIF:
        if (nhid === undefined) link = message.u32();
        break;
      case RTA_MULTIPATH:
        if (nhid === undefined) several = decodeHops(message);
        break;
    }
  }
  if (dst === undefined) {
    if (length !== 0) throw new MalformedError(`a route to a /${length} without an address`);
    dst = (af === AF.inet ? '0.0.0.0/0' : '::/0') as Prefix;
  }
  let hops: readonly Hop[] = noHops;
  // IPv6 gives unreachable, blackhole and prohibit routes the loopback interface.
  if (nhid === undefined && !leadNowhere.has(type)) {
    if (several !== undefined) hops = several;
    else if (via !== undefined || link !== undefined) hops = [{ via, link, weight: 1 }];
  }
  return {
    kind: 'route',
    table,
    dst,
    metric,
    protocol: message.u8At(start + 5),
    type,
    nhid,
    hops,
    src,
  };
}

function decodeVia(message: MessageReader): Ip {
  if (message.size < 2) throw new MalformedError(`RTA_VIA of ${message.size} bytes`);
  return message.ipAt(message.at + 2, message.size - 2);
}

function decodeHops(message: MessageReader): readonly Hop[] {
  const hops: Hop[] = [];
  const end = message.at + message.size;
  for (let at = message.at; at < end; ) {
    const size = at + hopBytes > end ? 0 : message.u16At(at);
    if (size < hopBytes || at + size > end) throw new MalformedError(`a hop of ${size} bytes`);
    let via: Ip | undefined;
    const inner = message.within(at + hopBytes, at + size);
    while (inner.nextAttribute()) {
      if (inner.attribute === RTA_GATEWAY) via = inner.ip();
      else if (inner.attribute === RTA_VIA) via = decodeVia(inner);
    }
    hops.push({ via, link: message.u32At(at + 4) || undefined, weight: message.u8At(at + 3) + 1 });
    at += (size + 3) & ~3;
  }
  return hops;
}
