import type { Part } from './two-gateways.ts';

/** The address of the uplink that keepalived moves. */
export const shared = '203.0.113.100';

export interface Vrrp {
  /** s between two adverts; a test is slower than docs/high-availability.md: beside other programs adverts come late. */
  readonly advert?: number;
  /** Further lines of the instance. */
  readonly lines?: readonly string[];
}

/** What a person writes: docs/high-availability.md has the same, with `track_interface`. */
export function keepalived(part: Part, { advert = 1, lines = [] }: Vrrp = {}): string {
  return `vrrp_instance up {
  interface eth1
${lines.map((line) => `  ${line}\n`).join('')}  state BACKUP
  nopreempt
  version 3
  virtual_router_id 51
  priority ${part === 'gateway' ? 150 : 100}
  advert_int ${advert}
  virtual_ipaddress { ${shared}/24 }
}
`;
}

/** For `nft -f`: a gateway that hears no adverts. */
export const deaf =
  'table ip eip-deaf {\n chain in { type filter hook input priority 0\n ip protocol vrrp drop\n }\n}\n';
