import type { Refusals, Why } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, family, hostPrefix, type Ip, type Prefix } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import {
  type KernelObject,
  type Key,
  type Link,
  type Member,
  noHops,
  type Route,
  routeKeyOf,
} from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { Standing } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { answering } from './answering.ts';
import type { Carrier } from './carriers.ts';
import { byPlace } from './covering.ts';
import { type Demand, groups, signature } from './groups.ts';
import { type Nexthops, nexthops } from './nexthops.ts';
import type { Path } from './path.ts';
import type { Add } from './plain-routes.ts';
import { type Reserved, type ReservedBy, reservedFor } from './reserved.ts';

/** A set of members and the paths that use it. */
interface Bundle extends Demand {
  readonly paths: readonly Path[];
}

/** The inputs of the EIP routes besides the paths. */
export interface EipRouteInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  /** undefined while the interface is missing or down: the existing objects are kept. */
  readonly lan: Link | undefined;
  readonly reserved: Reserved;
  readonly have: Listing;
  readonly refused: Refusals;
  readonly standings: ReadonlyMap<Ip, Standing>;
}

/**
 * One route per EIP over one group per distinct set of nodes over one nexthop per node: the full recompute, and the
 * specification of {@link RouteTable}.
 */
export function eipRoutes(all: readonly Path[], inputs: EipRouteInputs, add: Add): readonly Problem[] {
  const { gateway, owner, lan, reserved, have, refused, standings } = inputs;
  if (lan === undefined) {
    for (const object of have.objects.values()) {
      if (isEipObject(object)) add(object, keptFor(gateway.lan));
    }
    return [];
  }
  const problems: Problem[] = [];
  const routed: Path[] = [];
  for (const path of all) {
    const isRouted = presentRoute(path, gateway.table, owner, have) !== undefined;
    const by = reservedFor(path.eip, reserved, isRouted);
    if (by === undefined) routed.push(path);
    else problems.push(eipReserved(path, by));
    const claimed = reserved.get(path.eip);
    if (by === undefined && claimed !== undefined) problems.push(eipClaimed(path, claimed));
  }
  const carriers = routed.map((path) => path.carriers);
  const hops = nexthops(carriers, { lan, owner, have, refused, gateway });
  problems.push(...hops.problems);

  const { bundles, lost } = bundle(routed, gateway, hops, standings);
  for (const { nexthop, node } of hops.byIp.values()) add(nexthop, nexthopWhy(node));
  const kept = lost.flatMap((path) => presentRoute(path, gateway.table, owner, have)?.nhid ?? []);
  const chosen = groups(bundles, gateway.resilience, owner, have, refused, new Set(kept));
  for (const [i, { paths }] of bundles.entries()) {
    const group = chosen[i];
    if (group === undefined) continue;
    add(group, groupWhy(paths.length, paths[0]?.eip));
    for (const path of paths) add(eipRoute(path.eip, group.id, gateway.table, owner), routeWhy(path));
  }
  for (const path of lost) keep(path, gateway.table, owner, have, add);
  return problems;
}

/** Whether an object belongs to the EIP routes. */
export function isEipObject(object: KernelObject): boolean {
  return object.kind === 'route'
    ? object.nhid !== undefined
    : object.kind === 'nexthop' || object.kind === 'group';
}

/** Sets of nodes with the same group; `lost` are the paths whose nodes the kernel all refuses. */
function bundle(
  all: readonly Path[],
  { table, resilience }: Gateway,
  hops: Nexthops,
  standings: ReadonlyMap<Ip, Standing>,
): { readonly bundles: readonly Bundle[]; readonly lost: readonly Path[] } {
  const byContent = new Map<string, { members: readonly Member[]; paths: Path[]; users: Key[] }>();
  const lost: Path[] = [];
  const kind = resilience === undefined ? 'plain' : 'resilient';
  for (const path of all) {
    const accepted = path.carriers.filter(({ ip }) => hops.byIp.has(ip));
    const members = membersOf(answering(accepted, standings, kind), (ip) => hops.byIp.get(ip)?.nexthop.id);
    if (members.length === 0) {
      lost.push(path);
      continue;
    }
    const content = signature(members);
    const found = byContent.get(content) ?? { members, paths: [], users: [] };
    byContent.set(content, found);
    found.paths.push(path);
    found.users.push(routeKey(path.eip, table));
  }
  return { bundles: [...byContent.values()], lost };
}

