import type { Ip } from './ip.ts';
import type { KernelObject, Key, Link } from './object.ts';

/** What a look at the kernel showed. */
export interface Listing {
  /**
   * Ours: by protocol and, for nexthops, id range; and the sysctls of the scope with their present values. A
   * sysctl that does not exist (no such interface) is not in it.
   */
  readonly objects: ReadonlyMap<Key, KernelObject>;
  /** Ids of nexthops and groups that are not ours; never to be used. */
  readonly foreignIds: ReadonlySet<number>;
  readonly links: readonly Link[];
  /** Those of the scope's neighbours whose link-layer address is known now. */
  readonly neighbours: readonly Neighbour[];
  /** Former values of the sysctls we have changed, by path: the ledger. */
  readonly formerSysctls: ReadonlyMap<string, string>;
}

/** A host on one of our links, as the kernel's neighbour table knows it. */
export interface Neighbour {
  readonly ip: Ip;
  /** ifindex */
  readonly link: number;
  /** `02:00:5e:00:53:01` */
  readonly mac: string;
}

/** A host whose link-layer address a role depends on. */
export interface NeighbourQuery {
  readonly ip: Ip;
  /** undefined: the interface with a network that holds the address */
  readonly interface: string | undefined;
}
