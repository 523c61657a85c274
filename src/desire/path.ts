import type { Ip } from '../model/ip.ts';
import type { Carrier } from './carriers.ts';

/** One EIP, the nodes that take its traffic, and its Services. */
export interface Path {
  readonly eip: Ip;
  /** `namespace/name` of the Services that hold the EIP, sorted. */
  readonly services: readonly string[];
  /** Sorted by node name. */
  readonly carriers: readonly Carrier[];
}
