import { family, type Ip, type Prefix } from '../../src/model/ip.ts';
import {
  api,
  client,
  clientNetwork,
  clients,
  type Dual,
  gateway,
  gateway2,
  node,
  other,
  podBridge,
  podNetwork,
  pools,
  upstream,
} from './map.ts';

/** Makes the full name of a namespace: `gateway` -> `eip-x7k2-gateway`. */
export type Naming = (part: string) => string;

/** What one namespace needs, in the words of `ip -batch` and below /proc/sys. */
export interface Place {
  readonly part: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
  /** For `ip -6 -batch`: `ip rule` does not tell the family by the address. */
  readonly lines6: readonly string[];
}

/** Settings that differ from machine to machine, since IPv4's are inherited from the machine itself. */
const sober = {
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
  'net/ipv4/conf/all/accept_redirects': '0',
  'net/ipv4/conf/all/send_redirects': '0',
  'net/ipv4/conf/default/send_redirects': '0',
  // Addresses made by hand, in a network made by hand: no second of waiting for duplicates.
  'net/ipv6/conf/all/accept_dad': '0',
  'net/ipv6/conf/default/accept_dad': '0',
  'net/ipv6/conf/default/accept_ra': '0',
};
const router = { ...sober, 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' };

/** How large the network is, and how much of it is left to eiproute. */
export interface Shape {
  /** 1..9 */
  readonly nodes: number;
  /** The second is like the first; it is nobody's route until someone makes one. */
  readonly gateways?: 1 | 2;
  /** What a node needs beside its kube-proxy: done here, or by eiproute's node agent. */
  readonly nodeRouting?: 'by hand' | 'by agents';
}

/** All cables, as one batch for `ip` inside the switch's namespace; each end is born where it belongs. */
export function cables({ nodes, gateways = 1 }: Shape, at: Naming): readonly string[] {
  const cable = (part: string, device: string, port: string, mac?: string): string =>
    `link add name ${port} type veth peer name ${device}${mac ? ` address ${mac}` : ''} netns ${at(part)}`;
  const second = gateways === 1 ? [] : ['gateway2'];
  return [
    'link add name lan type bridge mcast_snooping 0',
    'link add name uplink type bridge mcast_snooping 0',
    cable('gateway', 'eth0', 'gateway', gateway.lanMac),
    cable('gateway', 'eth1', 'gateway-up'),
    cable('other', 'eth0', 'other'),
    cable('other', 'eth1', 'other-up'),
    ...(gateways === 1
      ? []
      : [cable('gateway2', 'eth0', 'gateway2', gateway2.lanMac), cable('gateway2', 'eth1', 'gateway2-up')]),
    cable('upstream', 'eth1', 'upstream'),
    cable('api', 'eth0', 'api'),
    ...numbers(nodes).map((i) => cable(`node${i}`, 'eth0', `node${i}`)),
    `link add name eth0 netns ${at('client')} type veth peer name eth0 netns ${at('upstream')}`,
    ...['gateway', ...second, 'other', 'api', ...numbers(nodes).map((i) => `node${i}`)].map((port) =>
      plug(port, 'lan'),
    ),
    ...['gateway-up', ...second.map((name) => `${name}-up`), 'other-up', 'upstream'].map((port) =>
      plug(port, 'uplink'),
    ),
    'link set lan up',
    'link set uplink up',
  ];
}

/** Every namespace of the network but the pods', with what to set and run in it. */
export function places(shape: Shape): readonly Place[] {
  const { nodes, gateways = 1, nodeRouting = 'by hand' } = shape;
  return [
    { part: 'switch', sysctls: sober, lines: [], lines6: [] },
    {
      part: 'client',
      sysctls: sober,
      lines: [
        ...up('eth0'),
        ...numbers(clients).flatMap((i) => addresses('eth0', client(i - 1), clientNetwork)),
        ...defaults(upstream.inner, 'eth0'),
      ],
      lines6: [],
    },
    {
      part: 'upstream',
      sysctls: router,
      lines: [
        ...up('eth0'),
        ...up('eth1'),
        ...addresses('eth0', upstream.inner, clientNetwork),
        ...addresses('eth1', upstream.outer, { v4: 24, v6: 64 }),
        ...pools.map((pool) => `route add ${pool} via ${pick(gateway.uplink, pool)} dev eth1`),
      ],
      lines6: [],
    },
    gatewayPlace('gateway', gateway),
    ...(gateways === 1 ? [] : [gatewayPlace('gateway2', gateway2)]),
    {
      part: 'other',
      sysctls: router,
      lines: [
        ...up('eth0'),
        ...up('eth1'),
        ...addresses('eth0', other.lan, { v4: 24, v6: 64 }),
        ...addresses('eth1', other.uplink, { v4: 24, v6: 64 }),
        ...defaults(upstream.outer, 'eth1'),
      ],
      lines6: [],
    },
    {
      part: 'api',
      sysctls: sober,
      // Another host of the LAN: its way to EIPs is the gateway.
      lines: [
        ...up('eth0'),
        ...addresses('eth0', api, { v4: 24, v6: 64 }),
        ...pools.map((pool) => `route add ${pool} via ${pick(gateway.lan, pool)} dev eth0`),
      ],
      lines6: [],
    },
    ...numbers(nodes).map((i) => nodePlace(i, nodes, nodeRouting)),
  ];
}

/** As a fresh machine is: it does not forward, and filters by reverse path. The rest is eiproute's. */
function gatewayPlace(part: string, at: typeof gateway): Place {
  return {
    part,
    sysctls: {
      ...sober,
      'net/ipv4/ip_forward': '0',
      'net/ipv4/conf/all/rp_filter': '1',
      'net/ipv4/conf/default/rp_filter': '1',
      'net/ipv4/conf/all/send_redirects': '1',
      'net/ipv4/conf/default/send_redirects': '1',
    },
    lines: [
      ...up('eth0'),
      ...up('eth1'),
      ...addresses('eth0', at.lan, { v4: 24, v6: 64 }),
      ...addresses('eth1', at.uplink, { v4: 24, v6: 64 }),
    ],
    lines6: [],
  };
}

function nodePlace(self: number, nodes: number, routing: 'by hand' | 'by agents'): Place {
  const others = numbers(nodes).filter((i) => i !== self);
  const mine = podBridge(self);
  const ours = routing === 'by hand' ? pools : [];
  return {
    part: `node${self}`,
    sysctls: router,
    lines: [
      ...up('eth0'),
      ...addresses('eth0', node(self), { v4: 24, v6: 64 }),
      // An address of its own: else it has that of a pod's cable, and all pods lose it when that pod goes.
      `link add name cni0 address 02:00:0a:f4:00:0${self} type bridge mcast_snooping 0`,
      'link set cni0 up',
      ...addresses('cni0', mine, { v4: 24, v6: 64 }),
      // A reply that goes there is lost: it is nothing that the other router has seen the beginning of.
      ...defaults(other.lan, 'eth0'),
      // Pods of other nodes, as a CNI without tunnels has it.
      ...others.flatMap((i) => [
        `route add ${podNetwork(i).v4} via ${node(i).v4} dev eth0`,
        `route add ${podNetwork(i).v6} via ${node(i).v6} dev eth0`,
      ]),
      ...ours.filter((pool) => family(pool) === 4).flatMap((pool) => nodeRouting(self, pool)),
    ],
    lines6: ours.filter((pool) => family(pool) === 6).flatMap((pool) => nodeRouting(self, pool)),
  };
}

/**
 * What a node needs beside its kube-proxy: EIPs are its own (or a packet for a port that nobody serves would
 * bounce between node and gateway), and replies leave by way of the gateway. The main default route leads
 * elsewhere, so nothing works by accident. `nodeFilter` is the other half.
 */
function nodeRouting(self: number, pool: Prefix): readonly string[] {
  return [
    `route add local ${pool} dev lo table 100 src ${pick(node(self), pool)}`,
    `rule add pref 1100 to ${pool} lookup 100`,
    `route add default via ${pick(gateway.lan, pool)} dev eth0 table 101`,
    'rule add pref 1001 fwmark 0x00100000/0x00f00000 lookup 101',
    `rule add pref 1101 from ${pool} lookup 101`,
  ];
}

/** Of the other router: what it did not see the beginning of does not pass. It counts what it drops. */
export const otherFilter = `table inet eip-other {
  chain forward {
    type filter hook forward priority filter
    ct state invalid counter drop
    ct direction original ct state new tcp flags & (syn | ack) != syn counter drop
  }
}
`;

/** One rule set for both directions, in nft's words. The mark remembers through which gateway a flow came. */
export function nodeFilter(): string {
  const daddr = (pool: Prefix): string => `${family(pool) === 4 ? 'ip' : 'ip6'} daddr ${pool}`;
  const reply =
    '    ct direction reply ct mark and 0x00f00000 == 0x00100000 meta mark set meta mark and 0xff0fffff or 0x00100000\n';
  return `table inet eip-node {
  chain pre {
    type filter hook prerouting priority mangle
${pools
  .map(
    (pool) =>
      `    iifname eth0 ether saddr ${gateway.lanMac} ${daddr(pool)} ct direction original ct mark set ct mark and 0xff0fffff or 0x00100000\n`,
  )
  .join('')}${reply}  }
  chain out {
    type route hook output priority mangle
${reply}  }
  chain in {
    type filter hook input priority filter
${pools
  .map(
    (pool) => `    ${daddr(pool)} ct state new meta l4proto tcp reject with tcp reset
    ${daddr(pool)} ct state new meta l4proto != { icmp, icmpv6 } reject
`,
  )
  .join('')}  }
}
`;
}

/** The cable of a new pod, and its end on the node; for `ip` inside the node's namespace. */
export function podCable(name: string, namespace: string): readonly string[] {
  return [
    `link add name ${name} type veth peer name eth0 netns ${namespace}`,
    `link set ${name} master cni0 up`,
    // Where br_netfilter is on, a pod that is its own Service's endpoint hears itself by the port it spoke to.
    `link set ${name} type bridge_slave hairpin on`,
  ];
}

/** For `ip` inside the pod's namespace. */
export function podLines(ip: Dual, bridge: Dual): readonly string[] {
  return [...up('eth0'), ...addresses('eth0', ip, { v4: 24, v6: 64 }), ...defaults(bridge, 'eth0')];
}

export const podSysctls = sober;

function plug(port: string, bridge: string): string {
  return `link set ${port} master ${bridge} up`;
}

function up(device: string): readonly string[] {
  return ['link set lo up', `link set ${device} up`];
}

function addresses(device: string, ip: Dual, length: { v4: number; v6: number }): readonly string[] {
  return [
    `addr add ${ip.v4}/${length.v4} dev ${device}`,
    `addr add ${ip.v6}/${length.v6} dev ${device} nodad`,
  ];
}

function defaults(via: Dual, device: string): readonly string[] {
  return [`route add default via ${via.v4} dev ${device}`, `route add default via ${via.v6} dev ${device}`];
}

function pick(of: Dual, like: Parameters<typeof family>[0]): Ip {
  return family(like) === 4 ? of.v4 : of.v6;
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
