import { compareIp, contains, type Family, family, type Ip, networkOf } from '../model/ip.ts';
import { nftTable } from '../model/nft.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Link, NftName, NftTable } from '../model/object.ts';
import type { KnownGateway } from './node-table.ts';
import { eipFamilies } from './node-view.ts';

/** In nft syntax. */
interface Words {
  readonly table: NftName;
  readonly daddr: string;
  /** The type of the elements of a map. */
  readonly type: string;
  /** Matches ICMP errors: unreachable, too big, time exceeded, a wrong header. */
  readonly icmp: string;
}

/** Only these families have the statement `dup`; `inet` has not. */
const words: Readonly<Record<Family, Words>> = {
  4: {
    table: { family: 'ip', name: 'eiproute-drain4' },
    daddr: 'ip daddr',
    type: 'ipv4_addr',
    icmp: 'icmp type { 3, 11, 12 }',
  },
  6: {
    table: { family: 'ip6', name: 'eiproute-drain6' },
    daddr: 'ip6 daddr',
    type: 'ipv6_addr',
    icmp: 'icmpv6 type { 1, 2, 3, 4 }',
  },
};

export const drainTableNames: readonly NftName[] = [words[4].table, words[6].table];

/**
 * Where this node sends the packets of flows that it does not know; undefined: it keeps them.
 *
 * The draining nodes are asked in the order of their addresses. A node that does not drain begins with the first, one
 * that drains goes on with the next after itself, and the last keeps what nobody knows.
 *
 * @param draining those that drain, and those that leave the EIP in question
 * @param own all addresses of this node
 */
export function nextDraining(draining: readonly Ip[], own: ReadonlySet<Ip>, of: Family): Ip | undefined {
  const all = draining.filter((ip) => family(ip) === of).sort(compareIp);
  return firstAfter(
    all,
    all.findLast((ip) => own.has(ip)),
  );
}

/** How unknown packets for one EIP go on from this node. */
interface Onward {
  /** undefined: this node keeps them. */
  readonly to: Ip | undefined;
  /** This node is one of those that are asked. */
  readonly isAsked: boolean;
}

/**
 * {@link nextDraining} for many EIPs: each has the draining nodes and a few of its own. What whoever may write the
 * ConfigMap says of thousands must not be sorted for each of hundreds.
 *
 * @returns the way of an EIP that these nodes of the family leave
 */
export function onwardOf(
  draining: readonly Ip[],
  own: ReadonlySet<Ip>,
  of: Family,
): (leaving: readonly Ip[]) => Onward {
  const sorted = draining.filter((ip) => family(ip) === of).sort(compareIp);
  const drains = sorted.findLast((ip) => own.has(ip));
  // This node has few addresses.
  const known = new Map<Ip | undefined, Ip | undefined>();
  const after = (self: Ip | undefined): Ip | undefined => {
    if (!known.has(self)) known.set(self, firstAfter(sorted, self));
    return known.get(self);
  };
  return (leaving) => {
    const others = leaving.filter((ip) => family(ip) === of).sort(compareIp);
    const left = others.findLast((ip) => own.has(ip));
    const self = [drains, left]
      .filter((ip) => ip !== undefined)
      .sort(compareIp)
      .at(-1);
    const [to] = [after(self), firstAfter(others, self)].filter((ip) => ip !== undefined).sort(compareIp);
    return { to, isAsked: self !== undefined };
  };
}

function firstAfter(sorted: readonly Ip[], self: Ip | undefined): Ip | undefined {
  return self === undefined ? sorted[0] : sorted.find((ip) => compareIp(ip, self) > 0);
}

/** Where this node sends unknown packets for the EIPs that some nodes leave. */
interface LeftEips {
  /** This node is one of those that are asked, and not the last: it passes packets on, whoever sent them. */
  readonly onward: readonly (readonly [eip: Ip, to: Ip])[];
  /** This node is not asked itself: it sends packets of the gateways to the first. */
  readonly begun: readonly (readonly [eip: Ip, to: Ip])[];
  /** This node is the last that is asked: it keeps the packets. */
  readonly kept: readonly Ip[];
}

function leftEips(agent: NodeAgent, near: NearNodes, own: ReadonlySet<Ip>, of: Family): LeftEips {
  const onward: (readonly [Ip, Ip])[] = [];
  const begun: (readonly [Ip, Ip])[] = [];
  const kept: Ip[] = [];
  const onwardFrom = onwardOf(near.draining, own, of);
  for (const [eip, nodes] of near.leaving) {
    if (family(eip) !== of || !agent.eips.some((prefix) => contains(prefix, eip))) continue;
    const { to, isAsked } = onwardFrom(nodes);
    if (to === undefined) kept.push(eip);
    else if (isAsked) onward.push([eip, to]);
    else begun.push([eip, to]);
  }
  return { onward, begun, kept };
}

/**
 * The drains that the agent was told of, without nodes beyond a router: a gateway would send packets for these back.
 */
type NearNodes = Required<Pick<NodeAgent, 'draining' | 'leaving'>>;

function nearNodes({ draining = [], leaving = new Map() }: NodeAgent, link: Link): NearNodes {
  const networks = link.addresses.map(({ ip, length }) => networkOf(ip, length));
  const isNear = (ip: Ip): boolean => networks.some((network) => contains(network, ip));
  const left = [...leaving].map(([eip, nodes]) => [eip, nodes.filter(isNear)] as const);
  return {
    draining: draining.filter(isNear),
    leaving: new Map(left.filter(([, nodes]) => nodes.length > 0)),
  };
}

