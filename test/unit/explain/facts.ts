import type { KernelFacts, ProbeFacts, TraceFacts } from '../../../src/explain/trace-facts.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { NeighbourState } from '../../../src/model/listing.ts';
import type { Link } from '../../../src/model/object.ts';
import type { PathView, ServiceView } from '../../../src/status/path-view.ts';
import { gateway } from '../../scene.ts';

/** The facts of an EIP that works, and parts of them that tests change. */

const now = Date.UTC(2026, 0, 8, 13, 44, 10);
const eip = parseIp('198.51.100.10');

export const nodes = [1, 3].map((n) => ({
  node: `node${n}`,
  ip: parseIp(`10.0.0.1${n}`),
  standing: undefined,
}));

function link(index: number, name: string, address: string): Link {
  return { index, name, up: true, carrier: true, addresses: [{ ip: parseIp(address), length: 24 }] };
}

export const links = [link(2, 'eth0', '10.0.0.1'), link(3, 'eth1', '203.0.113.1')] as const;

export const web: ServiceView = {
  name: 'default/web',
  holds: true,
  type: 'LoadBalancer',
  loadBalancerClass: undefined,
  policy: 'Local',
  ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  endpoints: 2,
  nodes: 2,
};

export const view: PathView = {
  eip,
  pool: { name: 'public', networks: ['198.51.100.0/24'] },
  services: [web],
  carriers: nodes,
  leftOut: [{ node: 'node2', why: 'no ready endpoint' }],
  problems: [],
};

export const route = {
  type: 'unicast',
  table: 254,
  protocol: 86,
  metric: 0,
  nhid: 260_000_002,
  dst: '198.51.100.10',
  hops: nodes.map(({ ip }) => ({ via: ip, dev: 'eth0' })),
} as const;

export function neighbours(
  ...states: readonly (NeighbourState | undefined)[]
): ReadonlyMap<Ip, NeighbourState> {
  return new Map(nodes.flatMap(({ ip }, i) => (states[i] === undefined ? [] : [[ip, states[i]] as const])));
}

export const kernel: KernelFacts = {
  links,
  nhid: route.nhid,
  vias: nodes.map(({ ip }) => ip),
  holder: undefined,
  isAnswered: undefined,
  matched: { kind: 'route', route },
  client: parseIp('203.0.113.254'),
  forwarded: { kind: 'route', route: { ...route, nhid: undefined, protocol: 0 } },
  sysctls: new Map([
    ['net/ipv4/ip_forward', '1'],
    ['net/ipv4/conf/eth0/forwarding', '1'],
    ['net/ipv4/conf/eth1/forwarding', '1'],
    ['net/ipv4/conf/all/rp_filter', '0'],
    ['net/ipv4/conf/eth1/rp_filter', '0'],
  ]),
  firewall: { kind: 'passes' },
  neighbours: neighbours('REACHABLE', 'REACHABLE'),
};

export const well: TraceFacts = {
  now,
  asked: '198.51.100.10',
  port: undefined,
  gateway: gateway({
    lan: 'eth0',
    uplink: 'eth1',
    pools: [{ name: 'public', addresses: [parsePrefix('198.51.100.0/24')] }],
  }),
  source: { kind: 'daemon', state: 'OK', summary: '70 of 70 EIPs routed over 3 nodes' },
  view,
  needs: [],
  silentSince: {},
  elsewhere: undefined,
  kernel,
  probe: undefined,
};

export const probed: ProbeFacts = {
  kind: 'probed',
  port: 80,
  fromLan: { kind: 'connected', ms: 0.9 },
  fromUplink: { kind: 'connected', ms: 1.1 },
  nodes: nodes.map(({ node, ip }, i) => ({
    node,
    to: `${ip}:30080`,
    attempt: { kind: 'connected', ms: 0.4 + i / 10 },
  })),
};

/** node3 alone carries it, and is silent. */
export const silentNode: TraceFacts = {
  ...well,
  source: {
    kind: 'daemon',
    state: 'DEGRADED',
    summary: '70 of 70 EIPs routed over 3 nodes; 1 without a node that answers',
  },
  view: {
    ...view,
    services: [{ ...web, endpoints: 1, nodes: 1 }],
    carriers: nodes.slice(1),
    leftOut: ['node1', 'node2'].map((node) => ({ node, why: 'no ready endpoint' })),
  },
  silentSince: { [parseIp('10.0.0.13')]: new Date(now - 41_000).toISOString() },
  kernel: {
    ...kernel,
    vias: nodes.slice(1).map(({ ip }) => ip),
    neighbours: neighbours(undefined, 'FAILED'),
  },
};
