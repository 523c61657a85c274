import { isDeepStrictEqual } from 'node:util';
import {
  agentAnnotation,
  drainAnnotation,
  type Endpoint,
  type Node,
  type Protocol,
  qualified,
  type Resource,
  type Service,
  type ServicePort,
} from '../model/cluster.ts';
import {
  bits,
  compareIp,
  comparePrefixes,
  family,
  type Ip,
  networkOf,
  type Prefix,
  parseIp,
} from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { readTold } from '../model/publication.ts';
import { allocationRequest } from './allocation-request.ts';
import { exact, isRaw, list, none, part, port, type Raw, text } from './raw.ts';
import { StringPool } from './string-pool.ts';

/** Names of Nodes, namespaces and ports. */
const names = new StringPool();

/** What one EndpointSlice adds to its Service. */
export interface Slice {
  readonly uid: string;
  /** The key of the Service; undefined when the label is missing. */
  readonly service: string | undefined;
  /** Sorted by ip; every ip once. */
  readonly endpoints: readonly Endpoint[];
}

/**
 * The fields we use of an API object.
 *
 * `key` is `namespace/name`, or `name` for a Node, with the name of the cluster before it; undefined when it is missing. `object` is undefined when the API
 * object cannot be used at all. `problems` gives the reason, or the parts that were left out.
 */
export interface Decoded<T> {
  readonly key: string | undefined;
  readonly object: T | undefined;
  readonly problems: readonly Problem[];
}

/** Reads one API object and collects its problems. */
class ObjectDecoder {
  readonly kind: string;
  /** undefined: there is one cluster, without a name */
  readonly cluster: string | undefined;
  readonly key: string | undefined;
  readonly namespace: string;
  readonly name: string;
  readonly metadata: Raw;
  readonly spec: Raw;
  readonly status: Raw;
  readonly raw: Raw;
  #problems: Problem[] | undefined;

  constructor(kind: 'Node' | 'Service' | 'EndpointSlice', raw: unknown, cluster: string | undefined) {
    this.kind = kind;
    this.cluster = cluster;
    this.raw = part(raw);
    this.metadata = part(this.raw.metadata);
    this.spec = part(this.raw.spec);
    this.status = part(this.raw.status);
    this.name = text(this.metadata.name) ?? '';
    this.namespace = names.of(text(this.metadata.namespace) ?? '');
    if (this.name === '') this.key = undefined;
    else if (kind === 'Node') this.key = this.nodeName(this.name);
    else this.key = this.namespace === '' ? undefined : this.inNamespace(this.name);
  }

  /** The key of an object in the namespace of this one. */
  inNamespace(name: string): string {
    return qualified(this.cluster, [this.namespace, name].join('/'));
  }

  nodeName(name: string): string {
    return names.of(qualified(this.cluster, name));
  }

  /** The field of a Node or Service that names its cluster. */
  get origin(): { readonly cluster?: string } {
    return this.cluster === undefined ? {} : { cluster: this.cluster };
  }

  get problems(): readonly Problem[] {
    return this.#problems ?? none;
  }

  /** Reports a part that is left out. */
  leaveOut(what: string, why: string): void {
    this.#problems ??= [];
    const problem: Problem = {
      code: 'object-part-unreadable',
      severity: 'warn',
      subject: `${this.kind} ${this.key ?? '?'} ${what}`,
      message: `skipped ${what}: ${why}; the rest of the object is used`,
      advice: this.#advice(),
    };
    if (this.kind === 'Node') this.#problems.push({ ...problem, node: this.key ?? '' });
    else if (this.kind === 'Service') this.#problems.push({ ...problem, service: this.key ?? '' });
    else this.#problems.push(problem);
  }

  skip(why: string): Decoded<never> {
    const problem: Problem = {
      code: 'object-unreadable',
      severity: 'warn',
      subject: `${this.kind} ${this.key ?? 'without a name'}`,
      message: `skipped: ${why}; what was read of it before stays in use`,
      advice: this.#advice(),
    };
    return { key: this.key, object: undefined, problems: [problem] };
  }

  /** Parses an address; undefined, with a problem, when it is none. */
  ip(value: unknown, what: string): Ip | undefined {
    try {
      return parseIp(typeof value === 'string' ? value : String(JSON.stringify(value)));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.leaveOut(`${what} ${JSON.stringify(value)}`, error.message);
      return undefined;
    }
  }

  /** The network of `10.0.0.7/8`, whose host bits Kubernetes lets through; none, with a problem, when it is not one. */
  network(value: unknown, what: string): readonly Prefix[] {
    const [ip, length = ''] = typeof value === 'string' ? value.trim().split('/') : [];
    try {
      if (!/^\d{1,3}$/.test(length)) throw new RangeError('it has no prefix length');
      const address = parseIp(ip ?? '');
      if (Number(length) > bits(family(address))) throw new RangeError(`its prefix length is ${length}`);
      return [networkOf(address, Number(length))];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.leaveOut(`${what} ${JSON.stringify(value)}`, error.message);
      return [];
    }
  }

