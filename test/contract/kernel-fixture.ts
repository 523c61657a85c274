import type { Kernel } from '../../src/kernel/kernel.ts';
import type { Ip } from '../../src/model/ip.ts';
import type { Change } from '../../src/model/object.ts';

/**
 * A router to try a {@link Kernel} on, and the hands that play everything else in its world. A fresh one has `lo`
 * and nothing of ours; disposing of it leaves nothing.
 *
 * Each promise is settled when the kernel has done it; what it announces about it may come later.
 */
export interface KernelFixture extends AsyncDisposable {
  readonly kernel: Kernel;

  /**
   * A new interface, up and with a carrier, without a link-local address of the kernel's own making (addrgenmode
   * none): that comes a second later and would be heard of in the middle of a test.
   *
   * @param addresses with the length of their network: `10.0.0.1/24`; usable at once (no DAD)
   * @returns ifindex
   */
  addLink(name: string, ...addresses: readonly string[]): Promise<number>;
  removeLink(name: string): Promise<void>;
  linkDown(name: string): Promise<void>;
  linkUp(name: string): Promise<void>;
  /** As if the cable were pulled; the link stays up. */
  carrierLost(name: string): Promise<void>;
  carrierBack(name: string): Promise<void>;
  addAddress(name: string, address: string): Promise<void>;
  removeAddress(name: string, address: string): Promise<void>;

  /** Another program does this, with no thought of whose the object is. Not for sysctls. */
  meddle(change: Change): Promise<void>;
  /** Another program writes a setting, named by its path below /proc/sys. */
  /** Another program deletes a rule from an nftables table that has one. */
  touchNft(table: string): Promise<void>;
  /**
   * Another program takes something out of the table of NAT of our protocol: the EIP from the set of EIPs, the node port
   * of the first port of the EIP, or a rule from a chain of the group with this id.
   */
  touchNat(of: Ip | number, what: 'set' | 'port' | 'chain'): Promise<void>;
  /** A host on a link is heard of at this link-layer address; undefined: it is forgotten. */
  setNeighbour(link: string, ip: string, mac: string | undefined): Promise<void>;
  setSysctl(name: string, value: string): Promise<void>;
  sysctl(name: string): Promise<string>;

  /** Closes the kernel port and opens another with the same state directory: our own restart. */
  restart(): Promise<Kernel>;
}

/** Makes a fresh one. */
export type MakeKernelFixture = () => Promise<KernelFixture>;
