import fc from 'fast-check';
import {
  type ApiPeer,
  clusterOf,
  type Node,
  qualified,
  type Service,
  type Snapshot,
} from '../../../src/model/cluster.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import { type Family, family, type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { noProbePaths, type ProbePaths } from '../../../src/model/probe-path.ts';
import {
  type ByFamily,
  type FormerNodes,
  noFormerNodes,
  type Probed,
  type Standing,
} from '../../../src/model/probed.ts';
import { endpoint, gateway, node, request, service, snapshot } from '../../scene.ts';

/** Small numbers on purpose: EIPs are shared, come back as they were, and take each other's places. */
const eips = ['198.51.100.10', '198.51.100.11', '198.51.100.12', '192.0.2.10', '2001:db8:e::10'];
const outside = '203.0.113.77';
/** In a pool, and an InternalIP of a node or the address of the API server now and then. */
const claimed = '198.51.100.12';
const nodeNames = ['n1', 'n2', 'n3', 'n4', 'far'];

/** One event in the life of a gateway. */
export type Step =
  | { readonly kind: 'service'; readonly name: string; readonly to: ServiceShape | undefined }
  | { readonly kind: 'endpoints'; readonly name: string; readonly on: readonly OnNode[] }
  | { readonly kind: 'node'; readonly name: string; readonly to: NodeShape | undefined }
  | { readonly kind: 'stand'; readonly name: string; readonly of: 4 | 6; readonly to: Standing | undefined }
  | {
      readonly kind: 'wait';
      readonly name: string;
      readonly node: string;
      readonly of: 4 | 6;
      readonly to: boolean;
    }
  /** A node that is not there was deleted lately. */
  | { readonly kind: 'deleted'; readonly name: string; readonly to: boolean }
  /** The others cover for a node under Cluster. */
  | { readonly kind: 'covered'; readonly name: string; readonly of: 4 | 6; readonly to: boolean }
  /** A node had endpoints of the Service until lately, or that is long ago. */
  | {
      readonly kind: 'former';
      readonly name: string;
      readonly node: string;
      readonly of: 4 | 6;
      readonly to: boolean;
    }
  /** A node whose endpoints of the Service all end carries on, or no more. */
  | {
      readonly kind: 'leave';
      readonly name: string;
      readonly node: string;
      readonly of: 4 | 6;
      readonly to: boolean;
    }
  | { readonly kind: 'gateway'; readonly to: GatewayShape }
  | { readonly kind: 'complete'; readonly to: boolean }
  /** The API is reached by an address of a pool. */
  | { readonly kind: 'api'; readonly to: boolean }
  | { readonly kind: 'drain'; readonly to: boolean }
  | { readonly kind: 'hear'; readonly to: boolean }
  | { readonly kind: 'claim'; readonly eip: string; readonly to: boolean }
  | { readonly kind: 'disturb'; readonly what: Disturbance; readonly nth: number }
  | { readonly kind: 'refuse'; readonly chance: number };

export type Disturbance =
  | 'delete'
  | 'change'
  | 'flap'
  | 'lan down'
  | 'lan up'
  | 'lan anew'
  | 'uplink flaps'
  | 'uplink down'
  | 'uplink up'
  | 'foreign id'
  | 'former ids'
  | 'own address'
  | 'active address'
  | 'sysctl';

interface OnNode {
  /** undefined: the endpoint names none. */
  readonly node: string | undefined;
  readonly ready: boolean;
  /** Where it is not ready: it shuts down, and serves. */
  readonly ends?: boolean;
}

interface ServiceShape {
  readonly eips: readonly string[];
  readonly external: readonly string[];
  readonly policy: 'Cluster' | 'Local';
  readonly on: readonly OnNode[];
  readonly namespace: string;
  readonly created: number;
  readonly key: string | undefined;
  /** Absent: one. */
  readonly nodePorts?: 'none' | 'some' | 'many';
  /** The addresses of its status are those of a proxy. */
  readonly isProxied?: boolean;
  /** Networks that may connect; absent: all. */
  readonly ranges?: 'few' | 'too many' | undefined;
}

interface NodeShape {
  readonly shift: number;
  readonly excluded: boolean;
  readonly extra: boolean;
  /** Its own addresses that are not known yet; absent: none. */
  readonly lacks?: 'IPv4' | 'both' | undefined;
}

