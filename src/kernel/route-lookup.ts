import { type Ip, parseIp } from '../model/ip.ts';
import { routeTypes } from './netlink/route.ts';
import { readWith } from './program.ts';

/** The kernel's answer to the question where a packet goes. */
export type RouteLookup =
  | { readonly kind: 'route'; readonly route: FoundRoute }
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
  /** `198.51.100.10`, `default` */
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
    return why === undefined ? { kind: 'not asked', why: ended.err } : { kind: 'refused', why };
  }
  return { kind: 'route', route: routeOf(ended.out) };
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
