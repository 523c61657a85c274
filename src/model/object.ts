import { type Family, family, hostPrefix, type Ip, type Prefix } from './ip.ts';

/**
 * An object that eiproute keeps in the kernel. Every field is always present (undefined, not missing), so that objects
 * of one kind share a hidden class: a gateway holds a hundred thousand of them.
 */
export type KernelObject =
  | Sysctl
  | Nexthop
  | NexthopGroup
  | ProxyNeighbour
  | Route
  | Rule
  | NftTable
  | NatGroup
  | NatEip;

/** A nexthop object toward one node; the family is that of its address. */
export interface Nexthop {
  readonly kind: 'nexthop';
  readonly id: number;
  readonly protocol: number;
  readonly via: Ip;
  /** ifindex */
  readonly link: number;
}

export interface Member {
  /** id of a {@link Nexthop} */
  readonly id: number;
  /** 1..256 */
  readonly weight: number;
}

/** How a resilient group fills its hash table; times in seconds. */
export interface Resilience {
  readonly buckets: number;
  readonly idleTimer: number;
  readonly unbalancedTimer: number;
}

export interface NexthopGroup {
  readonly kind: 'group';
  readonly id: number;
  readonly protocol: number;
  /** Not empty. The kernel selects a member by its position, so the order matters. */
  readonly members: readonly Member[];
  /** undefined: a plain group (hash threshold). */
  readonly resilience: Resilience | undefined;
}

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw';

/** A hop in the route itself, without a nexthop object. */
export interface Hop {
  readonly via: Ip | undefined;
  /** ifindex */
  readonly link: number | undefined;
  /** 1..256 */
  readonly weight: number;
}

/** The hops of a route that has none: one array for a hundred thousand routes. */
export const noHops: readonly Hop[] = [];

export interface Route {
  readonly kind: 'route';
  readonly table: number;
  readonly dst: Prefix;
  /** The lowest wins. Linux stores 1024 for IPv6 when 0 is requested. */
  readonly metric: number;
  readonly protocol: number;
  readonly type: RouteType;
  /** id of a nexthop or a group; then `hops` is empty. */
  readonly nhid: number | undefined;
  /** Empty with `nhid`, and for types without a hop (unreachable, blackhole, ...). */
  readonly hops: readonly Hop[];
  /** Preferred source address. */
  readonly src: Ip | undefined;
}

/** A policy rule that looks up a table. */
export interface Rule {
  readonly kind: 'rule';
  readonly family: Family;
  readonly priority: number;
  readonly protocol: number;
  readonly table: number;
  readonly from: Prefix | undefined;
  readonly to: Prefix | undefined;
  /** With its mask; undefined: any mark. */
  readonly mark: { readonly value: number; readonly mask: number } | undefined;
  readonly iif: string | undefined;
}

/** A neighbour proxy: the kernel answers ARP or NDP for `ip` on `link`. */
export interface ProxyNeighbour {
  readonly kind: 'neighbour';
  readonly ip: Ip;
  /** ifindex */
  readonly link: number;
  readonly protocol: number;
}

/** A kernel setting below /proc/sys. */
export interface Sysctl {
  readonly kind: 'sysctl';
  /** The path below /proc/sys, since an interface name may hold dots: `net/ipv4/conf/eth0.100/rp_filter`. */
  readonly name: string;
  /** White space folded to single blanks. */
  readonly value: string;
}

/** The families of nftables that we write to. Only `ip` and `ip6` have the statement `dup`. */
export type NftFamily = 'arp' | 'inet' | 'ip' | 'ip6';

/** What nftables knows a table by. */
export interface NftName {
  readonly family: NftFamily;
  readonly name: string;
}

/** An nftables table of ours; made by {@link nftTable} in nft.ts. */
export interface NftTable extends NftName {
  readonly kind: 'nft';
  readonly protocol: number;
  /** Sets, chains and rules: as written, or in a dump as nft lists them. */
  readonly content: string;
  /** Of the content as written; differs once another program has changed the table. */
  readonly digest: string;
}

/** The nodes of a nexthop group, as a map in the NAT table and the chains that look it up; see nat.ts. */
export interface NatGroup {
  readonly kind: 'nat-group';
  /** The id of the {@link NexthopGroup}. */
  readonly id: number;
  readonly protocol: number;
  readonly family: Family;
  /** The node of each bucket. The hash of a flow selects its bucket. */
  readonly buckets: readonly Ip[];
  /** Seed of the hash, the same on all gateways. */
  readonly seed: number;
  /** False: another program has changed its chains. */
  readonly intact: boolean;
}

/** An EIP in the NAT table. Packets to the EIP and to none of its ports are rejected. */
export interface NatEip {
  readonly kind: 'nat-eip';
  readonly eip: Ip;
  readonly protocol: number;
  /** Sorted by protocol, then by port. */
  readonly ports: readonly NatPort[];
  /** False: another program has taken it out of the set of EIPs. */
  readonly intact: boolean;
}

