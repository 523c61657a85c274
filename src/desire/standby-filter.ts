import type { Refusals } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import {
  bits,
  type Family,
  family,
  hostPrefix,
  type Ip,
  ipNumber,
  isWithin,
  type Prefix,
  prefixIp,
  prefixLength,
} from '../model/ip.ts';
import { nftTable } from '../model/nft.ts';
import {
  isVirtualMac,
  type KernelObject,
  type Key,
  keyOf,
  type Link,
  type NftTable,
} from '../model/object.ts';
import { equal } from '../model/same-object.ts';
import { standbyFilterName } from '../model/standby-filter.ts';

/**
 * Whether what stands as a proxy neighbour is answered for:
 * - answered: this gateway announces the family
 * - filtered: it does not, and the table of {@link standbyFilter} keeps the kernel from answering
 * - being filtered: that table is on its way
 * - refused: the kernel does not take the table, so the proxy neighbours have to go
 */
export type ProxyState = 'answered' | 'filtered' | 'being filtered' | 'refused';

export interface ProxyInputs {
  readonly isAnnounced: boolean;
  /** Of the family. */
  readonly filter: NftTable | undefined;
  readonly objects: ReadonlyMap<Key, KernelObject>;
  readonly refused: Refusals;
}

export function proxyStateOf({ isAnnounced, filter: want, objects, refused }: ProxyInputs): ProxyState {
  if (isAnnounced || want === undefined) return 'answered';
  const key = keyOf(want);
  const have = objects.get(key);
  if (have !== undefined && equal(have, want)) return 'filtered';
  return refused.has(key) ? 'refused' : 'being filtered';
}

/**
 * The table that standbyFilters the proxy neighbours of a family, so that they stand on a standby gateway as well: a takeover
 * is the delete of one table, whatever the number of EIPs. It drops what asks for an address of the pools that layer 2
 * announces, but for addresses that this host has itself.
 *
 * A virtual link-layer address is shared with the active gateway. What a host sends on its own there (reports of its
 * multicast groups, solicitations) would lead the switch to the standby, so nothing of it leaves.
 *
 * @returns undefined where layer 2 announces no EIP of the family
 */
export function standbyFilter(gateway: Gateway, links: readonly Link[], of: Family): NftTable | undefined {
  const { announce, pools, protocol } = gateway;
  const segment = announce?.segment;
  const networks = pools
    .filter((pool) => pool.announce === 'layer2')
    .flatMap(({ addresses }) => addresses.filter((prefix) => family(prefix) === of));
  if (segment === undefined || networks.length === 0) return undefined;
  const own = links
    .flatMap(({ addresses }) => addresses.map(({ ip }) => ip))
    .filter((ip) => family(ip) === of && networks.some((network) => isWithin(hostPrefix(ip), network)))
    .toSorted();
  const name = JSON.stringify(segment);
  const content =
    of === 4
      ? requests4(name, networks, own)
      : solicitations6(name, networks, own) + outgoing6(links, segment);
  return nftTable(standbyFilterName(protocol, of), protocol, content);
}

function requests4(segment: string, networks: readonly Prefix[], own: readonly Ip[]): string {
  const asked = `iifname ${segment} arp operation request arp daddr ip`;
  const ours = own.map((ip) => `    ${asked} ${ip} accept\n`).join('');
  return `  chain input {
    type filter hook input priority 0; policy accept;
${ours}    ${asked} { ${networks.join(', ')} } drop
  }
`;
}

/** nft 1.0.6 has no word for the target of a solicitation: it is 16 bytes after eight. */
function solicitations6(segment: string, networks: readonly Prefix[], own: readonly Ip[]): string {
  const asked = `iifname ${segment} icmpv6 type nd-neighbor-solicit @th,64,128`;
  const rules = [
    ...own.map((ip) => `${asked} ${hex(ipNumber(ip))} accept`),
    ...networks.map((network) => {
      const first = ipNumber(prefixIp(network));
      const last = first + 2n ** BigInt(bits(6) - prefixLength(network)) - 1n;
      return `${asked} >= ${hex(first)} @th,64,128 <= ${hex(last)} drop`;
    }),
  ];
  return `  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
${rules.map((rule) => `    ${rule}\n`).join('')}  }
`;
}

/** The advertisements of keepalived itself come by packet sockets, which no hook sees. */
function outgoing6(links: readonly Link[], segment: string): string {
  const mac = links.find(({ name }) => name === segment)?.mac;
  if (mac === undefined || !isVirtualMac(mac)) return '';
  return `  chain output {
    type filter hook output priority 0; policy accept;
    oifname ${JSON.stringify(segment)} meta l4proto icmpv6 drop
  }
`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16).padStart(32, '0')}`;
}
