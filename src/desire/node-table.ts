import { type Family, family } from '../model/ip.ts';
import { inet, nftTable } from '../model/nft.ts';
import type { AgentGateway, NodeAgent } from '../model/node-agent.ts';
import type { NftTable } from '../model/object.ts';
import { networkRules } from './network-rules.ts';
import { eipFamilies } from './node-view.ts';

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
  /** The chain of what comes from a gateway. */
  readonly arrivals: string;
  /** The chain of what was not forwarded to a pod. */
  readonly guard: string;
  /** The IANA number, as above. */
  readonly icmp: number;
}

const words: Readonly<Record<Family, Words>> = {
  4: { arrivals: 'arrivals4', guard: 'guard4', icmp: 1 },
  6: { arrivals: 'arrivals6', guard: 'guard6', icmp: 58 },
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
 *
 * It is replaced when a gateway comes or goes. The answer to a SYN that gets no mark meanwhile is lost; so it has a rule for each
 * network of EIPs, see {@link networkRules}.
 */
export function agentTable(agent: NodeAgent, link: string, known: readonly KnownGateway[]): NftTable {
  const { markMask } = agent;
  const keep = hex(~markMask >>> 0);
  const mask = hex(markMask);
  const own = eipFamilies(agent);
  const toEips6 = `meta mark set meta mark & ${keep} | ${hex(reachMark(agent))}`;
  const arrivals = own.map((of) => {
    const macs = new Set<string>();
    const marks: string[] = [];
    for (const { gateway, mac } of known) {
      // Two addresses of one machine: the first represents both.
      if (family(gateway.address) !== of || macs.has(mac)) continue;
      macs.add(mac);
      marks.push(
        `iifname "${link}" ether saddr ${mac} ct direction original ` +
          `ct mark set ct mark & ${keep} | ${hex(gateway.mark)}`,
      );
    }
    return block(words[of].arrivals, of === 6 ? [...marks, toEips6] : marks);
  });
  const guards = own.map((of) =>
    block(words[of].guard, [
      'ct state established,related return',
      `meta l4proto ${tcp} reject with tcp reset`,
      `meta l4proto != ${words[of].icmp} reject`,
    ]),
  );
  const marks = [...new Set(agent.gateways.map(({ mark }) => mark))];
  const replies = marks.map(
    (mark) =>
      `ct direction reply ct mark & ${mask} == ${hex(mark)} meta mark set meta mark & ${keep} | ${hex(mark)}`,
  );
  const toEips = (of: Family, statement: string): readonly string[] =>
    networkRules(of, 'daddr', agent.eips, statement);
  const content = [
    ...arrivals.flat(),
    ...guards.flat(),
    ...chain('prerouting', 'filter', 'prerouting', -150, [
      ...own.flatMap((of) => toEips(of, `jump ${words[of].arrivals}`)),
      ...replies,
    ]),
    // Type route: replies of pods in the host network are routed again with their mark.
    ...chain('output', 'route', 'output', -150, [
      ...own.filter((of) => of === 6).flatMap((of) => toEips(of, toEips6)),
      ...replies,
    ]),
    // After IPVS, which takes the packets of its Services at priority 98.
    ...chain(
      'input',
      'filter',
      'input',
      150,
      own.flatMap((of) => toEips(of, `jump ${words[of].guard}`)),
    ),
  ];
  return nftTable(agentTableName, agent.protocol, content.map((line) => `${line}\n`).join(''));
}

function block(name: string, rules: readonly string[]): readonly string[] {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function chain(
  name: string,
  type: string,
  hook: string,
  priority: number,
  rules: readonly string[],
): readonly string[] {
  return block(name, [`type ${type} hook ${hook} priority ${priority}; policy accept;`, ...rules]);
}

function hex(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`;
}
