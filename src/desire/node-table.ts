import { type Family, family } from '../model/ip.ts';
import { inet, nftTable } from '../model/nft.ts';
import type { AgentGateway, NodeAgent } from '../model/node-agent.ts';
import type { NftTable } from '../model/object.ts';
import { families } from './node-view.ts';

export const agentTableName = inet('eiproute');

/** A gateway with a known link-layer address. */
export interface KnownGateway {
  readonly gateway: AgentGateway;
  readonly mac: string;
}

/** The IANA number: nft resolves names with /etc/protocols, which Debian without netbase does not have. */
const tcp = 6;

/** In nft syntax. */
interface Words {
  readonly daddr: string;
  readonly set: string;
  readonly type: string;
  /** The IANA number, as above. */
  readonly icmp: number;
}

const words: Readonly<Record<Family, Words>> = {
  4: { daddr: 'ip daddr', set: 'eips4', type: 'ipv4_addr', icmp: 1 },
  6: { daddr: 'ip6 daddr', set: 'eips6', type: 'ipv6_addr', icmp: 58 },
};

/**
 * The mark of a packet to an EIP that must not loop. No gateway has its value, and it is on the packet alone, never on
 * the connection.
 */
export function reachMark({ markMask }: NodeAgent): number {
  return markMask;
}

/**
 * Does three things that routing alone cannot do.
 *
 * - The connection mark records the gateway of a connection. Each packet from a gateway sets it again, so that the
 *   replies of a flow follow it to another gateway.
 * - Replies get the mark before they are routed: at that time their source is the pod, which does not identify the EIP.
 * - Packets to an EIP that were not forwarded to a pod are rejected: EIPs must not reach sockets of the node.
 */
export function agentTable(agent: NodeAgent, link: string, known: readonly KnownGateway[]): NftTable {
  const { markMask } = agent;
  const keep = hex(~markMask >>> 0);
  const mask = hex(markMask);
  const arrivals: string[] = [];
  for (const of of families(agent)) {
    const { daddr, set } = words[of];
    const macs = new Set<string>();
    for (const { gateway, mac } of known) {
      // Two addresses of one machine: the first represents both.
      if (family(gateway.address) !== of || macs.has(mac)) continue;
      macs.add(mac);
      arrivals.push(
        `iifname "${link}" ether saddr ${mac} ${daddr} @${set} ct direction original ` +
          `ct mark set ct mark & ${keep} | ${hex(gateway.mark)}`,
      );
    }
  }
  const toEips6 = families(agent)
    .filter((of) => of === 6)
    .map(
      (of) =>
        `${words[of].daddr} @${words[of].set} meta mark set meta mark & ${keep} | ${hex(reachMark(agent))}`,
    );
  const marks = [...new Set(agent.gateways.map(({ mark }) => mark))];
  const replies = marks.map(
    (mark) =>
      `ct direction reply ct mark & ${mask} == ${hex(mark)} meta mark set meta mark & ${keep} | ${hex(mark)}`,
  );
  const guard = families(agent).flatMap((of) => {
    const { daddr, set, icmp } = words[of];
    const stranger = `${daddr} @${set} ct state != { established, related } meta l4proto`;
    return [`${stranger} ${tcp} reject with tcp reset`, `${stranger} != { ${tcp}, ${icmp} } reject`];
  });
  const content = [
    ...families(agent).flatMap((of) => eipSet(agent, of)),
    ...chain('prerouting', 'filter', 'prerouting', -150, [...arrivals, ...toEips6, ...replies]),
    // Type route: replies of pods in the host network are routed again with their mark.
    ...chain('output', 'route', 'output', -150, [...toEips6, ...replies]),
    // After IPVS, which takes the packets of its Services at priority 98.
    ...chain('input', 'filter', 'input', 150, guard),
  ];
  return nftTable(agentTableName, agent.protocol, content.map((line) => `${line}\n`).join(''));
}

function eipSet({ eips }: NodeAgent, of: Family): readonly string[] {
  const { set, type } = words[of];
  const elements = eips.filter((prefix) => family(prefix) === of);
  return [
    `  set ${set} {`,
    `    type ${type}`,
    '    flags interval',
    `    elements = { ${elements.join(', ')} }`,
    '  }',
  ];
}

function chain(
  name: string,
  type: string,
  hook: string,
  priority: number,
  rules: readonly string[],
): readonly string[] {
  return [
    `  chain ${name} {`,
    `    type ${type} hook ${hook} priority ${priority}; policy accept;`,
    ...rules.map((rule) => `    ${rule}`),
    '  }',
  ];
}

function hex(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`;
}
