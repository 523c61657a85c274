import { createSocket } from 'node:dgram';
import { family, type Ip, parseIp } from '../model/ip.ts';
import { routeTypes } from './netlink/route.ts';
import { readWith } from './program.ts';

/** The kernel's answer to the question where a packet goes. */
export type RouteLookup =
  | { readonly kind: 'route'; readonly route: FoundRoute }
  /** It has a route and cannot name it, see {@link lookUpRoute}. */
  | { readonly kind: 'unnamed' }
  /** No route, or one that refuses; in the kernel's words: `No route to host`. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The kernel could not be asked. */
  | { readonly kind: 'not asked'; readonly why: string };

/** The route that the kernel chooses, after all rules. */
export interface FoundRoute {
  /** `unicast`, `local`, ... */
  readonly type: string;
  readonly table: number;
  readonly protocol: number;
  readonly nhid: number | undefined;
  /** `198.51.100.10`, `default`; over IPv6 perhaps of another route over the same nexthop object */
  readonly dst: string;
  readonly hops: readonly { readonly via: Ip | undefined; readonly dev: string | undefined }[];
}

/** A packet that comes in from outside. */
export interface Forwarded {
  readonly from: Ip;
  readonly iif: string;
}

/**
 * Asks by `ip route get`: which route matches, or, for a packet that comes in, which hop it takes. The latter is refused
 * where the kernel would drop the packet: forwarding is off, or rp_filter rejects its source.
 *
 * Over IPv6, Linux keeps for each nexthop object and processor a copy of the route that used it first, and takes packets
 * of all routes over that nexthop by it. The question is answered with what the copy was made of: the name of the other
 * route, or ENETUNREACH once that one is deleted, although the packets go (seen with 6.18). Only a program that connects
 * is told then whether there is a route. Where it is, the answer is `unnamed`, also for a packet that comes in: whether
 * that one is refused by a rule of its own cannot be asked.
 */
export async function lookUpRoute(
  dst: Ip,
  forwarded: Forwarded | undefined,
  signal: AbortSignal,
): Promise<RouteLookup> {
  const question =
    forwarded === undefined ? ['fibmatch', dst] : [dst, 'from', forwarded.from, 'iif', forwarded.iif];
  const ended = await readWith('ip', ['-N', '-j', '-d', 'route', 'get', ...question], signal);
  if (ended.kind === 'not run') return { kind: 'not asked', why: `${ended.why}; install iproute2` };
  if (ended.status !== 0) {
    const [, why] = /RTNETLINK answers: (.*)/.exec(ended.err) ?? [];
    if (why === undefined) return { kind: 'not asked', why: ended.err };
    if (family(dst) === 6 && why === unreachable && (await hasRoute(dst))) return { kind: 'unnamed' };
    return { kind: 'refused', why };
  }
  return { kind: 'route', route: routeOf(ended.out) };
}

/** ENETUNREACH in the words of the C library. */
const unreachable = 'Network is unreachable';
/** Any port: nothing is sent. */
const discard = 9;

/** Whether a datagram could be sent there. None is. */
function hasRoute(to: Ip): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createSocket('udp6');
  const end = (has: boolean): void => {
    socket.close();
    resolve(has);
  };
  socket.once('connect', () => end(true));
  socket.once('error', () => end(false));
  socket.connect(discard, to);
  return promise;
}

/** What `ip -j route get` prints of a route; further fields are left out. */
interface Printed {
  readonly type?: string;
  readonly table?: string;
  readonly protocol?: string;
  readonly nhid?: number;
  readonly dst?: string;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly dev?: string;
  readonly nexthops?: readonly Pick<Printed, 'gateway' | 'via' | 'dev'>[];
}

function routeOf(json: string): FoundRoute {
  const [printed = {}]: readonly Printed[] = JSON.parse(json);
  const hops = printed.nexthops ?? [printed];
  return {
    // With -N, ip prints the number.
    type: routeTypes[Number(printed.type ?? 1)] ?? `type ${printed.type}`,
    table: Number(printed.table ?? 254),
    protocol: Number(printed.protocol ?? 0),
    nhid: printed.nhid,
    dst: printed.dst ?? '',
    hops: hops.map(({ gateway, via, dev }) => {
      const ip = gateway ?? via?.host;
      return { via: ip === undefined ? undefined : parseIp(ip), dev };
    }),
  };
}
