import {
  agentAnnotation,
  cleanupFinalizer,
  drainAnnotation,
  type Endpoint,
  type Node,
  nameInside,
  type Service,
  type Texts,
} from '../model/cluster.ts';
import { families, family, type Ip, type Prefix } from '../model/ip.ts';
import { toldText } from '../model/publication.ts';

// The inverse of decode.ts: API objects with the fields we use, as their own cluster has them.

/** A v1 Node. */
export function encodeNode(node: Node): object {
  const { name, uid, deleting, excludeLabel } = node;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: nameInside(name),
      uid,
      ...(deleting ? { deletionTimestamp } : {}),
      ...(excludeLabel === undefined
        ? {}
        : { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': excludeLabel } }),
      ...some('annotations', {
        ...(node.drain === undefined ? {} : { [drainAnnotation]: node.drain }),
        ...(node.agent ? { [agentAnnotation]: toldText(node.agent) } : {}),
      }),
    },
    spec: {
      ...(node.autoscalerDeletes
        ? { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] }
        : {}),
      ...(node.unschedulable ? { unschedulable: true } : {}),
    },
    status: {
      addresses: node.addresses.map((address) => ({ type: 'InternalIP', address })),
      conditions: [
        ...(node.networkUnavailable ? [{ type: 'NetworkUnavailable', status: 'True' }] : []),
        ...(node.notReady ? [{ type: 'Ready', status: 'False' }] : []),
      ],
    },
  };
}

/** A v1 Service and one EndpointSlice for each address family of its endpoints. */
export function encodeService(service: Service): readonly object[] {
  const { namespace, name, uid, type, deleting, ports, ingress, externalIps, request, endpoints } = service;
  const { proxied = [] } = service;
  const object = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      uid,
      ...(deleting ? { deletionTimestamp } : {}),
      ...(request.created === 0 ? {} : { creationTimestamp: new Date(request.created).toISOString() }),
      ...some('labels', request.labels),
      ...some('annotations', request.annotations),
      ...(request.finalizer ? { finalizers: [cleanupFinalizer] } : {}),
    },
    spec: {
      type,
      ...(request.clusterIps.length === 0 ? {} : { clusterIPs: request.clusterIps }),
      ...(request.familyPolicy === 'SingleStack' ? {} : { ipFamilyPolicy: request.familyPolicy }),
      ...some('selector', request.selector),
      loadBalancerIP: request.loadBalancerIp,
      loadBalancerClass: service.loadBalancerClass,
      externalTrafficPolicy: service.externalTrafficPolicy,
      healthCheckNodePort: service.healthCheckNodePort,
      ...(service.sessionAffinity === undefined ? {} : { sessionAffinity: service.sessionAffinity }),
      ...(service.sourceRanges === undefined
        ? {}
        : { loadBalancerSourceRanges: rangesText(service.sourceRanges) }),
      ports: ports.map(({ name, ...port }) => (name === '' ? port : { name, ...port })),
      externalIPs: externalIps,
    },
    status: {
      loadBalancer: {
        ingress: [
          ...ingress.map((ip) => (proxied.includes(ip) ? { ip, ipMode: 'Proxy' } : { ip })),
          ...request.hostnames.map((hostname) => ({ hostname })),
        ],
      },
      ...(request.conditions.length === 0 ? {} : { conditions: request.conditions }),
    },
  };
  const slices = families.flatMap((of) => {
    const here = endpoints.filter((endpoint) => family(endpoint.ip) === of);
    return here.length === 0 ? [] : [slice(service, `${name}-ipv${of}`, `IPv${of}`, here)];
  });
  if (slices.length === 0 && service.slicesKnown) return [object, slice(service, `${name}-ipv4`, 'IPv4', [])];
  return [object, ...slices];
}

/** Where none could be read, what is written cannot be read either: it keeps everybody out. */
function rangesText(ranges: readonly Prefix[]): readonly string[] {
  return ranges.length === 0 ? ['unreadable'] : ranges;
}

/** Empty maps are left out: they would be half of a file of ten thousand Services. */
function some(name: string, texts: Texts): object {
  return Object.keys(texts).length === 0 ? {} : { [name]: texts };
}

// Only its presence is decoded.
const deletionTimestamp = '1970-01-01T00:00:00Z';

function slice(
  { namespace, name: service }: Service,
  name: string,
  addressType: string,
  endpoints: readonly Endpoint[],
): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType,
    endpoints: endpoints.map(({ ip, node, ready, serving, terminating }) => ({
      addresses: [ip] satisfies Ip[],
      nodeName: node === undefined ? undefined : nameInside(node),
      conditions: { ready, serving, terminating },
    })),
  };
}
