import type { Ip } from '../model/ip.ts';
import { defaultProtocol } from '../model/owner.ts';
import {
  addresses,
  choice,
  dataKey,
  duration,
  type Format,
  interfaceName,
  listenAddress,
  natSource,
  networks,
  objectOrFalse,
  path,
  share,
  truth,
  whole,
  word,
} from './format.ts';
import { announceTable, protocol, table } from './numbers.ts';

/** One setting that is not a section. */
export interface Leaf<T> {
  /** Dotted: `log.level`. */
  readonly key: string;
  readonly doc: string;
  readonly format: Format<T>;
  /** Default value as text; undefined: none. */
  readonly preset: string | undefined;
  readonly variable: string;
}

/** The keys of one kind of file. */
export interface Schema {
  readonly leaves: readonly Leaf<unknown>[];
  /** Keys of lists, which have parsers of their own. */
  readonly lists: readonly string[];
  /** Sections with a short form: `resilient: true` is `resilient: { enabled: true }`. */
  readonly shorthands: ReadonlyMap<string, string>;
}

export function leaf<T>(key: string, format: Format<T>, preset: string | undefined, doc: string): Leaf<T> {
  return { key, doc, format, preset, variable: variableOf(key) };
}

/** `neighbour.firstProbe` is EIPROUTE_NEIGHBOUR_FIRST_PROBE. */
function variableOf(key: string): string {
  // The shorthand `resilient: true` is `resilient.enabled`, and so is its variable.
  const plain = key.replace(/\.enabled$/, '');
  return `EIPROUTE_${plain
    .replace(/[A-Z]/g, (sign) => `_${sign}`)
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

const second = 1000;
/** The kernel stores neighbour timers in ticks of 1 to 10 ms: only their multiples read back unchanged. */
const jiffy = 20;
const minute = 60 * second;
const hour = 60 * minute;

/**
 * Every key except `pools` and `clusters`, which are lists and have pools.ts and clusters.ts. docs/configuration.md describes each; a test compares the
 * two.
 */
export const leaves = {
  kubeconfig: leaf('kubeconfig', path, undefined, 'how to reach the Kubernetes API'),
  context: leaf('context', word, undefined, 'the context of the kubeconfig'),
  sourceFile: leaf('source.file', path, undefined, 'read the cluster from a file instead of the API'),
  lan: leaf('lan', interfaceName, undefined, 'the interface towards the nodes'),
  uplink: leaf('uplink', interfaceName, undefined, 'the interface towards the world'),
  defaultRoute: leaf<readonly Ip[]>('defaultRoute.via', addresses, undefined, 'the router on the uplink'),
  protocol: leaf('protocol', protocol, String(defaultProtocol), 'the number that marks our routes'),
  table: leaf('table', table, '254', 'the routing table'),
  allocate: leaf('allocate.enabled', truth, 'false', 'give EIPs to the Services that wait for one'),
  allocateClass: leaf('allocate.class', word, 'eiproute.io/gateway', 'the loadBalancerClass that is ours'),
  classless: leaf('allocate.classless', truth, 'true', 'Services without a class are ours as well'),
  finalizer: leaf('allocate.finalizer', truth, 'true', 'hold deletions back until the routes are gone'),
  lease: leaf('allocate.lease', objectOrFalse, 'kube-system/eiproute', 'the Lease of the one that writes'),
  announce: leaf('announce.enabled', truth, 'false', 'tell routing daemons which EIPs to announce'),
  announceTable: leaf('announce.table', announceTable, '86', 'the routing table that they read'),
  layer2Interface: leaf(
    'layer2.interface',
    interfaceName,
    undefined,
    'where ARP and NDP are answered for EIPs; the uplink',
  ),
  activeAddress: leaf<readonly Ip[]>(
    'active.address',
    addresses,
    undefined,
    'announce only while this host has it',
  ),
  publish: leaf(
    'publish.configMap',
    objectOrFalse,
    'kube-system/eiproute',
    'where the agents of the nodes read pools and addresses',
  ),
  publishName: leaf('publish.name', dataKey, undefined, 'the name of this gateway there; the host name'),
  publishLan: leaf<readonly Ip[]>('publish.lan', addresses, undefined, 'its addresses on the LAN'),
  mode: leaf('mode', choice(['routed', 'nat']), 'routed', 'how packets get to a node'),
  natSource: leaf('nat.source', natSource, 'preserve', 'what a node sees of a client'),
  natInside: leaf('nat.inside', networks, undefined, 'further networks whose replies do not come back here'),
  natAffinity: leaf('nat.affinity', choice(['address', 'connection']), 'address', 'what keeps its node'),
  natSeed: leaf('nat.seed', whole(1, 4_294_967_295), undefined, 'the seed of the hash of NAT'),
  weightByEndpoints: leaf('weightByEndpoints', truth, 'false', 'more endpoints, more flows (under Local)'),
  resilient: leaf('resilient.enabled', truth, 'false', 'resilient nexthop groups'),
  // A power of two is only a convention: the kernel accepts any u16.
  buckets: leaf('resilient.buckets', whole(1, 65_535), '128', 'hash buckets of a group'),
  idleTimer: leaf('resilient.idleTimer', duration(0, 24 * hour, second), '120s', 'when a bucket may move'),
  unbalancedTimer: leaf('resilient.unbalancedTimer', duration(0, 24 * hour, second), '0', 'when it must'),
  hashPolicy: leaf('hashPolicy', choice(['addresses', 'ports']), 'addresses', 'what spreads the flows'),
  segmentSize: leaf('mss', whole(0, 65_535), '1220', 'the longest TCP segment, with hashPolicy ports'),
  hashSeed: leaf(
    'hashSeed',
    whole(1, 4_294_967_295),
    undefined,
    'the seed of the hash, the same on all gateways',
  ),
  nexthopCompatMode: leaf('nexthopCompatMode', truth, 'false', 'for routing daemons of the old kind'),
  reachable: leaf(
    'neighbour.reachable',
    duration(100, hour, jiffy),
    '300ms',
    'how long a heard node is trusted',
  ),
  firstProbe: leaf('neighbour.firstProbe', duration(0, minute, second), '0s', 'wait before the first probe'),
  retransmit: leaf('neighbour.retransmit', duration(20, minute, jiffy), '100ms', 'time between two probes'),
  settle: leaf('pace.settle', duration(0, 10 * second), '0s', 'rest between two rounds'),
  resync: leaf('pace.resync', duration(second, 24 * hour), '1m', 'longest time between two looks'),
  retryFirst: leaf('pace.retryFirst', duration(10, minute), '100ms', 'first wait after a failure'),
  retryLongest: leaf('pace.retryLongest', duration(100, hour), '30s', 'longest wait after failures'),
  share: leaf('guard.share', share, '0.5', 'the part of our routes that may go in one window'),
  window: leaf(
    'guard.window',
    duration(0, 24 * hour),
    '1m',
    'how long what went before counts along; 0s: each round by itself',
  ),
  always: leaf('guard.always', whole(0, 1_000_000), '1', 'the routes of so many Services may always go'),
  hold: leaf('guard.hold', duration(0, 24 * hour), '10m', 'how long a larger deletion is held'),
  probeShare: leaf('probe.share', share, '0.5', 'when more nodes go silent within a second, it is doubted'),
  probeWait: leaf('probe.wait', duration(0, minute), '2s', 'how long a node that says nothing is waited for'),
  proxyPort: leaf(
    'probe.proxyPort',
    whole(0, 65_535),
    '10256',
    "kube-proxy's own health check; 0: not asked",
  ),
  kubeletPort: leaf(
    'probe.kubeletPort',
    whole(0, 65_535),
    '10250',
    'the kubelet, asked when kube-proxy is silent; 0: not asked',
  ),
  drainLimit: leaf(
    'drain.limit',
    duration(0, 24 * hour),
    '5m',
    'how long a draining node, or a pod that shuts down, keeps its flows, and others cover for what is gone',
  ),
  drainCordon: leaf('drain.cordon', truth, 'false', 'a cordoned node gets no new flows'),
  stateDirectory: leaf(
    'stateDirectory',
    path,
    '/var/lib/eiproute',
    'saved values of sysctls, last known cluster',
  ),
  runtimeDirectory: leaf('runtimeDirectory', path, '/run/eiproute', 'the status socket'),
  metricsListen: leaf(
    'metrics.listen',
    listenAddress,
    undefined,
    'a read-only listener for metrics and the live page',
  ),
  logLevel: leaf(
    'log.level',
    choice(['debug', 'info', 'warn', 'error']),
    'info',
    'the lowest level that is logged',
  ),
  logFormat: leaf('log.format', choice(['auto', 'pretty', 'json']), 'auto', 'how a log line looks'),
} as const;

export const allLeaves: readonly Leaf<unknown>[] = Object.values(leaves);

export const gatewaySchema: Schema = {
  leaves: allLeaves,
  lists: ['pools', 'clusters'],
  shorthands: new Map([
    ['resilient', 'enabled'],
    ['allocate', 'enabled'],
    ['announce', 'enabled'],
  ]),
};

/** Set by systemd for StateDirectory= and RuntimeDirectory=. */
export const systemdVariables: ReadonlyMap<string, string> = new Map([
  ['STATE_DIRECTORY', leaves.stateDirectory.key],
  ['RUNTIME_DIRECTORY', leaves.runtimeDirectory.key],
]);
