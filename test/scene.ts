import { MemoryKernel } from '../lab/fake/memory-kernel.ts';
import { World } from '../lab/fake/memory-world.ts';
import { GrowingDelta } from '../src/cluster/delta.ts';
import { readerOf } from '../src/desire/cluster-reader.ts';
import { gatewayObjects, nftTableNames } from '../src/desire/gateway.ts';
import { GatewayDesire } from '../src/desire/gateway-desire.ts';
import { sysctlNames } from '../src/desire/sysctls.ts';
import type { Scope } from '../src/kernel/kernel.ts';
import {
  type AllocationRequest,
  type Delta,
  type Endpoint,
  type Node,
  type Origin,
  qualified,
  type Service,
  type Snapshot,
} from '../src/model/cluster.ts';
import type { DeleteLimits } from '../src/model/delete-limits.ts';
import type { Desire } from '../src/model/desired.ts';
import type { Gateway } from '../src/model/gateway.ts';
import { family, parseIp, parsePrefix } from '../src/model/ip.ts';
import type { Listing } from '../src/model/listing.ts';
import { type KernelObject, keyOf, type Link, type Sysctl } from '../src/model/object.ts';
import { ownerOf } from '../src/model/owner.ts';
import { type ByFamily, type Probed, unprobed } from '../src/model/probed.ts';
import { type Uniqueness, undetected } from '../src/model/uniqueness.ts';
import { RecomputedDesire } from '../src/reconcile/recomputed.ts';
import { Reconciler, type Role } from '../src/reconcile/reconciler.ts';
import { late } from './patience.ts';
import { StepKernel, type Steps } from './step-kernel.ts';

/** Builders of small clusters and gateways for tests; every default can be overridden. */

export function node(name: string, addresses: readonly string[], rest: Partial<Node> = {}): Node {
  return {
    name,
    uid: `uid-${name}`,
    addresses: addresses.map(parseIp),
    deleting: false,
    autoscalerDeletes: false,
    excludeLabel: undefined,
    networkUnavailable: false,
    notReady: false,
    unschedulable: false,
    drain: undefined,
    ...rest,
  };
}

export function endpoint(on: string | undefined, rest: Partial<Endpoint> = {}): Endpoint {
  return { ip: parseIp('10.244.0.1'), node: on, ready: true, serving: true, terminating: false, ...rest };
}

export function service(name: string, eips: readonly string[], rest: Partial<Service> = {}): Service {
  return {
    key: qualified(rest.cluster, `${rest.namespace ?? 'default'}/${rest.name ?? name}`),
    namespace: 'default',
    name,
    uid: `uid-${name}`,
    type: 'LoadBalancer',
    deleting: false,
    loadBalancerClass: undefined,
    externalTrafficPolicy: 'Cluster',
    healthCheckNodePort: undefined,
    ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 }],
    ingress: eips.map(parseIp),
    externalIps: [],
    request: request(),
    slicesKnown: true,
    ...rest,
    endpoints: inBothFamilies(rest.endpoints ?? [endpoint('n1')]),
  };
}

export function request(rest: Partial<AllocationRequest> = {}): AllocationRequest {
  return {
    created: 0,
    labels: {},
    annotations: {},
    selector: {},
    loadBalancerIp: undefined,
    clusterIps: [parseIp('10.96.0.10')],
    familyPolicy: 'SingleStack',
    finalizer: false,
    hostnames: [],
    conditions: [],
    ...rest,
  };
}

/** A pod has an address of each family; tests name the one of IPv4. */
function inBothFamilies(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return endpoints.flatMap((one) =>
    family(one.ip) === 4 ? [one, { ...one, ip: parseIp('2001:db8:244::1') }] : [one],
  );
}

export function snapshot(
  nodes: readonly Node[],
  services: readonly Service[],
  rest: Partial<Snapshot> = {},
): Snapshot {
  return { complete: true, nodes, services, feeds: [], problems: [], ...rest };
}

export const threeNodes: readonly Node[] = [
  node('n1', ['10.0.0.11', '2001:db8:10::11']),
  node('n2', ['10.0.0.12', '2001:db8:10::12']),
  node('n3', ['10.0.0.13', '2001:db8:10::13']),
];

export function gateway(rest: Partial<Gateway> = {}): Gateway {
  return {
    lan: 'eth0',
    uplink: 'eth1',
    defaultRoutes: [],
    pools: [
      { name: 'public', addresses: ['198.51.100.0/24', '2001:db8:e::/64'].map(parsePrefix) },
      { name: 'few', addresses: ['192.0.2.10/32'].map(parsePrefix) },
    ],
    protocol: 86,
    table: 254,
    weighByEndpoints: false,
    resilience: undefined,
    hash: 'addresses',
    segmentSize: 1220,
    nexthopCompat: false,
    neighbour: { reachableMs: 2000, delaySeconds: 1, retransMs: 240 },
    ...rest,
  };
}

