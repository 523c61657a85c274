import type { Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';

/** The port to the kernel's own question whether a host is there: by ARP for IPv4, by NDP for IPv6. */
export interface NeighbourPort extends AsyncDisposable {
  /**
   * Makes the kernel ask those that it has not heard for `neighbour.reachable`. What they answer, or do not, changes
   * their states.
   *
   * @param link ifindex
   * @param ips the same array for the same addresses: what is sent is made once
   * @throws KernelError
   */
  solicit(link: number, ips: readonly Ip[]): Promise<void>;

  /**
   * Makes STALE of entries that are REACHABLE, so that the kernel asks with the next packet or question. An entry keeps
   * the timer that it was given when its host answered last: up to 45 s with the kernel's defaults, whatever
   * `base_reachable_time_ms` has become since.
   *
   * @param link ifindex
   * @param ips of entries that are REACHABLE: one that somebody has fixed would be one no longer
   * @throws KernelError
   */
  expire(link: number, ips: readonly Ip[]): Promise<void>;

  /**
   * @param link ifindex
   * @returns one state per address; undefined: the kernel knows nothing of it
   * @throws KernelError
   */
  states(
    link: number,
    ips: readonly Ip[],
    signal: AbortSignal,
  ): Promise<readonly (NeighbourState | undefined)[]>;

  /**
   * Addresses that have just failed to answer, or whose link-layer address somebody has just fixed, on any interface.
   * They may have answered since: {@link states} tells.
   * 'unknown': notifications were lost. Ends with the signal.
   */
  failures(signal: AbortSignal): AsyncIterable<readonly Ip[] | 'unknown'>;
}
