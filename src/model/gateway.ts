import type { Allocation } from './allocation.ts';
import type { Family, Ip, Prefix } from './ip.ts';
import type { Resilience } from './object.ts';
import type { PoolTerms } from './pool.ts';

/**
 * How packets for an EIP get to a node: as they are, or with the node's address and the NodePort of the Service in the
 * place of the EIP and its port.
 */
export type Mode = 'routed' | 'nat';

export interface Pool {
  readonly name: string;
  /** Networks; ranges are broken up into networks. Sorted, disjoint. */
  readonly addresses: readonly Prefix[];
  /** undefined: every Service may use it, without a request. */
  readonly terms?: PoolTerms;
  /** Lengths of the networks that are announced in the place of single EIPs, by family. */
  readonly aggregate?: Readonly<Partial<Record<Family, number>>>;
  /** BGP communities, as `65001:100`; for the include of a routing daemon alone. */
  readonly communities?: readonly string[];
  /** Absent: that of the gateway. */
  readonly mode?: Mode;
  /** undefined: as the gateway does, by BGP or not at all. */
  readonly announce?: AnnounceWay;
}

/** How NAT changes packets, in the pools that have it. */
export interface Nat {
  /**
   * What a node sees of a client: its address; an address of this gateway on the LAN; or one of these, at most one per
   * family. Clients on the LAN, and this host itself, are always masqueraded: their replies would not come back through
   * this gateway.
   */
  readonly source: 'preserve' | 'masquerade' | readonly Ip[];
  /** Further networks whose clients are masqueraded, beside those that come in by the LAN. */
  readonly inside: readonly Prefix[];
  /** What decides the node of a flow, where the Service does not ask for ClientIP. */
  readonly affinity: 'address' | 'connection';
  /** Seed of the hash, the same on all gateways. */
  readonly seed: number;
}

/**
 * How the world learns where the EIPs of a pool are: routing daemons are told ('bgp'); the gateway answers ARP and NDP
 * for them ('layer2').
 */
export type AnnounceWay = 'bgp' | 'layer2' | 'none';

/** How this gateway announces, and when. */
export interface Announce {
  /**
   * The routing table with an entry for each EIP that routing daemons may announce: 1..252, looked up by no rule;
   * undefined: they are told nothing.
   */
  readonly table: number | undefined;
  /** The interface on which ARP and NDP are answered for EIPs; undefined: no pool is announced by layer 2. */
  readonly segment?: string;
  /**
   * The addresses that make this gateway the active one, at most one per family. A family is announced while this host
   * has the address of the family, or the only address where there is one; empty: always.
   */
  readonly active: readonly Ip[];
}

/** The seed is a constant: two gateways whose configurations name none must agree on it. */
export const defaultNat: Nat = { source: 'preserve', inside: [], affinity: 'address', seed: 1 };

/** The part of a gateway's configuration that decides what is in the kernel. */
export interface Gateway {
  /** Interface toward the nodes. */
  readonly lan: string;
  /** Interface toward the world. */
  readonly uplink: string;
  /** Routers of the default routes on the uplink, at most one per family; empty: other programs set them. */
  readonly defaultRoutes: readonly Ip[];
  readonly pools: readonly Pool[];
  /** The mode of the pools that name none, and of EIPs that are in no pool any more. Absent: routed. */
  readonly mode?: Mode;
  /** Absent: {@link defaultNat}. */
  readonly nat?: Nat;
  /** undefined: another program assigns addresses to Services. */
  readonly allocation?: Allocation;
  readonly protocol: number;
  readonly table: number;
  /** undefined: nothing is announced. */
  readonly announce?: Announce;
  /** Under Local, weigh each node by its number of ready endpoints. */
  readonly weighByEndpoints: boolean;
  /** undefined: plain groups. */
  readonly resilience: Resilience | undefined;
  /** Fields that the multipath hash uses: 'addresses' (policy 0) or 'ports' (policy 1). */
  readonly hash: 'addresses' | 'ports';
  /**
   * The largest TCP segment that a client is sent, in bytes, with hash 'ports'; undefined: what the client asks for.
   */
  readonly segmentSize: number | undefined;
  /** `net.ipv4.fib_multipath_hash_seed`, the same on all gateways; undefined: the kernel's own, another on each host. */
  readonly hashSeed?: number;
  /** `net.ipv4.nexthop_compat_mode`; true where a routing daemon without nexthop objects (BIRD 2) reads our routes. */
  readonly nexthopCompat: boolean;
  /** How fast the kernel notices a dead node. */
  readonly neighbour: NeighbourTimers;
}

/** Sysctls of net/ipv{4,6}/neigh/LAN. */
export interface NeighbourTimers {
  /** base_reachable_time_ms */
  readonly reachableMs: number;
  /** delay_first_probe_time, in whole seconds: the kernel's own unit */
  readonly delaySeconds: number;
  /** retrans_time_ms */
  readonly retransMs: number;
}
