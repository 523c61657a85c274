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
  /** Former values of the sysctls we have changed, by path: the ledger. */
  readonly formerSysctls: ReadonlyMap<string, string>;
}