interface GatewayShape {
  readonly weighByEndpoints: boolean;
  readonly buckets: number | undefined;
  readonly idleTimer: number;
  /** Absent: always. */
  readonly announces?: 'nothing' | 'always' | 'while active';
  readonly aggregates?: boolean;
  /** Absent: none. */
  readonly nat?: 'none' | 'all pools' | 'one pool';
  /** The pool 'public' is announced by layer 2; 'alone': and no other is announced. */
  readonly layer2?: 'no' | 'beside bgp' | 'alone';
}

const serviceName = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const anyOn = fc.array(
  fc.record({
    node: fc.constantFrom(...nodeNames, ...nodeNames, undefined),
    ready: fc.boolean(),
    ends: fc.boolean(),
  }),
  { maxLength: 4 },
);

const anyServiceShape: fc.Arbitrary<ServiceShape> = fc.record({
  eips: fc.uniqueArray(fc.constantFrom(...eips, outside), { maxLength: 3 }),
  external: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.uniqueArray(fc.constantFrom(...eips, outside), { maxLength: 2 }),
  ),
  policy: fc.constantFrom('Cluster', 'Local'),
  on: anyOn,
  namespace: fc.constantFrom('default', 'default', 'other'),
  created: fc.nat(3),
  key: fc.constantFrom(undefined, undefined, 'k'),
  nodePorts: fc.constantFrom('none', 'some', 'many', 'many'),
  isProxied: fc.constantFrom(false, false, false, true),
  ranges: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    'few',
    'few',
    'too many',
  ),
});

const anyNodeShape: fc.Arbitrary<NodeShape> = fc.record({
  shift: fc.constantFrom(0, 0, 0, 1),
  excluded: fc.constantFrom(false, false, false, true),
  extra: fc.constantFrom(false, false, false, true),
  lacks: fc.constantFrom(undefined, undefined, undefined, undefined, 'IPv4' as const, 'both' as const),
});

const anyNat = fc.constantFrom('none' as const, 'all pools' as const, 'one pool' as const);

const anyGatewayShape: fc.Arbitrary<GatewayShape> = fc.record({
  weighByEndpoints: fc.boolean(),
  buckets: fc.constantFrom(undefined, 32, 64),
  idleTimer: fc.constantFrom(60, 120),
  announces: fc.constantFrom('nothing', 'always', 'while active'),
  aggregates: fc.boolean(),
  nat: anyNat,
  layer2: fc.constantFrom('no', 'beside bgp', 'alone'),
});

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('service' as const),
      name: serviceName,
      to: fc.option(anyServiceShape, { nil: undefined, freq: 4 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('endpoints' as const), name: serviceName, on: anyOn }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('node' as const),
      name: fc.constantFrom(...nodeNames),
      to: fc.option(anyNodeShape, { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('stand' as const),
      name: fc.constantFrom(...nodeNames),
      of: fc.constantFrom(4 as const, 4 as const, 6 as const),
      to: fc.constantFrom(
        'silent' as const,
        'draining' as const,
        'drained' as const,
        'waiting' as const,
        undefined,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      name: serviceName,
      node: fc.constantFrom(...nodeNames),
      of: fc.constantFrom(4 as const, 4 as const, 6 as const),
      to: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('former' as const),
      name: serviceName,
      node: fc.constantFrom(...nodeNames),
      of: fc.constantFrom(4 as const, 4 as const, 6 as const),
      to: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('deleted' as const),
      name: fc.constantFrom(...nodeNames),
      to: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('covered' as const),
      name: fc.constantFrom(...nodeNames),
      of: fc.constantFrom(4 as const, 4 as const, 6 as const),
      to: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('leave' as const),
      name: serviceName,
      node: fc.constantFrom(...nodeNames),
      of: fc.constantFrom(4 as const, 4 as const, 6 as const),
      to: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gateway' as const), to: anyGatewayShape }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('complete' as const), to: fc.constantFrom(true, true, false) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('disturb' as const),
      what: fc.constantFrom(
        'delete',
        'delete',
        'change',
        'flap',
        'lan down',
        'lan up',
        'lan up',
        'lan anew',
        'uplink flaps',
        'uplink down',
        'uplink up',
        'foreign id',
        'former ids',
        'own address',
        'active address',
        'sysctl',
      ),
      nth: fc.nat(30),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('api' as const), to: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const), to: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hear' as const), to: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      // Few, so that one is claimed, routed, and free again within a history.
      eip: fc.constantFrom('198.51.100.10', '198.51.100.11'),
      to: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), chance: fc.nat(3) }) },
);

export interface History {
  readonly nodes: readonly string[];
  /** Absent: one, without a name. */
  readonly clusters?: 'one' | 'two';
  /** Absent: none. */
  readonly nat?: NonNullable<GatewayShape['nat']>;
  readonly steps: readonly Step[];
  /** Of the first gateway; absent: 'no'. */
  readonly layer2?: GatewayShape['layer2'];
}

