import type { Lookup, LookupPort, Question } from '../kernel/lookup-port.ts';
import { type Ip, onlyIp } from '../model/ip.ts';
import type { LinkNames } from '../model/iproute.ts';
import type { Route } from '../model/object.ts';
import type { Terms } from '../probe/forwarded-question.ts';
import { refusalWords } from '../probe/refusal.ts';

/** The kernel's answer to the question where a packet goes. */
export type RouteLookup =
  | { readonly kind: 'route'; readonly route: FoundRoute }
  /** It has a route and cannot name it, see {@link LookupPort}. */
  | { readonly kind: 'unnamed' }
  /** No route, or one that refuses: the errno, and what it means. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The kernel could not be asked. */
  | { readonly kind: 'not asked'; readonly why: string };

/** The route that the kernel chooses, after all rules. */
export interface FoundRoute {
  /** `unicast`, `local`, ... */
  readonly type: string;
  readonly table: number;
  readonly protocol: number;
  readonly metric: number;
  readonly nhid: number | undefined;
  /** `198.51.100.10`, `default`; over IPv6 perhaps of another route over the same nexthop object */
  readonly dst: string;
  /** Empty with `nhid`. */
  readonly hops: readonly { readonly via: Ip | undefined; readonly dev: string | undefined }[];
}

/** Which route matches, and what becomes of a packet of the client. */
export interface RouteAnswers {
  readonly matched: RouteLookup;
  readonly forwarded: RouteLookup;
}

/**
 * Which route the packets of clients match. Where the kernel refuses them (forwarding is off, rp_filter rejects the
 * source, a rule refuses), what this host itself would send is asked for as well: a route that it has is told, and why the
 * client is refused is another matter.
 *
 * @param terms of the client that is forwarded; undefined: there is no address to ask with
 * @param matching of the clients that a route has to match
 * @throws KernelError
 */
export async function routeAnswers(
  port: LookupPort,
  dst: Ip,
  { terms, matching }: { readonly terms: Terms | undefined; readonly matching: Terms | undefined },
  names: LinkNames,
  signal: AbortSignal,
): Promise<RouteAnswers> {
  const ask = async (question: Question): Promise<RouteLookup> => {
    const [lookup] = await port.ask([question], signal);
    return lookup === undefined
      ? { kind: 'not asked', why: 'the kernel has not answered' }
      : told(lookup, names);
  };
  const forwarded: RouteLookup =
    terms === undefined
      ? { kind: 'not asked', why: 'there is no address of a client to ask with: --from names one' }
      : await ask({ ...terms, dst });
  const matched = matching === undefined ? forwarded : await ask({ ...matching, dst });
  if (matched.kind !== 'refused' && matched.kind !== 'not asked') return { matched, forwarded };
  const sent = await ask({ dst });
  // A rule may take what comes in elsewhere than what this host sends.
  return { matched: sent, forwarded };
}

function told(lookup: Lookup, names: LinkNames): RouteLookup {
  switch (lookup.kind) {
    case 'route':
      return { kind: 'route', route: foundRoute(lookup.route, names) };
    case 'unnamed':
      return lookup;
    case 'refused':
      return { kind: 'refused', why: refusalWords(lookup.code) };
    default:
      return lookup satisfies never;
  }
}

function foundRoute({ type, table, protocol, metric, nhid, dst, hops }: Route, names: LinkNames): FoundRoute {
  return {
    type,
    table,
    protocol,
    metric,
    nhid,
    dst: dst.endsWith('/0') ? 'default' : (onlyIp(dst) ?? dst),
    hops: hops.map(({ via, link }) => ({ via, dev: link === undefined ? undefined : names(link) })),
  };
}
