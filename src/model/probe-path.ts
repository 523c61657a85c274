import type { Family, Ip } from './ip.ts';
import type { NftName } from './object.ts';

/** The nodes by way of which an EIP may be asked, and the number of each, from 1 to {@link mostProbePaths}. */
export type ProbePaths = Readonly<Record<Family, ReadonlyMap<Ip, number>>>;

const nobody: ReadonlyMap<Ip, number> = new Map();

export const noProbePaths: ProbePaths = { 4: nobody, 6: nobody };

/** The nodes that have a number. */
export const mostProbePaths = 0xffff;

/** Of packets whose copy is on its way to the node. */
export const sentBit = 0x8000_0000;

/**
 * The mark of a packet that is to go by a certain node. Two gateways on one host are told apart by their protocol.
 *
 * @param number of the node
 */
export function probeMark(protocol: number, number: number): number {
  return 0x4500_0000 + protocol * 0x1_0000 + number;
}

const names: Readonly<Record<Family, readonly [family: NftName['family'], name: string]>> = {
  // Only these families have the statement `dup`.
  4: ['ip', 'eiproute-probe4'],
  6: ['ip6', 'eiproute-probe6'],
};

/** The nftables table that sends marked connections of this gateway's own by a certain node. */
export function probeTableName(protocol: number, of: Family): NftName {
  const [family, name] = names[of];
  return { family, name: `${name}-${protocol}` };
}