/** The links of {@link router}, without the loopback. */
export const twoLinks: readonly [lan: Link, uplink: Link] = [
  link(2, 'eth0', ['10.0.0.1', 24], ['2001:db8:10::1', 64]),
  link(3, 'eth1', ['203.0.113.1', 24], ['2001:db8:113::1', 64]),
];

/** eth0, up, with these addresses: `10.0.0.11/24` */
export function eth0(...addresses: readonly string[]): Link {
  return link(
    2,
    'eth0',
    ...addresses.map((text): [string, number] => {
      const [ip = '', length] = text.split('/');
      return [ip, Number(length)];
    }),
  );
}

function link(index: number, name: string, ...addresses: readonly [ip: string, length: number][]): Link {
  return {
    index,
    name,
    up: true,
    carrier: true,
    addresses: addresses.map(([ip, length]) => ({ ip: parseIp(ip), length })),
  };
}

/** What a look at a kernel with just these objects shows; of two with one key the later one. */
export function listing(
  objects: readonly KernelObject[],
  rest: {
    readonly links?: readonly Link[];
    readonly former?: Readonly<Record<string, string>> | undefined;
    readonly foreignIds?: readonly number[];
    readonly lookedUp?: readonly number[];
  } = {},
): Listing {
  return {
    objects: new Map(objects.map((object) => [keyOf(object), object])),
    foreignIds: new Set(rest.foreignIds),
    lookedUp: new Set(rest.lookedUp),
    links: rest.links ?? twoLinks,
    neighbours: [],
    formerSysctls: new Map(Object.entries(rest.former ?? {})),
  };
}

/** The settings of a kernel that has these links, each with some value. */
export function settingsOf(settings: Gateway, links: readonly Link[]): readonly Sysctl[] {
  const names = new Set(['all', ...links.map(({ name }) => name)]);
  return sysctlNames(settings)
    .filter((name) => {
      const [, , folder, owner = ''] = name.split('/');
      return !(folder === 'conf' || folder === 'neigh') || names.has(owner);
    })
    .map((name) => ({ kind: 'sysctl', name, value: '-1' }));
}

/** A router with a LAN, an uplink, and nothing of ours. */
export function router(): World {
  const world = new World();
  world.addLink('eth0', '10.0.0.1/24', '2001:db8:10::1/64');
  world.addLink('eth1', '203.0.113.1/24', '2001:db8:113::1/64');
  return world;
}

const limits: DeleteLimits = { share: 0.5, window: 60_000, always: 1, hold: 600_000 };

/** 'table': the desire that the daemon uses; 'full': its specification, which recomputes everything. */
export type DesireKind = 'table' | 'full';

/** A role whose cluster and configuration a test swaps between rounds. */
export class TestRole implements Role {
  readonly limits = limits;
  readonly kind: DesireKind;
  readonly #cluster: () => Snapshot;
  readonly #settings: () => Gateway;
  readonly #probed: () => Probed;
  readonly #isDraining: () => boolean;
  readonly #uniqueness: () => Uniqueness;
  #made: { readonly settings: Gateway; readonly desire: Desire } | undefined;
  /** How a change of a Service, or of 'nodes', is learned. */
  originOf: (key: string) => Origin = () => 'list';
  /** The Services that the desire has seen. */
  #seen = new Map<string, Service>();
  #asked: Probed = unprobed;

  constructor(
    cluster: () => Snapshot,
    settings: () => Gateway = () => defaultSettings,
    kind: DesireKind = 'table',
    probed: () => Probed = () => unprobed,
    isDraining: () => boolean = () => false,
    uniqueness: () => Uniqueness = () => undetected,
  ) {
    this.#uniqueness = uniqueness;
    this.#isDraining = isDraining;
    this.#cluster = cluster;
    this.#settings = settings;
    this.#probed = probed;
    this.kind = kind;
  }

  get scope(): Scope {
    const settings = this.#settings();
    return {
      owner: ownerOf(settings.protocol),
      tables: 'all',
      sysctls: sysctlNames(settings),
      nftTables: nftTableNames(settings.protocol),
      neighbours: [],
    };
  }

