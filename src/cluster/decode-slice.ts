import type { Endpoint } from '../model/cluster.ts';
import { compareIp, type Ip } from '../model/ip.ts';
import { type Decoded, ObjectDecoder } from './object-decoder.ts';
import { exact, list, made, none, part, port, text } from './raw.ts';

/** What one EndpointSlice adds to its Service. */
export interface Slice {
  readonly uid: string;
  /** The key of the Service, in the end as the same string as there; undefined when the label is missing. */
  service: string | undefined;
  /** Sorted by ip; every ip once. */
  readonly endpoints: readonly Endpoint[];
  /** Another slice of the Service; undefined: there are no more. A list of one for each Service would be kept for it. */
  next: Slice | undefined;
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
  const { addressType, endpoints, ports } = decoder.raw;
  // A slice of host names (FQDN) has no addresses to route to.
  const entries = addressType === 'FQDN' || !hasPort(ports) ? none : list(endpoints);
  const object: Slice = {
    uid: text(metadata.uid) ?? '',
    service: owner === undefined ? undefined : decoder.inNamespace(owner),
    endpoints: oncePerIp(made(entries, endpointOf, decoder)),
    next: undefined,
  };
  return { key, object, problems: decoder.problems };
}

/**
 * kube-proxy makes nothing of a slice without a port (endpointslicecache.go in k8s.io/kubernetes/pkg/proxy). Kubernetes
 * writes one for ready pods that do not have the named targetPort of their Service.
 *
 * @param ports undefined: nothing is said of them, as in a file that a person wrote
 */
function hasPort(ports: unknown): boolean {
  return ports === undefined || list(ports).some((one) => port(part(one).port) !== undefined);
}

function endpointOf(entry: unknown, decoder: ObjectDecoder): Endpoint | undefined {
  const { addresses, conditions, nodeName } = part(entry);
  // All addresses of an endpoint belong to one pod; kube-proxy uses only the first one, too.
  const first = list(addresses)[0];
  const ip = first === undefined ? undefined : decoder.ip(first, 'endpoint');
  if (ip === undefined) return undefined;
  const { ready, serving, terminating } = part(conditions);
  const node = text(nodeName);
  const isReady = ready !== false;
  return {
    ip,
    node: node === undefined ? undefined : decoder.nodeName(node),
    ready: isReady,
    // The API documents that an unset "serving" defers to "ready".
    serving: typeof serving === 'boolean' ? serving : isReady,
    terminating: terminating === true,
  };
}

/**
 * Sorted by ip, every ip once. Of two endpoints with the same ip the more useful one is kept, whatever their order.
 *
 * @returns the given array where it is so already; else a new one, without spare capacity, as {@link exact}
 */
export function oncePerIp(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  if (isAscending(endpoints)) return endpoints;
  const kept: Endpoint[] = [];
  for (const candidate of endpoints.toSorted((a, b) => compareIp(a.ip, b.ip))) {
    const last = kept.length - 1;
    const held = kept[last];
    if (held?.ip !== candidate.ip) kept.push(candidate);
    else if (better(candidate, held)) kept[last] = candidate;
  }
  return exact(kept);
}

function isAscending(endpoints: readonly Endpoint[]): boolean {
  let before: Ip | undefined;
  for (const { ip } of endpoints) {
    if (before !== undefined && compareIp(before, ip) >= 0) return false;
    before = ip;
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
