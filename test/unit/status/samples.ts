import { plain } from '../../../src/cli/paint.ts';
import { eipsListText, statusText } from '../../../src/cli/status-text.ts';
import { feedFailure } from '../../../src/cluster/failure.ts';
import { UnreachableError } from '../../../src/cluster/transport.ts';
import type { GatewayDesire } from '../../../src/desire/gateway-desire.ts';
import type { Feed, Snapshot } from '../../../src/model/cluster.ts';
import type { Host } from '../../../src/model/host.ts';
import { compareIp, type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { NeighbourState } from '../../../src/model/listing.ts';
import type { LookupNote } from '../../../src/model/lookup-note.ts';
import type { Route } from '../../../src/model/object.ts';
import { type LateCarriers, nobodyLately, type Standing } from '../../../src/model/probed.ts';
import type { Problem } from '../../../src/model/problem.ts';
import { silentNode } from '../../../src/probe/reachability-problems.ts';
import { type Shadow, shadowProblems } from '../../../src/probe/shadow-problems.ts';
import { type AgentTerms, agentProblems } from '../../../src/status/agents.ts';
import { type EipInputs, eipStatuses } from '../../../src/status/eips.ts';
import { figuresOfGateway, type GatewayInputs, gatewayStatus } from '../../../src/status/gateway.ts';
import type { GatewayFacts } from '../../../src/status/health.ts';
import { nodeProblems } from '../../../src/status/nodes.ts';
import type { AnnounceStatus, Figures, GatewayStatus } from '../../../src/status/status.ts';
import { endpoint, gateway, node, Scene, service, snapshot } from '../../scene.ts';

/** Gateways as the pages of docs/ show them. All times are fixed. */

const started = Date.UTC(2026, 0, 5, 9, 42, 10);
const now = started + (3 * 24 + 4) * 3_600_000 + 100_000;
const names = (index: number): string => ['', 'lo', 'eth0', 'eth1'][index] ?? `if${index}`;

const nodes = [1, 2, 3].map((n) => node(`node${n}`, [`10.0.0.1${n}`]));

/** 70 EIPs, every third under Local on one node. */
const services = Array.from({ length: 70 }, (_, i) =>
  service(
    `web${i}`,
    [`198.51.100.${i + 10}`],
    i % 3 === 2 ? { externalTrafficPolicy: 'Local', endpoints: [endpoint('node1')] } : {},
  ),
);

function feeds(heard: number, trouble?: string): readonly Feed[] {
  return (['services', 'endpointslices', 'nodes'] as const).map((resource) => ({
    resource,
    synced: true,
    heard,
    trouble,
  }));
}

/** What the agents of the nodes have to serve. */
const agentTerms: AgentTerms = {
  pools: [
    { name: 'public', addresses: [parsePrefix('198.51.100.0/24')] },
    { name: 'new', addresses: [parsePrefix('203.0.113.64/26')] },
  ],
  lan: [parseIp('10.0.0.1')],
  published: [parseIp('10.0.0.1')],
};

export interface Sample {
  readonly status: GatewayStatus;
  readonly figures: Figures;
  /** What `eiproute status` prints. */
  readonly text: string;
  /** What `eiproute status --eips` prints. */
  readonly eips: string;
}

interface SampleOptions {
  readonly cluster?: Partial<Snapshot>;
  readonly lan?: string;
  /** Before the first round. */
  readonly disturb?: (scene: Scene) => void;
  readonly neighbours?: Readonly<Record<string, NeighbourState>>;
  readonly standings?: Readonly<Record<string, Standing>>;
  /** How many EIPs leave a node. */
  readonly leaving?: ReadonlyMap<string, number>;
  readonly lately?: LateCarriers;
  /** Problems of the allocation. */
  readonly problems?: readonly Problem[];
  readonly waiting?: number;
  /** How many EIPs the kernel does not take our route for. */
  readonly shadowed?: number;
  readonly announce?: AnnounceStatus;
  readonly lookup?: readonly LookupNote[];
}

async function sample({
  cluster,
  lan = 'eth0',
  disturb,
  neighbours = {},
  standings: stands = {},
  leaving = new Map(),
  lately = nobodyLately,
  problems = [],
  waiting = 0,
  shadowed = 0,
  announce,
  lookup = [],
}: SampleOptions): Promise<Sample> {
  const settings = gateway({ lan });
  const scene = new Scene(snapshot(nodes, services, { feeds: feeds(now - 2000), ...cluster }), settings);
  disturb?.(scene);
  const first = await scene.round('link');
  const standings = new Map(Object.entries(stands).map(([ip, standing]) => [parseIp(ip), standing]));
  const hosts = new Map<Ip, Host>(
    Object.entries(neighbours).map(([ip, state]) => [
      parseIp(ip),
      { state, silentSince: state === 'FAILED' ? now - 41_000 : undefined },
    ]),
  );
  const silent = new Set([...hosts].flatMap(([ip, { silentSince }]) => (silentSince ? [ip] : [])));
  const desire = desireOf(scene);
  const { paths } = desire;
  const report = {
    ...first,
    at: now - 2000,
    duration: 1.25,
    problems: [
      ...first.problems,
      ...problems,
      ...scene.cluster.nodes.flatMap(({ name, addresses }) =>
        addresses.filter((ip) => silent.has(ip)).map((ip) => silentNode({ node: name, ip }, lan)),
      ),
      ...nodeProblems(scene.cluster.nodes, paths.candidates),
      ...agentProblems(scene.cluster.nodes, paths.candidates, agentTerms),
    ],
  };
  const facts: GatewayFacts = {
    now,
    lan,
    report,
    unreadable: undefined,
    counts: paths.counts,
    cluster: scene.cluster,
    source: 'kubernetes',
    shadowed,
    dark: [...paths.eipsWithin(silent)],
    unrouted: () => desire.unrouted(),
    names,
    announceStates: announce?.ipv4 && { 4: announce.ipv4.state, 6: announce.ipv4.state },
  };
  const inputs: GatewayInputs = {
    release: '0.1.0',
    host: 'gw1',
    pid: 142,
    started,
    now,
    config: '/etc/eiproute/gateway.yaml',
    repairs: { count: 3, last: now - 40 * 60_000 },
    names,
    facts,
    paths,
    nodes: scene.cluster.nodes,
    hosts,
    verdicts: new Map(),
    leaving,
    address: 'https://10.0.0.10:6443',
    sizes: [
      { name: 'public', family: 4, size: 254 },
      { name: 'few', family: 4, size: 1 },
    ],
    waiting,
    lease: { leads: true, holder: 'gw1' },
    announce,
    conntrack: announce && { entries: 38, limit: 39 },
    lookup,
    publish: { configMap: 'kube-system/eiproute', name: 'gw1', state: 'published', why: undefined },
    report,
  };
  const parsed: GatewayStatus = JSON.parse(JSON.stringify(gatewayStatus(inputs)));
  return {
    status: parsed,
    figures: figuresOfGateway(inputs),
    text: statusText(parsed, plain),
    eips: eipsText(scene, desire, silent, report, { standings, lately }),
  };
}

function desireOf({ role }: Scene): GatewayDesire {
  if (role.gatewayDesire === undefined) throw new Error('a scene without tables');
  return role.gatewayDesire;
}

function eipsText(
  scene: Scene,
  desire: GatewayDesire,
  silent: ReadonlySet<Ip>,
  report: GatewayInputs['report'],
  nodesOf: Pick<EipInputs, 'standings' | 'lately'>,
): string {
  const inputs = {
    paths: desire.paths.paths(),
    table: 254,
    actual: scene.reconciler.actual,
    desired: desire.table,
    report,
    silent,
    isShadowed: () => false,
    ...nodesOf,
  };
  const all = [...eipStatuses(inputs)].sort((a, b) => compareIp(a.eip, b.eip));
  return eipsListText(all, plain);
}

function foreign(eip: string, hop: Route['hops'][number]): Route {
  return {
    kind: 'route',
    table: 254,
    dst: `${eip}/32` as Route['dst'],
    metric: 0,
    protocol: 4,
    type: 'unicast',
    nhid: undefined,
    hops: [hop],
    src: undefined,
  };
}

const answering: Readonly<Record<string, NeighbourState>> = {
  '10.0.0.11': 'REACHABLE',
  '10.0.0.12': 'REACHABLE',
  '10.0.0.13': 'STALE',
};

export const well = (): Promise<Sample> => sample({ neighbours: answering });

export const degraded = (): Promise<Sample> =>
  sample({
    cluster: {
      nodes: nodes.map((one) => (one.name === 'node3' ? { ...one, notReady: true } : one)),
      services: [
        ...services,
        service('last', ['192.0.2.10']),
        service('idle', ['198.51.100.99'], { endpoints: [] }),
      ],
    },
    neighbours: { ...answering, '10.0.0.13': 'FAILED' },
    disturb: ({ world }) => {
      world.add(foreign('198.51.100.77', { via: parseIp('10.0.0.12'), link: 2, weight: 1 }));
      world.add(foreign('198.51.100.78', { via: undefined, link: 3, weight: 1 }));
    },
    problems: ['s7', 's8'].map(waits),
    waiting: 2,
  });

/** A rule of another program comes before ours, and a route. */
export const shadowed = (): Promise<Sample> => {
  const static4 = foreign('198.51.100.12', { via: parseIp('10.0.0.12'), link: 2, weight: 1 });
  const shadows = new Map<Ip, Shadow>([
    [parseIp('198.51.100.10'), { kind: 'refused', code: 'EACCES' }],
    [parseIp('198.51.100.11'), { kind: 'refused', code: 'EACCES' }],
    [parseIp('198.51.100.12'), { kind: 'route', route: { ...static4, table: 77 } }],
  ]);
  return sample({ neighbours: answering, problems: shadowProblems(shadows, names), shadowed: shadows.size });
};

/** The rules of the table go by what no question says. */
export const unasked = (): Promise<Sample> =>
  sample({
    neighbours: answering,
    lookup: [
      {
        family: 4,
        why: 'the rules that look up table 100 go by more than interface, mark and destination',
      },
    ],
  });

/** A pool is new, and the file of one node does not have it. */
export const lacking = (): Promise<Sample> => {
  const eips = agentTerms.pools.flatMap(({ addresses }) => addresses);
  const agent = { eips, gateways: agentTerms.lan, eipsAt: undefined, gatewaysAt: undefined };
  const behind = { ...agent, eips: eips.slice(0, 1), eipsAt: '/etc/eiproute/node.yaml:2' };
  const told = nodes.map((one) => ({ ...one, agent: one.name === 'node2' ? behind : agent }));
  return sample({ cluster: { nodes: told }, neighbours: answering });
};

export const drained = (): Promise<Sample> =>
  sample({
    neighbours: answering,
    announce: {
      segment: undefined,
      claimed: undefined,
      claims: undefined,
      table: 86,
      ipv4: { state: 'draining', eips: 0 },
      ipv6: undefined,
      drainingSince: new Date(now - 4 * 60_000).toISOString(),
    },
  });

export const noLan = (): Promise<Sample> =>
  sample({ cluster: { services: services.slice(0, 4) }, lan: 'enp9s0' });

const dropped = new UnreachableError(
  'https://10.0.0.10:6443',
  '/etc/eiproute/kubeconfig',
  Object.assign(new Error(), { code: 'UND_ERR_CONNECT_TIMEOUT' }),
);

export const frozen = (): Promise<Sample> =>
  sample({
    cluster: {
      services: services.slice(0, 2),
      feeds: feeds(now - 48_000, feedFailure(dropped, 'nodes', 'silent')),
    },
    neighbours: answering,
  });

const leaves = { standing: 'leaving', ip: parseIp('10.0.0.13'), until: now + 4 * 60_000 } as const;

export const aFew = (): Promise<Sample> =>
  sample({
    cluster: {
      services: [...services.slice(0, 3), service('idle', ['198.51.100.99'], { endpoints: [] })],
    },
    neighbours: { ...answering, '10.0.0.12': 'FAILED' },
    standings: { '10.0.0.12': 'silent', '10.0.0.13': 'draining' },
    leaving: new Map([['node3', 1]]),
    lately: (name) => new Map(name === 'default/web2' ? [['node3', leaves]] : []),
    disturb: ({ world }) =>
      world.add(foreign('198.51.100.11', { via: parseIp('10.0.0.12'), link: 2, weight: 1 })),
  });

function waits(name: string): Problem {
  return {
    code: 'service-waits',
    severity: 'warn',
    subject: `Service default/${name}`,
    message: `Service default/${name} waits for an address: pool few has no free address`,
    advice: 'enlarge the pool, or delete a Service that holds one of its addresses: it is given at once',
    service: `default/${name}`,
  };
}
