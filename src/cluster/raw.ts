import type { Resource } from '../model/cluster.ts';

/** Names of the fields we use, so that a misspelt one is a type error. */
type Field =
  | 'addresses'
  | 'annotations'
  | 'clusterIP'
  | 'clusterIPs'
  | 'creationTimestamp'
  | 'finalizers'
  | 'hostname'
  | 'ipFamilyPolicy'
  | 'lastTransitionTime'
  | 'loadBalancerIP'
  | 'message'
  | 'reason'
  | 'resourceVersion'
  | 'selector'
  | 'sessionAffinity'
  | 'loadBalancerSourceRanges'
  | 'address'
  | 'addressType'
  | 'conditions'
  | 'data'
  | 'deletionTimestamp'
  | 'eiproute.io/agent'
  | 'eiproute.io/drain'
  | 'endpoints'
  | 'externalIPs'
  | 'externalTrafficPolicy'
  | 'healthCheckNodePort'
  | 'ingress'
  | 'ip'
  | 'ipMode'
  | 'key'
  | 'kubernetes.io/service-name'
  | 'labels'
  | 'loadBalancer'
  | 'loadBalancerClass'
  | 'metadata'
  | 'name'
  | 'namespace'
  | 'node.kubernetes.io/exclude-from-external-load-balancers'
  | 'nodeName'
  | 'nodePort'
  | 'port'
  | 'ports'
  | 'protocol'
  | 'ready'
  | 'serving'
  | 'spec'
  | 'status'
  | 'taints'
  | 'terminating'
  | 'type'
  | 'uid'
  | 'unschedulable';
export type Raw = { readonly [field in Field]?: unknown };

const nothing: Raw = {};
export const none: readonly never[] = [];

export function isRaw(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function part(value: unknown): Raw {
  return isRaw(value) ? value : nothing;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : none;
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** 1..65535 */
export function port(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65536
    ? value
    : undefined;
}

/**
 * What is made of each item, without those of which nothing is. Without spare capacity, as {@link exact}.
 *
 * @param by handed to `make`, which so need be no closure
 */
export function made<T, B>(
  items: readonly unknown[],
  make: (item: unknown, by: B) => T | undefined,
  by: B,
): readonly T[] {
  if (items.length === 0) return none;
  if (items.length === 1) {
    const one = make(items[0], by);
    return one === undefined ? none : [one];
  }
  const all = items.map((item) => make(item, by));
  return all.every(isThere) ? all : exact(all.filter(isThere));
}

function isThere<T>(one: T | undefined): one is T {
  return one !== undefined;
}

/** A copy without spare capacity: V8 reserves 17 elements for an array that grows. */
export function exact<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? none : list.slice();
}

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
