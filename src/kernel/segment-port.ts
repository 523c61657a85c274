import type { Ip } from '../model/ip.ts';

/** What a host of the segment says of an address. */
export interface Heard {
  /** 'claim': it has the address; 'probe': it asks whether somebody has it, before it takes it. */
  readonly kind: 'claim' | 'probe';
  readonly ip: Ip;
  /** `02:00:5e:00:53:01`, never our own */
  readonly mac: string;
}

/** ARP and NDP, packet by packet, on the interface where a gateway answers for EIPs. */
export interface SegmentPort extends AsyncDisposable {
  /**
   * The interface to speak and listen on from now on.
   *
   * @param link ifindex
   * @returns its link-layer address
   * @throws KernelError EPERM without CAP_NET_RAW; ENODEV
   */
  bind(link: number): string;

  /**
   * Asks whether somebody has the addresses, without a claim of our own: ARP with sender 0.0.0.0 (RFC 5227), and a
   * neighbour solicitation from :: (RFC 4862).
   *
   * @throws KernelError when the interface is not bound, or down
   */
  probe(ips: readonly Ip[]): Promise<void>;

  /**
   * Tells all hosts that the addresses are here: gratuitous ARP, and unsolicited neighbour advertisements that override.
   *
   * @throws KernelError as {@link probe}
   */
  announce(ips: readonly Ip[]): Promise<void>;

  /** What others say, from the first call of {@link bind} on. Ends with the signal. */
  heard(signal: AbortSignal): AsyncIterable<readonly Heard[]>;
}