  get desire(): Desire {
    const settings = this.#settings();
    if (this.#made?.settings === settings) return this.#made.desire;
    const desire = this.kind === 'full' ? this.#full(settings) : this.#table(settings);
    this.#made = { settings, desire };
    return desire;
  }

  /** undefined in a role of the other kind */
  get gatewayDesire(): GatewayDesire | undefined {
    const { desire } = this;
    return desire instanceof GatewayDesire ? desire : undefined;
  }

  #full(settings: Gateway): Desire {
    return new RecomputedDesire((have, refused) =>
      gatewayObjects(this.#cluster(), settings, have, refused, this.#probed(), {
        stuck: have.stuck,
        isDraining: this.#isDraining(),
        uniqueness: this.#uniqueness(),
      }),
    );
  }

  #table(settings: Gateway): Desire {
    const service = (key: string) => readerOf(this.#cluster()).service(key);
    const services = () => readerOf(this.#cluster()).services();
    const now = this.#probed;
    const probed: Probed = {
      get standings() {
        return now().standings;
      },
      get areNodesHeard() {
        return now().areNodesHeard;
      },
      get probePaths() {
        return now().probePaths;
      },
      waiting: (key) => now().waiting(key),
      formerCarriers: (key) => now().formerCarriers(key),
      get formerNodes() {
        return now().formerNodes;
      },
      leaving: (key) => now().leaving(key),
      takeTurned: () => this.#turned(),
    };
    return new GatewayDesire(settings, {
      cluster: { service, services, overview: this.#cluster },
      takeDelta: () => this.#delta(),
      probed,
      isDraining: this.#isDraining,
      uniqueness: {
        isUnique: (eip) => this.#uniqueness().isUnique(eip),
        isClaimed: (eip) => this.#uniqueness().isClaimed(eip),
        takeTurned: () => this.#uniqueness().takeTurned(),
      },
      problems: () => [],
    });
  }

  #delta(): Delta {
    const now = new Map(this.#cluster().services.map((one) => [one.key, one]));
    const before = this.#seen;
    this.#seen = now;
    const keys = [...before.keys(), ...now.keys()].filter((key) => before.get(key) !== now.get(key));
    const delta = new GrowingDelta();
    for (const key of keys) delta.service(key, this.originOf(key));
    delta.node(this.originOf('nodes'));
    return delta;
  }

  #turned(): ReadonlySet<string> {
    const asked = this.#asked;
    this.#asked = this.#probed();
    const isOther = (was: ByFamily, is: ByFamily): boolean =>
      was[4].symmetricDifference(is[4]).size > 0 || was[6].symmetricDifference(is[6]).size > 0;
    const isTurned = (key: string): boolean =>
      isOther(asked.waiting(key), this.#asked.waiting(key)) ||
      isOther(asked.formerCarriers(key), this.#asked.formerCarriers(key)) ||
      isOther(asked.leaving(key), this.#asked.leaving(key));
    return new Set(
      this.#cluster()
        .services.map(({ key }) => key)
        .filter(isTurned),
    );
  }
}

const defaultSettings = gateway();

/** The engine on a router in memory, one round per call; the clock stands until it is moved. */
export class Scene {
  readonly world: World;
  readonly kernel: MemoryKernel;
  readonly reconciler: Reconciler;
  readonly role: TestRole;
  settings: Gateway;
  cluster: Snapshot;
  probed: Probed = unprobed;
  isDraining = false;
  uniqueness: Uniqueness = undetected;
  now = 1_000_000;

  /** @param steps what happens between the changes that the engine makes */
  constructor(
    cluster: Snapshot,
    settings = gateway(),
    world = router(),
    ledger = new Map<string, string>(),
    steps: Steps = {},
    kind: DesireKind = 'table',
  ) {
    this.world = world;
    this.cluster = cluster;
    this.settings = settings;
    this.kernel = new MemoryKernel(world, ledger);
    this.role = new TestRole(
      () => this.cluster,
      () => this.settings,
      kind,
      () => this.probed,
      () => this.isDraining,
      () => this.uniqueness,
    );
    this.reconciler = new Reconciler(new StepKernel(this.kernel, steps), () => this.now);
  }

  /** A round after a change of the cluster, or after a hint; after 'address' the one before the dump. */
  round(kind: 'cluster' | 'address' | 'route' | 'link' = 'cluster') {
    this.kernel.forget();
    const refresh = kind === 'cluster' ? 'cached' : kind === 'address' ? 'links' : 'dump';
    return this.reconciler.round(this.role, [{ kind, text: kind }], refresh, late());
  }

  /** What the last round did, as a shell session; settings left out. */
  commands(): readonly string[] {
    return this.kernel.transcript().filter((line) => !line.startsWith('sysctl'));
  }
}
