import type { Ip } from '../model/ip.ts';
import type { Carrier } from './carriers.ts';

/** One EIP and the nodes that take its traffic; and why, as far as the journal line. */
export interface Path {
  readonly eip: Ip;
  /** `namespace/name` of the Services that hold the EIP, sorted. */
  readonly services: readonly string[];
  /** A Service has the EIP in its status, and not only in its spec. */
  readonly byStatus: boolean;
  /** Sorted by node name. */
  readonly carriers: readonly Carrier[];
}
