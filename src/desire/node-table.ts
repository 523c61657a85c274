import { type Family, family } from '../model/ip.ts';
import { nftTable } from '../model/nft.ts';
import type { AgentGateway, NodeAgent } from '../model/node-agent.ts';
import type { NftTable } from '../model/object.ts';
import { families } from './node-view.ts';

export const agentTableName = 'eiproute';

/** A gateway whose link-layer address we know. */
export interface KnownGateway {
  readonly gateway: AgentGateway;
  readonly mac: string;
}

/** In nft's words. */
interface Words {
  readonly daddr: string;
  readonly set: string;
  readonly type: string;
  readonly icmp: string;
}

const words: Readonly<Record<Family, Words>> = {
  4: { daddr: 'ip daddr', set: 'eips4', type: 'ipv4_addr', icmp: 'icmp' },
  6: { daddr: 'ip6 daddr', set: 'eips6', type: 'ipv6_addr', icmp: 'ipv6-icmp' },
};

/**
 * The mark of a packet to an EIP that is to be kept from looping. Its value is no gateway's, and it is only on the
 * packet, never on the connection.
 */
export function reachMark({ markMask }: NodeAgent): number {
  return markMask;
}

/**
 * Three things that routing cannot do alone.
 *
 * - A connection remembers by its mark which gateway it came through. Each packet from a gateway writes it anew: a
 *   flow that moves to another gateway takes its replies along.
 * - Replies get the mark before they are routed; their source is the pod's then, and tells nothing.
 * - What arrives at an EIP without having been sent on to a pod is refused: no socket of the node is an EIP's.
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
      // Two addresses of one machine: the first stands for both.
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
    return [`${stranger} tcp reject with tcp reset`, `${stranger} != { tcp, ${icmp} } reject`];
  });
  const content = [
    ...families(agent).flatMap((of) => eipSet(agent, of)),
    ...chain('prerouting', 'filter', 'prerouting', -150, [...arrivals, ...toEips6, ...replies]),
    // Of type route: the mark of what a pod in the host's network answers must change its way.
    ...chain('output', 'route', 'output', -150, [...toEips6, ...replies]),
    // Behind IPVS, which takes its Services' packets at 98.
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