/** Services that are routed at once, as long as none of them takes the EIP of another one. */
const anyOpening: fc.Arbitrary<readonly Step[]> = fc.uniqueArray(
  fc.record({
    kind: fc.constant('service' as const),
    name: serviceName,
    to: fc.record({
      eips: fc.uniqueArray(fc.constantFrom(...eips), { minLength: 1, maxLength: 2 }),
      external: fc.constant([]),
      policy: fc.constantFrom('Cluster' as const, 'Local' as const),
      on: fc.uniqueArray(
        fc.record({ node: fc.constantFrom('n1', 'n2', 'n3', 'n4'), ready: fc.constant(true) }),
        { minLength: 1, maxLength: 3, selector: ({ node }) => node },
      ),
      namespace: fc.constant('default'),
      created: fc.nat(3),
      key: fc.constant(undefined),
      nodePorts: fc.constant('many' as const),
    }),
  }),
  { minLength: 1, maxLength: 4, selector: ({ name }) => name },
);

/** @param steps of those that follow the opening, which every second history has */
export function anyHistory(steps: {
  readonly minLength: number;
  readonly maxLength: number;
}): fc.Arbitrary<History> {
  return fc
    .record({
      clusters: fc.constantFrom('one' as const, 'two' as const),
      nodes: fc.oneof(fc.constant(nodeNames.slice(0, 4)), fc.subarray(nodeNames)),
      nat: anyNat,
      opening: fc.oneof(fc.constant([]), anyOpening),
      steps: fc.array(anyStep, steps),
      layer2: fc.constantFrom('no' as const, 'beside bgp' as const),
    })
    .map(({ opening, ...rest }) => ({ ...rest, steps: [...opening, ...rest.steps] }));
}

/** Services of these names are in the cluster `west`, where there are two. */
const western = ['e', 'f'];
/** Nodes of these names are in both clusters, with other addresses. */
const inBoth = ['n1', 'n3', 'n4'];

/**
 * The cluster of a history, event by event: what an event does not touch is the same object before and after. Where there
 * are two, only the lists of `east` are incomplete now and then.
 */
export class ClusterModel {
  readonly #clusters: readonly (string | undefined)[];
  readonly #services = new Map<string, Service>();
  readonly #nodes = new Map<string, Node>();
  #complete = true;
  #apiPeers: readonly ApiPeer[] = [];
  #nodeList: readonly Node[] = [];
  #standings: ReadonlyMap<Ip, Standing> = new Map();
  /** As nodes that wait are asked. */
  #probePaths = noProbePaths;
  /** `service node family` */
  readonly #waiting = new Set<string>();
  /** `service node family` */
  readonly #former = new Set<string>();
  readonly #deleted = new Set<string>();
  /** `node family` */
  readonly #covered = new Set<string>();
  #formerNodes = noFormerNodes;
  /** `service node family` */
  readonly #leaving = new Set<string>();
  #areNodesHeard = true;
  #probed: Probed = this.#probe();

  /** Another object whenever something in it has changed. */
  get probed(): Probed {
    return this.#probed;
  }

  constructor({ nodes, clusters }: Pick<History, 'nodes' | 'clusters'>) {
    this.#clusters = clusters === 'two' ? ['east', 'west'] : [undefined];
    for (const name of nodes) this.#setNode(name, { shift: 0, excluded: false, extra: false });
    this.#nodeList = [...this.#nodes.values()];
  }

  snapshot(): Snapshot {
    const services = [...this.#services.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    return snapshot(
      this.#nodeList,
      services.map(([, one]) => one),
      { complete: this.#complete, apiPeers: this.#apiPeers, ...this.#states() },
    );
  }

  #states(): Pick<Snapshot, 'clusters'> {
    const names = this.#clusters.filter((name) => name !== undefined);
    if (names.length === 0) return {};
    const complete = (name: string): boolean => name === 'west' || this.#complete;
    return {
      clusters: names.map((name) => ({ name, complete: complete(name), remembered: !complete(name) })),
    };
  }

