import type { Ip } from './ip.ts';

/** What duplicate address detection has found of the EIPs that this gateway answers ARP and NDP for. */
export interface Uniqueness {
  /** Nobody else on the segment has it: hosts were asked, and none has claimed it since. */
  isUnique(eip: Ip): boolean;
  /** Somebody else has it. Neither this nor {@link isUnique}: hosts are being asked. */
  isClaimed(eip: Ip): boolean;
  /** The EIPs for which the answer is another than at the last call. */
  takeTurned(): ReadonlySet<Ip>;
}

const none: ReadonlySet<Ip> = new Set();

/** Without detection every EIP is taken for unique. */
export const undetected: Uniqueness = {
  isUnique: () => true,
  isClaimed: () => false,
  takeTurned: () => none,
};
