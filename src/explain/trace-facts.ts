import type { Elsewhere } from '../daemon/namespace.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';
import type { Link, NatEip } from '../model/object.ts';
import type { Need } from '../status/need.ts';
import type { PathView } from '../status/path-view.ts';
import type { State } from '../status/state.ts';
import type { ForwardVerdict } from './forward-hooks.ts';
import type { RouteLookup } from './route-inquiry.ts';

/** All that the steps of a trace follow from. */
export interface TraceFacts {
  /** ms since the epoch */
  readonly now: number;
  /** As it was asked for. */
  readonly asked: string;
  readonly port: number | undefined;
  readonly gateway: Gateway;
  readonly source: KnownFrom;
  /** undefined: no such Service. */
  readonly view: PathView | undefined;
  /** What the status says of this EIP. */
  readonly needs: readonly Need[];
  /** ISO 8601, by address of a node. */
  readonly silentSince: Readonly<Record<Ip, string>>;
  /** Set: the kernel that this process reads is not the daemon's, and was not asked. */
  readonly elsewhere: Elsewhere | undefined;
  /** undefined: there is no EIP to look up. */
  readonly kernel: KernelFacts | undefined;
  /** undefined: not asked for. */
  readonly probe: ProbeFacts | NotAsked | undefined;
}

/** Where the state of the cluster is known from. */
export type KnownFrom =
  | { readonly kind: 'daemon'; readonly state: State; readonly summary: string }
  /** The daemon does not answer; its last known state was saved at this time, in ms since the epoch. */
  | { readonly kind: 'saved'; readonly why: string; readonly at: number }
  | { readonly kind: 'nothing'; readonly why: string };

/** What the kernel says of one EIP. */
export interface KernelFacts {
  readonly links: readonly Link[];
  /** The group, or the nexthop, of our route; undefined: there is no route of ours. */
  readonly nhid: number | undefined;
  /** Where the group of our route leads; undefined: there is no route of ours. */
  readonly vias: readonly Ip[] | undefined;
  /** There is a proxy neighbour for it that is not silenced; undefined: its pool is not announced by layer 2. */
  readonly isAnswered: boolean | undefined;
  /** The route of another program in its place, and the command that deletes it. */
  readonly holder: { readonly route: string; readonly command: string } | undefined;
  /** Which route matches. */
  readonly matched: RouteLookup;
  /** The address of the client that {@link forwarded} is about; undefined: none could be chosen. */
  readonly client: Ip | undefined;
  /** Where a packet of the client goes. */
  readonly forwarded: RouteLookup;
  /** By path below /proc/sys; what does not exist is left out. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** Of the packet as it is forwarded: with mode nat it has the address of a node. */
  readonly firewall: ForwardVerdict | NotAsked;
  /** Absent: the EIP is not in the table of NAT. */
  readonly nat?: NatFacts;
  /** Of the carriers; those that the kernel knows nothing of are left out. */
  readonly neighbours: ReadonlyMap<Ip, NeighbourState>;
}

/** What the table of NAT has of an EIP. */
export interface NatFacts {
  readonly eip: NatEip;
  /** The nodes of a group, one per bucket. */
  nodes(group: number): readonly Ip[];
}

export interface NotAsked {
  readonly kind: 'not asked';
  readonly why: string;
}

/** The outcome of connections to the EIP. */
export interface ProbeFacts {
  readonly kind: 'probed';
  readonly port: number;
  /** From this gateway's address on the LAN: the nodes answer directly. */
  readonly fromLan: Attempt;
  /** From its address on the uplink: the reply takes the way of replies to clients; undefined: it has none. */
  readonly fromUplink: Attempt | undefined;
  /** To the nodePort of each carrier. */
  readonly nodes: readonly { readonly node: string; readonly to: string; readonly attempt: Attempt }[];
}

export type Attempt =
  | { readonly kind: 'connected'; readonly ms: number }
  /** `ECONNREFUSED` */
  | { readonly kind: 'failed'; readonly code: string };
