import { contains, family, type Ip, networkOf, parsePrefix } from '../model/ip.ts';
import type { Link } from '../model/object.ts';

/** An address of a node, on the LAN. */
export interface Target {
  readonly node: string;
  readonly ip: Ip;
}

/** Whom to ask, and where. */
export interface Targets {
  /** The interface; undefined while there is none that packets can leave by. */
  readonly lan: { readonly index: number; readonly name: string } | undefined;
  readonly nodes: readonly Target[];
  /** Nodes that cannot be asked yet are not among them. */
  readonly isPartial?: true;
}

const linkLocal = parsePrefix('fe80::/10');

/**
 * The nodes in the networks of the LAN: the kernel accepts no others as nexthops.
 *
 * Linux asks by NDP from its link-local address. While that is tentative, in the first seconds after the link came up, it
 * sends nothing, and calls every node FAILED that it was to ask: nobody is asked by IPv6 then.
 *
 * @param lan undefined: there is no such interface, or it is down
 */
export function targetsOn(lan: Link | undefined, nodes: readonly Target[]): Targets {
  if (lan === undefined) return { lan: undefined, nodes: [] };
  const { index, name, addresses } = lan;
  const networks = addresses.map(({ ip, length }) => networkOf(ip, length));
  const own = new Set(addresses.map(({ ip }) => ip));
  const near = nodes.filter(({ ip }) => !own.has(ip) && networks.some((network) => contains(network, ip)));
  const askable = isTentative(lan) ? near.filter(({ ip }) => family(ip) === 4) : near;
  return {
    lan: { index, name },
    nodes: askable,
    ...(askable.length < near.length ? { isPartial: true as const } : {}),
  };
}

function isTentative({ addresses }: Link): boolean {
  const from = addresses.filter(({ ip }) => contains(linkLocal, ip));
  return from.length > 0 && from.every(({ tentative }) => tentative === true);
}