  ips(values: readonly unknown[], what: string): readonly Ip[] {
    if (values.length === 0) return none;
    if (values.length === 1) {
      const ip = this.ip(values[0], what);
      return ip === undefined ? none : [ip];
    }
    const ips = new Set<Ip>();
    for (const value of values) {
      const ip = this.ip(value, what);
      if (ip !== undefined) ips.add(ip);
    }
    return exact([...ips].sort(compareIp));
  }

  #advice(): string {
    if (this.key === undefined) return `look for a ${this.kind} without a name in what the API server sends`;
    const where = this.kind === 'Node' ? '' : ` -n ${this.namespace}`;
    const there = this.cluster === undefined ? '' : ` (in cluster ${this.cluster})`;
    return `look at it with: kubectl get ${this.kind.toLowerCase()} ${this.name}${where} -o yaml${there}`;
  }
}

/**
 * @param raw a v1 Node as JSON
 * @param cluster absent: there is one, without a name
 */
export function decodeNode(raw: unknown, cluster?: string): Decoded<Node> {
  const decoder = new ObjectDecoder('Node', raw, cluster);
  const { key, metadata, spec, status } = decoder;
  if (key === undefined) return decoder.skip('it has no metadata.name');
  const addresses: Ip[] = [];
  for (const item of list(status.addresses)) {
    const { type, address } = part(item);
    if (type !== 'InternalIP') continue;
    const ip = decoder.ip(address, 'InternalIP');
    if (ip !== undefined && !addresses.includes(ip)) addresses.push(ip);
  }
  const exclude = part(metadata.labels)['node.kubernetes.io/exclude-from-external-load-balancers'];
  const drain = part(metadata.annotations)[drainAnnotation];
  const object: Node = {
    name: key,
    ...decoder.origin,
    uid: text(metadata.uid) ?? '',
    addresses,
    deleting: text(metadata.deletionTimestamp) !== undefined,
    autoscalerDeletes: list(spec.taints).some(
      (taint) => part(taint).key === 'ToBeDeletedByClusterAutoscaler',
    ),
    excludeLabel: typeof exclude === 'string' ? exclude : undefined,
    networkUnavailable: list(status.conditions).some((condition) => {
      const { type, status: value } = part(condition);
      return type === 'NetworkUnavailable' && value === 'True';
    }),
    notReady: list(status.conditions).some((condition) => {
      const { type, status: value } = part(condition);
      return type === 'Ready' && (value === 'False' || value === 'Unknown');
    }),
    unschedulable: spec.unschedulable === true,
    drain: typeof drain === 'string' && drain !== 'false' ? drain : undefined,
    ...toldBy(decoder),
  };
  return { key, object, problems: decoder.problems };
}

