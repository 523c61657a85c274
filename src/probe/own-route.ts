import type { Gateway } from '../model/gateway.ts';
import type { Family } from '../model/ip.ts';
import { isOwnId, ownerOf } from '../model/owner.ts';

/** What is asked of a route that the kernel has chosen. */
export interface Chosen {
  readonly type: string;
  readonly table: number;
  readonly protocol: number;
  readonly nhid: number | undefined;
}

/**
 * Whether a route that the kernel has chosen for an EIP leads where eiproute's leads. Over IPv6 it may name any route over
 * the same nexthop object (see `LookupPort`), so the nexthop object decides: it is ours.
 */
export function isOwnRoute(
  { type, table, protocol, nhid }: Chosen,
  of: Family,
  gateway: Pick<Gateway, 'table' | 'protocol'>,
): boolean {
  if (type !== 'unicast' || nhid === undefined) return false;
  if (of === 6 && isOwnId(nhid, ownerOf(gateway.protocol))) return true;
  return protocol === gateway.protocol && table === gateway.table;
}