  /** Of a Service. */
  #clusterOf(name: string): string | undefined {
    return this.#clusters[western.includes(name) ? this.#clusters.length - 1 : 0];
  }

  /** Some endpoint is on a node that is not there, or lacks an address. */
  hasStrayEndpoints(): boolean {
    const isWhole = (name: string): boolean =>
      new Set(this.#nodes.get(name)?.addresses.map((ip) => family(ip))).size === 2;
    return [...this.#services.values()].some(({ endpoints }) =>
      endpoints.some(({ node: name }) => name !== undefined && !isWhole(name)),
    );
  }

  apply(step: Step): void {
    switch (step.kind) {
      case 'service':
        this.#setService(step.name, step.to);
        return;
      case 'endpoints': {
        for (const [key, one] of this.#services) {
          if (one.name === step.name)
            this.#services.set(key, { ...one, endpoints: endpointsOn(step.on, one.cluster) });
        }
        return;
      }
      case 'node':
        if (step.to === undefined)
          for (const cluster of this.#clusters) this.#nodes.delete(qualified(cluster, step.name));
        else this.#setNode(step.name, step.to);
        this.#nodeList = [...this.#nodes.values()];
        return;
      case 'complete':
        this.#complete = step.to;
        return;
      case 'api':
        this.#apiPeers = step.to ? [{ ip: parseIp(claimed), from: 'server' }] : [];
        return;
      case 'stand': {
        const standings = new Map(this.#standings);
        const [v4, v6] = addressesOf(step.name, 0);
        const ip = parseIp(step.of === 4 ? v4 : v6);
        if (step.to !== undefined) standings.set(ip, step.to);
        else standings.delete(ip);
        this.#standings = standings;
        this.#probePaths = pathsOf([...standings.keys()].filter((ip) => standings.get(ip) === 'waiting'));
        this.#probed = this.#probe();
        return;
      }
      case 'wait':
      case 'former':
      case 'leave': {
        const key = `${step.name} ${step.node} ${step.of}`;
        const nodes = { wait: this.#waiting, former: this.#former, leave: this.#leaving }[step.kind];
        if (step.to) nodes.add(key);
        else nodes.delete(key);
        this.#probed = this.#probe();
        return;
      }
      case 'deleted':
      case 'covered': {
        const key = step.kind === 'deleted' ? step.name : `${step.name} ${step.of}`;
        const names = step.kind === 'deleted' ? this.#deleted : this.#covered;
        if (step.to) names.add(key);
        else names.delete(key);
        this.#formerNodes = this.#formerNodesNow();
        this.#probed = this.#probe();
        return;
      }
      case 'hear':
        this.#areNodesHeard = step.to;
        this.#probed = this.#probe();
        return;
      case 'gateway':
      case 'drain':
      case 'claim':
      case 'disturb':
      case 'refuse':
        return;
      default:
        step satisfies never;
    }
  }

  #formerNodesNow(): FormerNodes {
    const deleted = new Map<string, readonly Ip[]>();
    for (const name of this.#deleted)
      for (const cluster of this.#clusters)
        deleted.set(qualified(cluster, name), addressesOf(name, 0).map(parseIp));
    const covered = this.#clusters.map((cluster) => {
      const names = (of: 4 | 6): ReadonlySet<string> =>
        new Set(
          nodeNames
            .filter((name) => this.#covered.has(`${name} ${of}`))
            .map((name) => qualified(cluster, name)),
        );
      return [cluster, { 4: names(4), 6: names(6) }] as const;
    });
    return { deleted, covered: new Map(covered) };
  }

  #probe(): Probed {
    const byFamily = (noted: ReadonlySet<string>, service: string): ByFamily => {
      const nodes = (of: 4 | 6): ReadonlySet<string> =>
        new Set(
          nodeNames
            .filter((name) => noted.has(`${service.split('/')[1]} ${name} ${of}`))
            .map((name) => qualified(clusterOf(service), name)),
        );
      return { 4: nodes(4), 6: nodes(6) };
    };
    const waiting = new Set(this.#waiting);
    const former = new Set(this.#former);
    const leaving = new Set(this.#leaving);
    return {
      standings: this.#standings,
      areNodesHeard: this.#areNodesHeard,
      probePaths: this.#probePaths,
      waiting: (service) => byFamily(waiting, service),
      formerCarriers: (service) => byFamily(former, service),
      formerNodes: this.#formerNodes,
      leaving: (service) => byFamily(leaving, service),
      takeTurned: () => new Set(),
    };
  }

  #setService(name: string, to: ServiceShape | undefined): void {
    for (const [key, one] of this.#services) if (one.name === name) this.#services.delete(key);
    if (to === undefined) return;
    const { namespace, created, key } = to;
    const annotations: Record<string, string> = key === undefined ? {} : { 'eiproute.io/sharing-key': key };
    const cluster = this.#clusterOf(name);
    const made = service(name, to.eips, {
      ...(cluster === undefined ? {} : { cluster }),
      namespace,
      externalIps: service('x', to.external).ingress,
      externalTrafficPolicy: to.policy,
      request: request({ created, annotations }),
      endpoints: endpointsOn(to.on, cluster),
      ports: portsOf[to.nodePorts ?? 'some'],
      ...(to.isProxied ? { proxied: service('x', to.eips).ingress } : {}),
      ...(to.ranges === undefined ? {} : { sourceRanges: rangesOf[to.ranges] }),
    });
    this.#services.set(qualified(cluster, `${namespace}/${name}`), made);
  }

  #setNode(name: string, { shift, excluded, extra, lacks }: NodeShape): void {
    for (const cluster of this.#clusters) {
      if (cluster === 'west' && !inBoth.includes(name)) continue;
      const [v4, v6] = addressesOf(name, cluster === 'west' ? shift + 100 : shift);
      const own = lacks === 'both' ? [] : lacks === 'IPv4' ? [v6] : [v4, v6];
      const addresses = [...own, ...(extra && cluster !== 'west' ? [claimed] : [])];
      const rest = {
        excludeLabel: excluded ? 'true' : undefined,
        ...(cluster === undefined ? {} : { cluster }),
      };
      const key = qualified(cluster, name);
      this.#nodes.set(key, node(key, addresses, rest));
    }
  }
}

const http = { name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 } as const;
const dns = { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30053 } as const;
const portsOf = {
  none: [{ ...http, nodePort: undefined }],
  some: [http],
  many: [http, dns, { ...dns, port: 54, nodePort: undefined }],
} as const;

const rangesOf = {
  few: ['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'].map(parsePrefix),
  'too many': Array.from({ length: 2001 }, (_, i) => parsePrefix(`10.${i >> 8}.${i & 255}.0/24`)),
};

function addressesOf(name: string, shift: number): readonly [v4: string, v6: string] {
  const last = 11 + nodeNames.indexOf(name) * 2 + shift;
  return name === 'far'
    ? [`10.9.9.${last}`, `2001:db8:99::${last}`]
    : [`10.0.0.${last}`, `2001:db8:10::${last}`];
}

function endpointsOn(on: readonly OnNode[], cluster: string | undefined): Service['endpoints'] {
  const { endpoints } = service('x', [], {
    endpoints: on.map(({ node: name, ready, ends = false }) => {
      const isEnding = ends && !ready;
      const at = name === undefined ? undefined : qualified(cluster, name);
      return endpoint(at, { ready, serving: ready || isEnding, terminating: isEnding });
    }),
  });
  return endpoints;
}

/** Of n4 once its address is another one: it is left out then. */
export const routers = addressesOf('n4', 1).slice(0, 1).map(parseIp);

/** The gateway announces a family while it has this address. */
export const activeAddress = '203.0.113.100';

export function gatewayOf({
  weighByEndpoints,
  buckets,
  idleTimer,
  announces = 'always',
  aggregates = true,
  nat = 'none',
  layer2 = 'no',
}: GatewayShape): Gateway {
  const resilience = buckets === undefined ? undefined : { buckets, idleTimer, unbalancedTimer: 0 };
  const active = announces === 'while active' ? [parseIp(activeAddress)] : [];
  const { pools, ...rest } = gateway({ weighByEndpoints, resilience, defaultRoutes: routers });
  return {
    ...rest,
    ...(nat === 'all pools' ? { mode: 'nat' as const } : {}),
    ...(announces === 'nothing'
      ? {}
      : {
          announce: {
            table: layer2 === 'alone' ? undefined : 86,
            ...(layer2 === 'no' ? {} : { segment: 'eth1' }),
            active,
          },
        }),
    pools: pools.map((pool) => {
      if (pool.name !== 'public') return pool;
      const named = nat === 'one pool' ? { ...pool, mode: 'nat' as const } : pool;
      if (layer2 !== 'no') return { ...named, announce: 'layer2' };
      return aggregates ? { ...named, aggregate: { 4: 31, 6: 126 } } : named;
    }),
  };
}

export function firstGateway({ nat = 'none', layer2 = 'no' }: Pick<History, 'nat' | 'layer2'>): Gateway {
  return gatewayOf({ weighByEndpoints: false, buckets: undefined, idleTimer: 60, nat, layer2 });
}

function pathsOf(ips: readonly Ip[]): ProbePaths {
  const of = (version: Family): ReadonlyMap<Ip, number> =>
    new Map(ips.filter((ip) => family(ip) === version).map((ip, i) => [ip, 1 + i]));
  return { 4: of(4), 6: of(6) };
}
