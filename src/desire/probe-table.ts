import type { Gateway } from '../model/gateway.ts';
import type { Family, Ip } from '../model/ip.ts';
import { nftTable } from '../model/nft.ts';
import type { NftTable } from '../model/object.ts';
import { probeMark, probeTableName, sentBit } from '../model/probe-path.ts';

/**
 * A table that sends a connection of this gateway's own to an EIP by the node that its mark names, whatever the EIP's route
 * says; undefined: nobody is asked.
 *
 * A copy goes to the node, as if it were the next hop, and the packet itself is dropped. The copy has another mark, since it
 * comes by here as well. Only what this host sends itself meets the hook, so forwarding pays nothing. A policy rule
 * with tables would: with the first rule Linux looks up `local` and `main` one after the other for every packet. No rule
 * here asks conntrack, which would track everything that is forwarded.
 *
 * @param paths the number of each node
 */
export function probeTable(
  { lan, protocol }: Gateway,
  paths: ReadonlyMap<Ip, number>,
  of: Family,
): NftTable | undefined {
  if (paths.size === 0) return undefined;
  const nodes = [...paths].map(([ip, number]) => `${hex(probeMark(protocol, number) + sentBit)} : ${ip}`);
  const content = `  map nodes {
    type mark : ${of === 4 ? 'ipv4_addr' : 'ipv6_addr'}
    elements = { ${nodes.join(', ')} }
  }
  chain output {
    type filter hook output priority -160; policy accept;
    meta mark & 0xffff0000 == ${hex(probeMark(protocol, 0))} meta mark set meta mark | ${hex(sentBit)} dup to meta mark map @nodes device "${lan}" drop
  }
`;
  return nftTable(probeTableName(protocol, of), protocol, content);
}

export const probeWhy = { text: 'nodes are asked whether they serve an EIP' };

function hex(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`;
}
