import type { Refusals } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import { families } from '../model/ip.ts';
import { inet, nftTable } from '../model/nft.ts';
import { keyOf, type NftName, type NftTable } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { networkRules } from './network-rules.ts';
import type { Add } from './plain-routes.ts';
import { poolPrefixes } from './pools.ts';

/** Two gateways on one host, told apart by their protocol, have a table each. */
export function segmentSizeTableName(protocol: number): NftName {
  return inet(`eiproute-mss-${protocol}`);
}

/**
 * A table that lets no server behind an EIP send longer TCP segments than a size; undefined where it is not needed.
 *
 * Hash policy 1 (`hash: ports`) spreads flows by their ports. The ICMP error "packet too big" has none, so it goes to
 * another node than its flow, and the server never learns that its segments are too long: of 12 downloads behind an MTU
 * of 1300, 7 hung. What the client announces in its SYN is what the server keeps to; nftables only ever lowers it.
 */
export function segmentSizeTable(gateway: Gateway): NftTable | undefined {
  const { hash, segmentSize, protocol } = gateway;
  if (hash !== 'ports' || segmentSize === undefined) return undefined;
  const clamped = `tcp flags & (syn | rst) == syn tcp option maxseg size set ${segmentSize}`;
  const rules = families
    .flatMap((of) => networkRules(of, 'daddr', poolPrefixes(gateway), clamped))
    .map((rule) => `    ${rule}\n`);
  if (rules.length === 0) return undefined;
  const content = `  chain forward {
    type filter hook forward priority -150; policy accept;
${rules.join('')}  }
`;
  return nftTable(segmentSizeTableName(protocol), protocol, content);
}

/** Wants the table. The routes do not wait for it where the kernel refuses it. */
export function segmentSizes(gateway: Gateway, refused: Refusals, add: Add): readonly Problem[] {
  const table = segmentSizeTable(gateway);
  if (table === undefined) return [];
  const refusal = refused.get(keyOf(table));
  add(table, { text: 'TCP segments that every path takes, since flows are spread by ports' });
  return refusal === undefined ? [] : [unclamped(refusal.message)];
}

function unclamped(message: string): Problem {
  return {
    code: 'segment-size',
    severity: 'error',
    subject: 'TCP segment size',
    message: `the TCP segments to clients cannot be limited: ${message}; with hashPolicy ports, downloads over paths with a smaller MTU hang`,
    advice: 'install nftables, or set hashPolicy to addresses',
  };
}
