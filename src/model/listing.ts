import type { Ip } from './ip.ts';
import type { KernelObject, Key, Link } from './object.ts';

/** The result of a dump of the kernel. */
export interface Listing {
  /**
   * Objects that are ours by protocol and, for nexthops, by id range; and the sysctls of the scope with their present
   * values. A sysctl that does not exist (no such interface) is left out.
   */
  readonly objects: ReadonlyMap<Key, KernelObject>;
  /** Ids of nexthops and groups of other programs. */
  readonly foreignIds: ReadonlySet<number>;
  /** Routing tables that policy rules of other programs look up. */
  readonly lookedUp: ReadonlySet<number>;
  readonly links: readonly Link[];
  /** The scope's neighbours that have a link-layer address now. */
  readonly neighbours: readonly Neighbour[];
  /** Former values of the sysctls we have changed, by path: the ledger. */
  readonly formerSysctls: ReadonlyMap<string, string>;
}

/** An entry of the kernel's neighbour table. */
export interface Neighbour {
  readonly ip: Ip;
  /** ifindex */
  readonly link: number;
  /** `02:00:5e:00:53:01` */
  readonly mac: string;
}

/** The kernel's words for the state of a neighbour. */
export type NeighbourState =
  | 'INCOMPLETE'
  | 'REACHABLE'
  | 'STALE'
  | 'DELAY'
  | 'PROBE'
  | 'FAILED'
  | 'PERMANENT';

/** A host whose link-layer address a role depends on. */
export interface NeighbourQuery {
  readonly ip: Ip;
  /** undefined: the interface with a network that holds the address */
  readonly interface: string | undefined;
}
