import type { Allocation } from './allocation.ts';
import type { Ip, Prefix } from './ip.ts';
import type { Resilience } from './object.ts';
import type { PoolTerms } from './pool.ts';

export interface Pool {
  readonly name: string;
  /** Networks; ranges are broken up into networks. Sorted, disjoint. */
  readonly addresses: readonly Prefix[];
  /** undefined: every Service may use it, without a request. */
  readonly terms?: PoolTerms;
}

/** The part of a gateway's configuration that decides what is in the kernel. */
export interface Gateway {
  /** Interface toward the nodes. */
  readonly lan: string;
  /** Interface toward the world. */
  readonly uplink: string;
  /** Routers of the default routes on the uplink, at most one per family; empty: other programs set them. */
  readonly defaultRoutes: readonly Ip[];
  readonly pools: readonly Pool[];
  /** undefined: another program assigns addresses to Services. */
  readonly allocation?: Allocation;
  readonly protocol: number;
  readonly table: number;
  /** Under Local, weigh each node by its number of ready endpoints. */
  readonly weighByEndpoints: boolean;
  /** undefined: plain groups. */
  readonly resilience: Resilience | undefined;
  /** Fields that the multipath hash uses: 'addresses' (policy 0) or 'ports' (policy 1). */
  readonly hash: 'addresses' | 'ports';
  /** bytes of a TCP segment that a client gets at most, with hash 'ports'; undefined: what it asks for */
  readonly segmentSize: number | undefined;
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
