import {
  agentAnnotation,
  drainAnnotation,
  type Endpoint,
  type Node,
  type Protocol,
  type Service,
  type ServicePort,
} from '../model/cluster.ts';
import { compareIp, comparePrefixes, type Ip, parseIp } from '../model/ip.ts';
import { readTold } from '../model/publication.ts';
import { allocationRequest } from './allocation-request.ts';
import { type Decoded, names, ObjectDecoder } from './object-decoder.ts';
import { exact, isRaw, list, made, none, part, port, text } from './raw.ts';

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
 * An object has room for 60,000 addresses, and every user who may edit a Service could have all their routes come and go
 * many times a second, before those of others have their turn.
 */
const mostExternalIps = 1000;

function firstOf(values: readonly unknown[], decoder: ObjectDecoder): readonly unknown[] {
  if (values.length <= mostExternalIps) return values;
  decoder.leaveOut(`spec.externalIPs after the first ${mostExternalIps}`, `it has ${values.length}`);
  return values.slice(0, mostExternalIps);
}

/** A Service that nobody has seen yet; what it lacks is put in before it is shown. */
export type DecodedService = Service & {
  key: string;
  endpoints: readonly Endpoint[];
  slicesKnown: boolean;
};

/**
 * The Service has no endpoints yet; they come from its EndpointSlices.
 *
 * @param raw a v1 Service as JSON
 * @param cluster absent: there is one, without a name
 */
export function decodeService(raw: unknown, cluster?: string): Decoded<DecodedService> {
  const decoder = new ObjectDecoder('Service', raw, cluster);
  const { key, metadata, spec, status } = decoder;
  if (key === undefined) return decoder.skip('it has no metadata.name and namespace');
  if (!isRaw(decoder.raw.spec)) return decoder.skip('it has no spec');
  const type = spec.type ?? 'ClusterIP';
  if (!isServiceType(type)) return decoder.skip(`its spec.type is ${JSON.stringify(spec.type)}`);
  const policy = spec.externalTrafficPolicy ?? 'Cluster';
  if (policy !== 'Cluster' && policy !== 'Local') {
    return decoder.skip(`its spec.externalTrafficPolicy is ${JSON.stringify(policy)}`);
  }
  const ingress = made(list(part(status.loadBalancer).ingress), ingressIp, undefined);
  const plain: DecodedService = {
    key,
    namespace: decoder.namespace,
    name: decoder.name,
    uid: text(metadata.uid) ?? '',
    type,
    deleting: text(metadata.deletionTimestamp) !== undefined,
    loadBalancerClass: text(spec.loadBalancerClass),
    externalTrafficPolicy: policy,
    healthCheckNodePort: port(spec.healthCheckNodePort),
    ports: made(list(spec.ports), servicePort, decoder),
    ingress: decoder.ips(ingress, 'status.loadBalancer.ingress'),
    externalIps: decoder.ips(firstOf(list(spec.externalIPs), decoder), 'spec.externalIPs'),
    request: allocationRequest(metadata, spec, status),
    endpoints: none,
    slicesKnown: false,
  };
  const extra = extraOf(decoder);
  return { key, object: extra === undefined ? plain : { ...plain, ...extra }, problems: decoder.problems };
}

/**
 * The fields that few Services have. V8 keeps an object that is written without a spread in one piece, and copies it as
 * such; of another one it keeps most fields in an array beside it.
 */
function extraOf(decoder: ObjectDecoder): Partial<Service> | undefined {
  const { cluster, spec } = decoder;
  const isSticky = spec.sessionAffinity === 'ClientIP';
  const behindProxies = proxied(decoder);
  if (
    cluster === undefined &&
    !isSticky &&
    behindProxies.length === 0 &&
    list(spec.loadBalancerSourceRanges).length === 0
  )
    return undefined;
  return {
    ...decoder.origin,
    ...(isSticky ? { sessionAffinity: 'ClientIP' } : {}),
    ...(behindProxies.length === 0 ? {} : { proxied: behindProxies }),
    ...sourceRanges(decoder),
  };
}

/** The addresses that no entry of the status gives as VIP, which is what an entry without a mode is. */
function proxied({ status }: ObjectDecoder): readonly Ip[] {
  const ingress = list(part(status.loadBalancer).ingress);
  if (ingress.every((item) => part(item).ipMode !== 'Proxy')) return none;
  const isProxied = new Map<Ip, boolean>();
  for (const item of ingress) {
    const ip = addressIn(item);
    if (ip !== undefined) isProxied.set(ip, part(item).ipMode === 'Proxy' && (isProxied.get(ip) ?? true));
  }
  return exact([...isProxied].flatMap(([ip, is]) => (is ? [ip] : [])).sort(compareIp));
}

/** undefined: none that can be read, which is told where all of them are read */
function addressIn(item: unknown): Ip | undefined {
  try {
    return parseIp(text(part(item).ip) ?? '');
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

/** Where none of the networks can be read nobody is let in: a list that was meant to keep others out is no open door. */
function sourceRanges(decoder: ObjectDecoder): Pick<Service, 'sourceRanges'> {
  const given = list(decoder.spec.loadBalancerSourceRanges);
  if (given.length === 0) return {};
  const networks = given.flatMap((value) => decoder.network(value, 'spec.loadBalancerSourceRanges'));
  return { sourceRanges: exact([...new Set(networks)].sort(comparePrefixes)) };
}

function isServiceType(value: unknown): value is Service['type'] {
  return (
    value === 'ClusterIP' || value === 'NodePort' || value === 'LoadBalancer' || value === 'ExternalName'
  );
}

/** A load balancer may have a host name in place of an address. */
function ingressIp(item: unknown): unknown {
  const { ip } = part(item);
  return ip === '' ? undefined : ip;
}

function isProtocol(value: unknown): value is Protocol {
  return value === 'TCP' || value === 'UDP' || value === 'SCTP';
}

function servicePort(raw: unknown, decoder: ObjectDecoder): ServicePort | undefined {
  const { name, protocol: given, port: number, nodePort } = part(raw);
  const protocol = given === undefined ? 'TCP' : given;
  const checked = port(number);
  if (checked === undefined || !isProtocol(protocol)) {
    const read = JSON.stringify({ name, protocol: given, port: number, nodePort });
    decoder.leaveOut(`spec.ports ${read}`, 'it is no port of TCP, UDP or SCTP');
    return undefined;
  }
  return { name: names.of(text(name) ?? ''), protocol, port: checked, nodePort: port(nodePort) };
}
