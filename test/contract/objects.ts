import { family, parseIp, parsePrefix } from '../../src/model/ip.ts';
import type {
  Hop,
  Nexthop,
  NexthopGroup,
  ProxyNeighbour,
  Resilience,
  Route,
  Rule,
  Sysctl,
} from '../../src/model/object.ts';
import { ownerOf } from '../../src/model/owner.ts';

export const owner = ownerOf(86);

/** The protocol of "another program". */
export const foreign = 99;

/** The n-th nexthop id of ours. */
export function nexthopId(n: number): number {
  return owner.nexthopIds[0] + n;
}

/** The n-th group id of ours. */
export function groupId(n: number): number {
  return owner.groupIds[0] + n;
}

export function nexthop(id: number, via: string, link: number, protocol = owner.protocol): Nexthop {
  return { kind: 'nexthop', id, protocol, via: parseIp(via), link };
}

/** @param members ids, or ids with a weight */
export function group(
  id: number,
  members: readonly (number | readonly [id: number, weight: number])[],
  resilience?: Resilience,
  protocol = owner.protocol,
): NexthopGroup {
  const weighed = members.map((member) =>
    typeof member === 'number' ? { id: member, weight: 1 } : { id: member[0], weight: member[1] },
  );
  return { kind: 'group', id, protocol, members: weighed, resilience };
}

/** The metric is what Linux would store: 1024 for IPv6 where none is given. */
export function route(dst: string, rest: Partial<Omit<Route, 'kind' | 'dst'>> = {}): Route {
  const prefix = parsePrefix(dst);
  return {
    kind: 'route',
    table: 254,
    dst: prefix,
    metric: family(prefix) === 6 ? 1024 : 0,
    protocol: owner.protocol,
    type: 'unicast',
    nhid: undefined,
    hops: [],
    src: undefined,
    ...rest,
  };
}

export function hop(via: string | undefined, link: number | undefined, weight = 1): Hop {
  return { via: via === undefined ? undefined : parseIp(via), link, weight };
}

export function rule(
  family: 4 | 6,
  priority: number,
  table: number,
  rest: Partial<Omit<Rule, 'kind' | 'family' | 'priority' | 'table'>> = {},
): Rule {
  return {
    kind: 'rule',
    family,
    priority,
    protocol: owner.protocol,
    table,
    from: undefined,
    to: undefined,
    mark: undefined,
    iif: undefined,
    ...rest,
  };
}

export function proxyNeighbour(ip: string, link: number, protocol = owner.protocol): ProxyNeighbour {
  return { kind: 'neighbour', ip: parseIp(ip), link, protocol };
}

export function sysctl(name: string, value: string): Sysctl {
  return { kind: 'sysctl', name, value };
}