export interface NatPort {
  readonly protocol: 'sctp' | 'tcp' | 'udp';
  readonly port: number;
  /** 0: another program has removed it. */
  readonly nodePort: number;
  /** id of a {@link NatGroup}; 0: as with nodePort. */
  readonly group: number;
  /** What decides the node: the client's address, or its address and port. */
  readonly affinity: 'address' | 'connection';
  /** Networks whose clients may connect: sorted, none inside another; empty: no client; undefined: any client. */
  readonly ranges: readonly Prefix[] | undefined;
}

/** The kinds of objects that are in nftables. */
export type NftObject = NftTable | NatGroup | NatEip;

/** A network interface: the fields that routing depends on. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Administratively up. */
  readonly up: boolean;
  /** IFF_LOWER_UP: there is a carrier. Without it Linux refuses nexthops (ENETDOWN). */
  readonly carrier: boolean;
  /** `02:00:5e:00:53:01`; absent: it has no Ethernet address. */
  readonly mac?: string;
  /** Its addresses with their prefix lengths. */
  readonly addresses: readonly LinkAddress[];
}

/** A virtual link-layer address of VRRP (RFC 9568), for IPv4 or IPv6: two gateways have it, and one of them uses it. */
export function isVirtualMac(mac: string): boolean {
  return /^00:00:5e:00:0[12]:/.test(mac);
}

export interface LinkAddress {
  readonly ip: Ip;
  readonly length: number;
  /** Duplicate address detection is under way, and the kernel sends nothing from it; IPv6 only. */
  readonly tentative?: true;
}

export type Change =
  | { readonly verb: 'add'; readonly want: KernelObject }
  | { readonly verb: 'replace'; readonly want: KernelObject; readonly have: KernelObject }
  | { readonly verb: 'delete'; readonly have: KernelObject };

/** How many objects there are of each kind. */
export type Counts = Readonly<Record<KernelObject['kind'], number>>;

export const noCounts: Counts = {
  sysctl: 0,
  nexthop: 0,
  group: 0,
  neighbour: 0,
  nft: 0,
  'nat-group': 0,
  'nat-eip': 0,
  route: 0,
  rule: 0,
};

/** The identity of an object in the kernel: it refuses a second object with the same key. */
export type Key = string;

export function keyOf(object: KernelObject): Key {
  switch (object.kind) {
    case 'nexthop':
    case 'group':
      return `nexthop ${object.id}`;
    case 'route':
      return routeKeyOf(object.table, object.dst, object.metric);
    case 'rule':
      // Linux cannot replace rules: the whole selector is the identity.
      return `rule ${object.family} ${object.priority} ${object.protocol} ${object.table} ${object.from} ${object.to} ${object.mark?.value}/${object.mark?.mask} ${object.iif}`;
    case 'neighbour':
      return `neighbour ${object.link} ${object.ip}`;
    case 'sysctl':
      return `sysctl ${object.name}`;
    case 'nft':
      return nftKey(object);
    case 'nat-group':
      return natGroupKey(object.id);
    case 'nat-eip':
      return natEipKey(object.eip);
    default:
      return object satisfies never;
  }
}

/** A hundred thousand of these are kept: join makes one flat string, a template literal a tree of its parts. */
export function routeKeyOf(table: number, dst: Prefix, metric: number): Key {
  return ['route', table, dst, metric].join(' ');
}

export function nftKey({ family, name }: NftName): Key {
  return `nft ${family} ${name}`;
}

export function natGroupKey(id: number): Key {
  return `nat-group ${id}`;
}

export function natEipKey(eip: Ip): Key {
  return `nat-eip ${eip}`;
}

export function changeObject(change: Change): KernelObject {
  return change.verb === 'delete' ? change.have : change.want;
}

/** By protocol, then by port. */
export function compareNatPorts(a: NatPort, b: NatPort): number {
  return a.protocol === b.protocol ? a.port - b.port : a.protocol < b.protocol ? -1 : 1;
}

/**
 * Whether an object of ours announces an EIP, or an aggregate: a blackhole route, which routing daemons announce, or a
 * proxy neighbour, which answers for it. No other route of ours is a blackhole. Of the other types without a hop, BIRD
 * reads `unreachable`, which the routes of the pools have, and `prohibit`.
 */
export function isAnnouncement(object: KernelObject): boolean {
  return announcedBy(object) !== undefined;
}

/** What an object announces; undefined: nothing. */
export function announcedBy(object: KernelObject): Prefix | undefined {
  if (object.kind === 'neighbour') return hostPrefix(object.ip);
  return object.kind === 'route' && object.type === 'blackhole' ? object.dst : undefined;
}

/** undefined for objects of no family or of both: sysctls, groups, nft tables. */
export function familyOf(object: KernelObject): Family | undefined {
  switch (object.kind) {
    case 'nexthop':
      return family(object.via);
    case 'neighbour':
      return family(object.ip);
    case 'route':
      return family(object.dst);
    case 'rule':
    case 'nat-group':
      return object.family;
    case 'nat-eip':
      return family(object.eip);
    case 'group':
    case 'sysctl':
    case 'nft':
      return undefined;
    default:
      return object satisfies never;
  }
}
