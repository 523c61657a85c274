import type { JsonObject } from './api/json.ts';

/**
 * Objects as an API server sends them. What eiproute does not read is there as well, and whatever is not given has a
 * plausible value.
 */

interface NodeOptions {
  readonly uid?: string;
  readonly addresses?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly heartbeat?: string;
  readonly ready?: 'True' | 'False' | 'Unknown';
  readonly resourceVersion?: string;
  readonly kubeletVersion?: string;
  readonly spec?: object;
}

export function rawNode(name: string, options: NodeOptions = {}): JsonObject {
  const {
    uid = `uid-${name}`,
    addresses = ['10.0.0.1'],
    labels = {},
    heartbeat = 'a',
    ready = 'True',
    resourceVersion,
    kubeletVersion = 'v1.33.0',
    spec = {},
  } = options;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid, labels: { 'kubernetes.io/hostname': name, ...labels }, resourceVersion },
    spec: { podCIDR: '10.244.0.0/24', ...spec },
    status: {
      addresses: [
        ...addresses.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: name },
      ],
      conditions: [{ type: 'Ready', status: ready, reason: 'KubeletReady', lastHeartbeatTime: heartbeat }],
      nodeInfo: { kubeletVersion },
    },
  };
}

interface ServiceOptions {
  readonly uid?: string;
  readonly namespace?: string;
  readonly eips?: readonly string[];
  readonly spec?: object;
  readonly metadata?: object;
  readonly status?: object;
  readonly resourceVersion?: string;
}

export function rawService(name: string, options: ServiceOptions = {}): JsonObject {
  const {
    uid = `uid-${name}`,
    namespace = 'default',
    eips = ['198.51.100.10'],
    spec = {},
    metadata = {},
    status = { loadBalancer: { ingress: eips.map((ip) => ({ ip })) } },
    resourceVersion,
  } = options;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, uid, managedFields: [{ manager: 'kubectl' }], resourceVersion, ...metadata },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.96.0.10',
      externalTrafficPolicy: 'Cluster',
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080, nodePort: 30080 }],
      ...spec,
    },
    status: { ...status },
  };
}

interface RawEndpoint {
  readonly ip: string;
  readonly node?: string;
  readonly pod?: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

/** Its family is that of the first endpoint, or IPv4. */
export function rawSlice(
  service: string,
  endpoints: readonly RawEndpoint[],
  name = `${service}-x1`,
  namespace = 'default',
  ports: readonly JsonObject[] = [{ name: 'http', protocol: 'TCP', port: 8080 }],
): JsonObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: endpoints[0]?.ip.includes(':') ? 'IPv6' : 'IPv4',
    ports,
    endpoints: endpoints.map(({ ip, node, pod, ...conditions }) => ({
      addresses: [ip],
      nodeName: node,
      ...(pod === undefined ? {} : { targetRef: { kind: 'Pod', namespace, name: pod } }),
      conditions,
    })),
  };
}
