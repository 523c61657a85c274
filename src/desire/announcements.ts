import type { KernelState } from '../model/desired.ts';
import type { Why } from '../model/desired-object.ts';
import type { Announce, Gateway, Pool } from '../model/gateway.ts';
import { type Family, family, hostPrefix, type Ip, networkOf, onlyIp, type Prefix } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import {
  type KernelObject,
  type Key,
  keyOf,
  type Link,
  type NftTable,
  noHops,
  type ProxyNeighbour,
  type Route,
} from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import type { Uniqueness } from '../model/uniqueness.ts';
import { routeKey } from './eip-routes.ts';
import { alive } from './links.ts';
import type { Add } from './plain-routes.ts';
import { poolFinder } from './pools.ts';
import { type ProxyState, proxyStateOf, standbyFilter } from './standby-filter.ts';

/**
 * Whether the EIPs of a family are announced, and if not, why: an operator drains this gateway; it does not have the
 * address that makes it active; its LAN is gone.
 */
export type AnnounceState = 'announced' | 'draining' | 'standby' | 'no LAN';

export type AnnounceStates = Readonly<Record<Family, AnnounceState>>;

/** The inputs of {@link announceStates}. */
export interface AnnounceStateInputs {
  readonly gateway: Pick<Gateway, 'lan'>;
  readonly announce: Announce;
  readonly links: readonly Link[];
  readonly isDraining: boolean;
}

export function announceStates({
  gateway,
  announce,
  links,
  isDraining,
}: AnnounceStateInputs): AnnounceStates {
  const of = (version: Family): AnnounceState => {
    if (isDraining) return 'draining';
    const address = announce.active.find((ip) => family(ip) === version) ?? announce.active[0];
    const isOwn = links.some(({ addresses }) => addresses.some(({ ip }) => ip === address));
    if (address !== undefined && !isOwn) return 'standby';
    return alive(links, gateway.lan) === undefined ? 'no LAN' : 'announced';
  };
  return { 4: of(4), 6: of(6) };
}

/**
 * Whether an EIP may be announced: its route is in the kernel and is to stay, since it is desired, or its delete is
 * held.
 *
 * @param key {@link routeKey} of the EIP
 */
export function mayAnnounce(
  key: Key,
  isDesired: boolean,
  { objects, stuck }: Pick<KernelState, 'objects' | 'stuck'>,
): boolean {
  const route = objects.get(key);
  return route?.kind === 'route' && route.nhid !== undefined && (isDesired || stuck.has(key));
}

/** The inputs of {@link presence}. */
export interface PresenceInputs {
  readonly kernel: Pick<KernelState, 'objects'>;
  readonly uniqueness: Pick<Uniqueness, 'isUnique' | 'isClaimed'>;
  /** See {@link Probed}. */
  readonly areNodesHeard: boolean;
  readonly state: AnnounceState;
  /** The state of the proxy neighbours of its family. */
  readonly proxies: ProxyState;
}

/**
 * Whether the entries of an EIP that has its route are to be in the kernel.
 *
 * An EIP begins to be announced only when the nodes were heard, since its flows come at once; and ARP and NDP are
 * answered for it only when no other host has it. An EIP that is announced already stays so: clients use it, a daemon
 * that restarts has not heard the nodes yet, and any host of the segment could take an EIP from its clients by one
 * packet.
 *
 * A gateway that does not announce has the proxy neighbours as well, behind the standby filter. There one that another
 * host claims is deleted: no client uses it.
 *
 * @param entries all that announce it
 * @returns 'withheld': not yet
 */
export function presence(
  eip: Ip,
  entries: readonly Announcement[],
  { kernel, uniqueness, areNodesHeard, state, proxies }: PresenceInputs,
): 'present' | 'withheld' | 'absent' {
  if (entries.length === 0) return 'absent';
  const isThere = entries.some(({ object }) => kernel.objects.has(keyOf(object)));
  if (entries.every(({ object }) => object.kind === 'route')) {
    if (state !== 'announced') return 'absent';
    return isThere || areNodesHeard ? 'present' : 'withheld';
  }
  if (proxies === 'refused') return 'absent';
  if (isThere) return proxies === 'answered' || !uniqueness.isClaimed(eip) ? 'present' : 'withheld';
  const mayBegin = proxies !== 'being filtered' && areNodesHeard && uniqueness.isUnique(eip);
  return mayBegin ? 'present' : 'withheld';
}

/** The filters that keep proxy neighbours from answering, of the families that this gateway does not announce. */
export function standbyFilters(
  gateway: Gateway,
  links: readonly Link[],
  states: AnnounceStates,
): Readonly<Record<Family, NftTable | undefined>> {
  const of = (version: Family): NftTable | undefined =>
    states[version] === 'announced' ? undefined : standbyFilter(gateway, links, version);
  return { 4: of(4), 6: of(6) };
}

/** The state of the proxy neighbours of each family. @param tables {@link standbyFilters} */
export function proxyStates(
  states: AnnounceStates,
  tables: Readonly<Record<Family, NftTable | undefined>>,
  { objects, refused }: Pick<KernelState, 'objects' | 'refused'>,
): Readonly<Record<Family, ProxyState>> {
  const of = (version: Family): ProxyState =>
    proxyStateOf({ isAnnounced: states[version] === 'announced', filter: tables[version], objects, refused });
  return { 4: of(4), 6: of(6) };
}

export const standbyWhy: Why = { text: 'another gateway answers for the EIPs' };