/**
 * Tables that send the packets of flows that began on a draining node to that node: one of each family with such a
 * node.
 *
 * The gateways send a draining node's share of the traffic to other nodes. A packet from the middle of a connection
 * that conntrack does not know belongs to the draining node: a copy goes there, and the packet itself is dropped. The
 * copy is not tracked, so nothing stays behind here: no entry, no mark, no address that kube-proxy would translate. A
 * new connection begins with SYN, and stays on this node.
 *
 * conntrack calls a FIN, a RST or an ICMP error of an unknown connection invalid, and other packets from its middle
 * new. An invalid packet of a connection that this node knows goes to the draining node as well, which does not know it
 * either.
 *
 * A node that does not drain takes only packets of a gateway, and one that drains sends only to a higher address. So no
 * packet goes in circles, not even while the nodes know of different drains.
 *
 * A node may also leave a single EIP, when its last endpoints there end. For this EIP the node counts as draining.
 */
export function drainTables(
  agent: NodeAgent,
  link: Link,
  own: ReadonlySet<Ip>,
  known: readonly KnownGateway[],
): readonly NftTable[] {
  const near = nearNodes(agent, link);
  return eipFamilies(agent).flatMap((of) => {
    const frame = frameOf(of, link.name, known);
    const left = leftEips(agent, near, own, of);
    const parts = [leavingPart(frame, left), drainingPart(frame, agent, near, own, left.kept)];
    const [leaving, draining] = parts;
    if (leaving === undefined && draining === undefined) return [];
    // The single EIPs come first: the rule for all EIPs would send their packets elsewhere.
    const rules = parts.flatMap((part) => part?.rules ?? []);
    const content = `${leaving?.map ?? ''}  chain prerouting {
    type filter hook prerouting priority -149; policy accept;
    ${rules.join('\n    ')}
  }
${draining?.chain ?? ''}${leaving?.chain ?? ''}`;
    return [nftTable(words[of].table, agent.protocol, content)];
  });
}

/** What all rules of one family have in common. */
interface Frame {
  readonly of: Family;
  readonly link: string;
  /** Matches what comes in on the link, and what a gateway sent; undefined: no gateway of the family is known. */
  readonly input: string;
  readonly byGateway: string | undefined;
}

function frameOf(of: Family, link: string, known: readonly KnownGateway[]): Frame {
  const macs = known.filter(({ gateway }) => family(gateway.address) === of).map(({ mac }) => mac);
  const from = [...new Set(macs)].sort().join(', ');
  const input = `iifname "${link}"`;
  return { of, link, input, byGateway: from === '' ? undefined : `${input} ether saddr { ${from} }` };
}

/** What one kind of drain adds to the table. */
interface Part {
  /** Of the chain at the hook. */
  readonly rules: readonly string[];
  /** The chain that sends packets away. */
  readonly chain: string;
  /** By EIP, where they go. */
  readonly map?: string;
}

/** The packets for single EIPs; undefined: none of them goes away. */
function leavingPart({ of, link, input, byGateway }: Frame, { onward, begun }: LeftEips): Part | undefined {
  const left = [...onward, ...(byGateway === undefined ? [] : begun)];
  if (left.length === 0) return undefined;
  const { daddr, type } = words[of];
  const set = (all: LeftEips['onward']): string => all.map(([eip]) => eip).join(', ');
  const rules: string[] = [];
  // By goto: a packet that the chain does not send away must not come to the rule for all EIPs either.
  if (onward.length > 0) rules.push(`${input} ${daddr} { ${set(onward)} } goto left`);
  if (begun.length > 0 && byGateway !== undefined)
    rules.push(`${byGateway} ${daddr} { ${set(begun)} } goto left`);
  const map = `  map leaving {
    type ${type} : ${type}
    elements = { ${left.map(([eip, next]) => `${eip} : ${next}`).join(', ')} }
  }
`;
  return { rules, chain: unknownChain('left', `${daddr} map @leaving`, of, link), map };
}

/**
 * The packets for all EIPs of the agent; undefined: none of them goes away.
 *
 * @param kept EIPs that are left by this node as the last that is asked
 */
function drainingPart(
  { of, link, input, byGateway }: Frame,
  { eips }: NodeAgent,
  { draining }: NearNodes,
  own: ReadonlySet<Ip>,
  kept: readonly Ip[],
): Part | undefined {
  const to = nextDraining(draining, own, of);
  const isDraining = draining.some((ip) => own.has(ip) && family(ip) === of);
  const taken = isDraining ? input : byGateway;
  if (to === undefined || taken === undefined) return undefined;
  const { daddr } = words[of];
  const all = eips.filter((prefix) => family(prefix) === of);
  const exception = kept.length === 0 ? [] : [`${input} ${daddr} { ${kept.join(', ')} } accept`];
  return {
    rules: [...exception, `${taken} ${daddr} { ${all.join(', ')} } jump unknown`],
    chain: unknownChain('unknown', to, of, link),
  };
}

/** Sends a copy of each packet of an unknown connection to another node, and drops the packet itself. */
function unknownChain(name: string, to: string, of: Family, link: string): string {
  const away = `dup to ${to} device "${link}" drop`;
  return `  chain ${name} {
    ct state new tcp flags & (fin | syn | rst) == 0 ${away}
    ct state invalid tcp flags & (fin | rst) != 0 ${away}
    ct state invalid ${words[of].icmp} ${away}
  }
`;
}