/** What the agent of a node tells. */
function toldBy(decoder: ObjectDecoder): Pick<Node, 'agent'> {
  const told = part(decoder.metadata.annotations)[agentAnnotation];
  if (typeof told !== 'string') return {};
  try {
    return { agent: readTold(told) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    decoder.leaveOut(`annotation ${agentAnnotation}`, error.message);
    return {};
  }
}

/**
 * The Service has no endpoints yet; they come from its EndpointSlices.
 *
 * @param raw a v1 Service as JSON
 * @param cluster absent: there is one, without a name
 */
export function decodeService(raw: unknown, cluster?: string): Decoded<Service> {
  const decoder = new ObjectDecoder('Service', raw, cluster);
  const { key, metadata, spec, status } = decoder;
  if (key === undefined) return decoder.skip('it has no metadata.name and namespace');
  if (!isRaw(decoder.raw.spec)) return decoder.skip('it has no spec');
  const type = serviceTypes.find((each) => each === (spec.type ?? 'ClusterIP'));
  if (type === undefined) return decoder.skip(`its spec.type is ${JSON.stringify(spec.type)}`);
  const policy = spec.externalTrafficPolicy ?? 'Cluster';
  if (policy !== 'Cluster' && policy !== 'Local') {
    return decoder.skip(`its spec.externalTrafficPolicy is ${JSON.stringify(policy)}`);
  }
  const ingress = list(part(status.loadBalancer).ingress).flatMap((item) => {
    const { ip } = part(item);
    return ip === undefined || ip === '' ? [] : [ip];
  });
  const object: Service = {
    ...decoder.origin,
    namespace: decoder.namespace,
    name: decoder.name,
    uid: text(metadata.uid) ?? '',
    type,
    deleting: text(metadata.deletionTimestamp) !== undefined,
    loadBalancerClass: text(spec.loadBalancerClass),
    externalTrafficPolicy: policy,
    healthCheckNodePort: port(spec.healthCheckNodePort),
    ...(spec.sessionAffinity === 'ClientIP' ? { sessionAffinity: 'ClientIP' } : {}),
    ...sourceRanges(decoder),
    ports: exact(list(spec.ports).flatMap((item) => servicePort(item, decoder))),
    ingress: decoder.ips(ingress, 'status.loadBalancer.ingress'),
    externalIps: decoder.ips(list(spec.externalIPs), 'spec.externalIPs'),
    request: allocationRequest(metadata, spec, status),
    endpoints: none,
    slicesKnown: false,
  };
  return { key, object, problems: decoder.problems };
}

/** Where none of the networks can be read nobody is let in: a list that was meant to keep others out is no open door. */
function sourceRanges(decoder: ObjectDecoder): Pick<Service, 'sourceRanges'> {
  const given = list(decoder.spec.loadBalancerSourceRanges);
  if (given.length === 0) return {};
  const networks = given.flatMap((value) => decoder.network(value, 'spec.loadBalancerSourceRanges'));
  return { sourceRanges: exact([...new Set(networks)].sort(comparePrefixes)) };
}

const serviceTypes = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;

function isProtocol(value: unknown): value is Protocol {
  return value === 'TCP' || value === 'UDP' || value === 'SCTP';
}

function servicePort(raw: unknown, decoder: ObjectDecoder): ServicePort[] {
  const { name, protocol: given, port: number, nodePort } = part(raw);
  const protocol = given === undefined ? 'TCP' : given;
  const checked = port(number);
  if (checked === undefined || !isProtocol(protocol)) {
    const read = JSON.stringify({ name, protocol: given, port: number, nodePort });
    decoder.leaveOut(`spec.ports ${read}`, 'it is no port of TCP, UDP or SCTP');
    return [];
  }
  return [{ name: names.of(text(name) ?? ''), protocol, port: checked, nodePort: port(nodePort) }];
}

/**
 * @param raw a discovery.k8s.io/v1 EndpointSlice as JSON
 * @param cluster absent: there is one, without a name
 */
export function decodeSlice(raw: unknown, cluster?: string): Decoded<Slice> {
  const decoder = new ObjectDecoder('EndpointSlice', raw, cluster);
  const { key, metadata } = decoder;
  if (key === undefined) return decoder.skip('it has no metadata.name and namespace');
  const owner = text(part(metadata.labels)['kubernetes.io/service-name']);
  const { addressType, endpoints } = decoder.raw;
  // A slice of host names (FQDN) has no addresses to route to.
  const entries = addressType === 'FQDN' ? none : list(endpoints);
  const object: Slice = {
    uid: text(metadata.uid) ?? '',
    service: owner === undefined ? undefined : decoder.inNamespace(owner),
    endpoints: exact(oncePerIp(endpointsOf(entries, decoder))),
  };
  return { key, object, problems: decoder.problems };
}

function endpointsOf(entries: readonly unknown[], decoder: ObjectDecoder): readonly Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const entry of entries) {
    const { addresses, conditions, nodeName } = part(entry);
    // All addresses of an endpoint belong to one pod; kube-proxy uses only the first one, too.
    const first = list(addresses)[0];
    const ip = first === undefined ? undefined : decoder.ip(first, 'endpoint');
    if (ip === undefined) continue;
    const { ready, serving, terminating } = part(conditions);
    const node = text(nodeName);
    const isReady = ready !== false;
    endpoints.push({
      ip,
      node: node === undefined ? undefined : decoder.nodeName(node),
      ready: isReady,
      // The API documents that an unset "serving" defers to "ready".
      serving: typeof serving === 'boolean' ? serving : isReady,
      terminating: terminating === true,
    });
  }
  return endpoints;
}

/** Sorts by ip. Of two endpoints with the same ip the more useful one is kept, independent of their order. */
export function oncePerIp(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  if (isAscending(endpoints)) return endpoints;
  const best = new Map<Ip, Endpoint>();
  for (const candidate of endpoints) {
    const held = best.get(candidate.ip);
    if (held === undefined || better(candidate, held)) best.set(candidate.ip, candidate);
  }
  return [...best.values()].sort((a, b) => compareIp(a.ip, b.ip));
}

function isAscending(endpoints: readonly Endpoint[]): boolean {
  for (const [i, { ip }] of endpoints.entries()) {
    const before = endpoints[i - 1];
    if (before !== undefined && compareIp(before.ip, ip) >= 0) return false;
  }
  return true;
}

// A live migrated pod is listed under both its nodes; only one of them is ready (kubevirt#2908).
function better(a: Endpoint, b: Endpoint): boolean {
  if (a.ready !== b.ready) return a.ready;
  if (a.serving !== b.serving) return a.serving;
  if (a.terminating !== b.terminating) return b.terminating;
  return (a.node ?? '\uffff') < (b.node ?? '\uffff');
}

/** Whether an update changes none of the fields we use. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b);
}

export type Decode<T> = (raw: unknown) => Decoded<T>;

/** The resource of an object, by its kind. */
export function resourceOf(raw: unknown): Resource | undefined {
  const kind = isRaw(raw) && 'kind' in raw ? raw.kind : undefined;
  switch (kind) {
    case 'Service':
      return 'services';
    case 'EndpointSlice':
      return 'endpointslices';
    case 'Node':
      return 'nodes';
    default:
      return undefined;
  }
}