/** The interface on which ARP and NDP are answered; undefined while it is dead: Linux forgets its proxy neighbours then. */
export function segmentOf({ segment }: Announce, links: readonly Link[]): Link | undefined {
  return segment === undefined ? undefined : alive(links, segment);
}

/** The inputs of {@link announcements}. */
export interface AnnouncementInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  readonly kernel: Pick<KernelState, 'objects' | 'stuck' | 'links' | 'refused'>;
  readonly isDraining: boolean;
  readonly uniqueness: Pick<Uniqueness, 'isUnique' | 'isClaimed'>;
  readonly areNodesHeard: boolean;
  /** The route of an EIP is desired. */
  readonly isDesired: (key: Key) => boolean;
}

/**
 * What is announced now. By BGP: the announce table, with one `blackhole` route for each EIP, and for each aggregate with
 * such an EIP in it; routing daemons read it, and no rule looks it up. By layer 2: one proxy neighbour for each EIP, and
 * the filter that keeps them from answering. The full recompute, and the specification of {@link AnnounceTable}.
 */
export function announcements(inputs: AnnouncementInputs, add: Add): void {
  const { gateway, owner, kernel, isDraining, isDesired } = inputs;
  const { announce } = gateway;
  if (announce === undefined) return;
  const states = announceStates({ gateway, announce, links: kernel.links, isDraining });
  const { entriesOf } = announcer(gateway, announce, owner);
  const segment = segmentOf(announce, kernel.links);
  const tables = standbyFilters(gateway, kernel.links, states);
  const filtered = proxyStates(states, tables, kernel);
  for (const table of [tables[4], tables[6]]) if (table !== undefined) add(table, standbyWhy);
  for (const object of kernel.objects.values()) {
    const eip = object.kind === 'route' ? onlyIp(object.dst) : undefined;
    if (eip === undefined) continue;
    const key = routeKey(eip, gateway.table);
    if (!mayAnnounce(key, isDesired(key), kernel)) continue;
    const entries = entriesOf(eip, segment);
    const of = { ...inputs, state: states[family(eip)], proxies: filtered[family(eip)] };
    if (presence(eip, entries, of) === 'present')
      for (const { object: entry, why } of entries) add(entry, why);
  }
}

/** Rules that look the announce table up: they would lead packets to its blackholes. */
export function lookups(announce: Announce | undefined, have: Pick<Listing, 'lookedUp'>): readonly Problem[] {
  const table = announce?.table;
  if (table === undefined || !have.lookedUp.has(table)) return [];
  return [
    {
      code: 'announce-table-in-use',
      severity: 'error',
      subject: `table ${table}`,
      message: `a rule looks up table ${table}, which is the list of what is announced: the kernel drops the packets for EIPs that get there`,
      advice: `ip rule show; ip -6 rule show: delete the rule, or name another table in announce.table`,
    },
  ];
}

export interface Announcement {
  readonly object: KernelObject & (Route | ProxyNeighbour);
  readonly why: Why;
}

export interface Announcer {
  /** Its pool is announced by layer 2. */
  isAnswered(eip: Ip): boolean;
  /**
   * By BGP: its own route and that of its aggregate. By layer 2: its proxy neighbour. None for an EIP that is not
   * announced, or outside of the pools.
   *
   * @param segment see {@link segmentOf}
   */
  entriesOf(eip: Ip, segment: Link | undefined): readonly Announcement[];
}

export function announcer({ pools }: Gateway, { table }: Announce, owner: Owner): Announcer {
  const poolOf = poolFinder(pools);
  const metrics = new Map(pools.map((pool, i) => [pool, poolMetric(i)]));
  const routes = (eip: Ip, pool: Pool): readonly Announcement[] => {
    const metric = metrics.get(pool);
    if (table === undefined || metric === undefined) return [];
    const entry = (dst: Prefix, why: Why): Announcement => ({
      object: blackhole(dst, table, metric, owner),
      why,
    });
    const own = entry(hostPrefix(eip), { text: `announces ${eip}`, eip });
    const network = aggregateOf(eip, pool);
    return network === undefined ? [own] : [own, entry(network, { text: `aggregate of pool ${pool.name}` })];
  };
  return {
    isAnswered: (eip) => poolOf(eip)?.announce === 'layer2',
    entriesOf: (eip, segment) => {
      const pool = poolOf(eip);
      if (pool === undefined) return [];
      switch (pool.announce) {
        case undefined:
        case 'bgp':
          return routes(eip, pool);
        case 'layer2':
          return segment === undefined
            ? []
            : [{ object: proxy(eip, segment, owner), why: { text: `answers for ${eip}`, eip } }];
        case 'none':
          return [];
        default:
          return pool.announce satisfies never;
      }
    },
  };
}

function proxy(ip: Ip, { index }: Link, { protocol }: Owner): ProxyNeighbour {
  return { kind: 'neighbour', ip, link: index, protocol };
}

/** The metric of a pool's entries names it for the filters of a routing daemon: 100 for the first pool, 200, ... */
function poolMetric(index: number): number {
  return 100 * (index + 1);
}

/** The network that is announced in the place of an EIP; undefined: the EIP itself is. */
function aggregateOf(eip: Ip, { aggregate }: Pool): Prefix | undefined {
  const length = aggregate?.[family(eip)];
  return length === undefined ? undefined : networkOf(eip, length);
}

function blackhole(dst: Prefix, table: number, metric: number, { protocol }: Owner): Route {
  return {
    kind: 'route',
    table,
    dst,
    metric,
    protocol,
    type: 'blackhole',
    nhid: undefined,
    hops: noHops,
    src: undefined,
  };
}
