import type { Ip } from '../model/ip.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Carrier } from './carriers.ts';
import { LinkedList } from './linked-list.ts';
import type { Placement } from './placements.ts';

/** A nexthop group, and the EIPs whose routes lead to it. */
export interface Group {
  id: number;
  /** In the order of the addresses. Empty in a group that stays as it was found in the kernel. */
  carriers: readonly Carrier[];
  /** Equal for the same carriers; see {@link contentOf}. */
  content: string;
  readonly eips: LinkedList<Placement>;
  /** How many of the EIPs belong to which set. */
  readonly sets: Map<CarrierSet, number>;
  /** EIPs that were moved away and have to leave before the content may change. */
  readonly leaving: Set<Ip>;
  /** No EIP may join it: its content is about to change. */
  isChanging: boolean;
  /**
   * It was found in the kernel and cannot be changed in place. It stays for EIPs whose nodes are all refused; the others
   * leave it.
   */
  readonly isFixed: boolean;
  /** The numbering of the nexthops that its carriers were written with; undefined: they were not yet. */
  written: number | undefined;
  /** The members of a group that stays as it was found: our nodes, and ids of other nexthops. */
  found: { readonly carriers: readonly Carrier[]; readonly others: readonly number[] } | undefined;
}

/** A group whose members are not known yet. */
export function unknownGroup(id: number, isFixed: boolean): Group {
  return {
    id,
    carriers: [],
    content: `unknown ${id}`,
    written: undefined,
    found: undefined,
    isFixed,
    eips: new LinkedList(),
    sets: new Map(),
    leaving: new Set(),
    isChanging: false,
  };
}

/** Equal for the same carriers with the same weights. */
export function contentOf(carriers: readonly Carrier[]): string {
  return carriers.map(({ ip, weight }) => `${ip}*${weight}`).join(' ');
}
