import { compareIp, contains, type Family, family, type Ip, networkOf } from '../model/ip.ts';
import { nftTable } from '../model/nft.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Link, NftName, NftTable } from '../model/object.ts';
import type { KnownGateway } from './node-table.ts';
import { families } from './node-view.ts';

/** In nft syntax. */
interface Words {
  readonly table: NftName;
  readonly daddr: string;
  /** Its errors: unreachable, too big, time exceeded, a wrong header. */
  readonly icmp: string;
}

/** Only these families have the statement `dup`; `inet` has not. */
const words: Readonly<Record<Family, Words>> = {
  4: {
    table: { family: 'ip', name: 'eiproute-drain4' },
    daddr: 'ip daddr',
    icmp: 'icmp type { 3, 11, 12 }',
  },
  6: {
    table: { family: 'ip6', name: 'eiproute-drain6' },
    daddr: 'ip6 daddr',
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
 * @param own all addresses of this node
 */
export function nextDraining(draining: readonly Ip[], own: ReadonlySet<Ip>, of: Family): Ip | undefined {
  const all = draining.filter((ip) => family(ip) === of).sort(compareIp);
  const self = all.findLast((ip) => own.has(ip));
  return self === undefined ? all[0] : all.find((ip) => compareIp(ip, self) > 0);
}

/**
 * Tables that send the packets of flows which began on a draining node there: one of each family where there is such a
 * node.
 *
 * The gateways send a draining node's part of the traffic to other nodes. A packet in the middle of a connection that
 * conntrack does not know came for it: a copy goes there, and the packet itself is dropped. The copy is not tracked, so
 * nothing stays behind here: no entry, no mark, no address that kube-proxy would translate. A new connection begins with
 * SYN, and is this node's own.
 *
 * conntrack calls a FIN, a RST or an ICMP error of an unknown connection invalid, and what else is in the middle new. An
 * invalid one of a connection that this node does know goes there as well, where nobody knows it either.
 *
 * A node that does not drain takes only what comes from a gateway, and one that drains sends only to a higher address. So
 * nothing goes in circles, not even while the nodes know of different drains.
 */
export function drainTables(
  agent: NodeAgent,
  link: Link,
  own: ReadonlySet<Ip>,
  known: readonly KnownGateway[],
): readonly NftTable[] {
  const networks = link.addresses.map(({ ip, length }) => networkOf(ip, length));
  // A node beyond a router would be reached by a gateway, which sends it back.
  const near = (agent.draining ?? []).filter((ip) => networks.some((network) => contains(network, ip)));
  return families(agent).flatMap((of) => {
    const to = nextDraining(near, own, of);
    const isDraining = near.some((ip) => own.has(ip) && family(ip) === of);
    const from = known.filter(({ gateway }) => family(gateway.address) === of).map(({ mac }) => mac);
    if (to === undefined || (from.length === 0 && !isDraining)) return [];
    const { table, daddr, icmp } = words[of];
    const sender = isDraining ? '' : ` ether saddr { ${[...new Set(from)].sort().join(', ')} }`;
    const eips = agent.eips.filter((prefix) => family(prefix) === of).join(', ');
    const away = `dup to ${to} device "${link.name}" drop`;
    const content = `  chain prerouting {
    type filter hook prerouting priority -149; policy accept;
    iifname "${link.name}"${sender} ${daddr} { ${eips} } jump unknown
  }
  chain unknown {
    ct state new tcp flags & (fin | syn | rst) == 0 ${away}
    ct state invalid tcp flags & (fin | rst) != 0 ${away}
    ct state invalid ${icmp} ${away}
  }
`;
    return [nftTable(table, agent.protocol, content)];
  });
}
