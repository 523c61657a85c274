import type { Refusals } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import { inet, nftTable } from '../model/nft.ts';
import { keyOf, type NftName, type NftTable } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { networkRules } from './network-rules.ts';
import type { Add } from './plain-routes.ts';
import { poolPrefixes } from './pools.ts';

/** Two gateways on one host, told apart by their protocol, have a table each; a node agent's is `eiproute`. */
export function flowLabelTableName(protocol: number): NftName {
  return inet(`eiproute-flow-label-${protocol}`);
}

/**
 * A table that zeroes the IPv6 flow label of packets to and from EIPs; undefined without IPv6 pools.
 *
 * Hash policy 0 spreads IPv6 flows by source, destination and flow label. A Linux client changes its label at
 * each retransmission timeout (`auto_flowlabels`), so the flow moves to a node that does not know it and answers
 * with a reset: of 60 flows that lost packets for 1.5 s, 22 lived; with the label zeroed, 60. The label of a reply
 * counts as well: a "packet too big" quotes the reply, and goes to the node of its flow only when its addresses
 * and label hash to the same. Policy 3 with source and destination alone keeps the flows, but hashes that error
 * by its own source, a router: 7 of 16 downloads hung. No checksum covers the label.
 *
 * Policy 1 (`hash: ports`) does not read the label.
 */
export function flowLabelTable(gateway: Gateway): NftTable | undefined {
  if (gateway.hash === 'ports') return undefined;
  const rules = (['daddr', 'saddr'] as const)
    .flatMap((end) => networkRules(6, end, poolPrefixes(gateway), 'ip6 flowlabel set 0'))
    .map((rule) => `    ${rule}\n`);
  if (rules.length === 0) return undefined;
  const content = `  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
${rules.join('')}  }
`;
  return nftTable(flowLabelTableName(gateway.protocol), gateway.protocol, content);
}

/** Wants the table. The routes do not wait for it where the kernel refuses it. */
export function flowLabels(gateway: Gateway, refused: Refusals, add: Add): readonly Problem[] {
  const table = flowLabelTable(gateway);
  if (table === undefined) return [];
  const key = keyOf(table);
  const refusal = refused.get(key);
  add(table, { text: 'IPv6 flow labels do not move flows' });
  return refusal === undefined ? [] : [unlabelled(refusal.message)];
}

function unlabelled(message: string): Problem {
  return {
    code: 'flow-label',
    severity: 'error',
    subject: 'IPv6 flow labels',
    message: `the flow labels of IPv6 packets to EIPs cannot be zeroed: ${message}; IPv6 connections that lose packets may be reset`,
    advice: 'install nftables, or name no IPv6 networks in the pools',
  };
}
