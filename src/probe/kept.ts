import type { Family, Ip } from '../model/ip.ts';

/** Who carried for a Service, or in a cluster, until lately: as it outlives this program. */
export interface KeptCarriers {
  readonly carrying: Readonly<Record<Family, readonly string[]>>;
  /** For how long those that left have been gone, in ms, by name. */
  readonly left: Readonly<Record<Family, ReadonlyMap<string, number>>>;
}

/** What a gateway must not forget when it restarts: the parts of its groups follow from it. */
export interface Kept {
  /** By `namespace/name` of a Service under Local. */
  readonly services: ReadonlyMap<string, KeptCarriers>;
  /** By name of a cluster; '': there is one, without a name. */
  readonly clusters: ReadonlyMap<string, KeptCarriers>;
  /** Nodes that were deleted, by name, and for how long they have been, in ms. */
  readonly deleted: ReadonlyMap<string, { readonly addresses: readonly Ip[]; readonly ms: number }>;
}
