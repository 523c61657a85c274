import type { Ip } from './ip.ts';
import type { NeighbourState } from './listing.ts';

/** A node's address in the neighbour table of the LAN. */
export interface Host {
  readonly state: NeighbourState;
  /** ms since the epoch since when it has not answered; undefined: it answers, or was never asked. */
  readonly silentSince: number | undefined;
}

/** By address; an address that the kernel does not know is not there. */
export type Hosts = ReadonlyMap<Ip, Host>;