/**
 * The members of the group of some carriers, in the order of their places: the kernel selects a member by its
 * position, so two gateways send a flow to the same node although their ids differ.
 *
 * @param idOf the nexthop of an address; undefined: the node is left out
 */
function membersOf(carriers: readonly Carrier[], idOf: (ip: Ip) => number | undefined): readonly Member[] {
  const members: Member[] = [];
  for (const { ip, weight } of [...carriers].sort(byPlace)) {
    const id = idOf(ip);
    if (id !== undefined) members.push({ id, weight });
  }
  return members;
}

/** Keeps the existing route of an EIP with its group and nexthops. */
function keep(path: Path, table: number, owner: Owner, have: Listing, add: Add): void {
  const route = presentRoute(path, table, owner, have);
  if (route === undefined) return;
  add(route, { ...routeWhy(path), text: keptWhy.text });
  const group = have.objects.get(`nexthop ${route.nhid}`);
  if (group === undefined) return;
  add(group, keptWhy);
  for (const { id } of group.kind === 'group' ? group.members : []) {
    const nexthop = have.objects.get(`nexthop ${id}`);
    if (nexthop) add(nexthop, keptWhy);
  }
}

/** The present route of the EIP of a path. */
export function presentRoute(
  { eip }: Pick<Path, 'eip'>,
  table: number,
  owner: Owner,
  have: Pick<Listing, 'objects'>,
): Route | undefined {
  return routeAt(routeKey(eip, table), owner, have);
}

/**
 * The present route of an EIP.
 *
 * @param key of the route
 */
export function routeAt(key: Key, owner: Owner, have: Pick<Listing, 'objects'>): Route | undefined {
  const route = have.objects.get(key);
  const ours = route?.kind === 'route' && route.nhid !== undefined && route.protocol === owner.protocol;
  return ours ? route : undefined;
}

/** @param dst {@link hostPrefix} of the EIP, where the caller has it already */
export function eipRoute(
  eip: Ip,
  nhid: number,
  table: number,
  { protocol }: Owner,
  dst: Prefix = hostPrefix(eip),
): Route {
  return {
    kind: 'route',
    table,
    dst,
    metric: eipMetric(family(eip)),
    protocol,
    type: 'unicast',
    nhid,
    hops: noHops,
    src: undefined,
  };
}

/** The default metric of `ip route add`: Linux has no metric 0 for IPv6. */
function eipMetric(of: Family): number {
  return of === 4 ? 0 : 1024;
}

/** @param dst as of {@link eipRoute} */
export function routeKey(eip: Ip, table: number, dst: Prefix = hostPrefix(eip)): string {
  return routeKeyOf(table, dst, eipMetric(family(eip)));
}

export function routeWhy({ eip, services }: Pick<Path, 'eip' | 'services'>): Why {
  return { text: `Service ${services.join(', ')}`, eip, services };
}

export function nexthopWhy(node: string): Why {
  return { text: `node ${node}`, node };
}

/** @param first one of the EIPs */
export function groupWhy(count: number, first: Ip | undefined): Why {
  return { text: count === 1 ? `EIP ${first}` : `${count} EIPs` };
}

export function keptFor(lan: string): Why {
  return { text: `kept while interface ${lan} is not there` };
}

export const keptWhy: Why = { text: 'kept: the kernel refuses the nodes that it should move to' };

export function eipReserved({ eip, services }: Path, { name }: ReservedBy): Problem {
  return {
    code: 'eip-reserved',
    severity: 'error',
    subject: eip,
    message: `${eip}, asked for by Service ${services.join(', ')}, is the address of ${name}; it gets no route`,
    advice: 'take the address out of the pool and give the Service another one',
    eip,
  };
}

/** The EIP is in use; the other claim on its address is newer, or a mistake. */
export function eipClaimed({ eip, services }: Path, { name }: ReservedBy): Problem {
  return {
    code: 'eip-claimed',
    severity: 'error',
    subject: eip,
    message: `${name} claims ${eip}, which Service ${services.join(', ')} has; the EIP stays routed to the Service`,
    advice: `take ${eip} from ${name}, or take it out of the pool and give the Service another one`,
    eip,
  };
}
