import type { Family } from './ip.ts';
import type { NftName } from './object.ts';

const names: Readonly<Record<Family, readonly [family: NftName['family'], name: string]>> = {
  4: ['arp', 'eiproute-standby4'],
  6: ['ip6', 'eiproute-standby6'],
};

/** The nftables table that keeps a gateway from answering ARP or NDP for its EIPs while its proxy neighbours stand. */
export function standbyFilterName(protocol: number, of: Family): NftName {
  const [family, name] = names[of];
  return { family, name: `${name}-${protocol}` };
}

export function isStandbyFilter({ name }: NftName): boolean {
  return name.startsWith('eiproute-standby');
}
