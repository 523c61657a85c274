import type { Ip } from './ip.ts';
import type { Problem } from './problem.ts';

/** What we need of a Kubernetes Node. The predicates over it live in desire/carriers. */
export interface Node {
  readonly name: string;
  readonly uid: string;
  /** InternalIP addresses, in the order of the API. */
  readonly addresses: readonly Ip[];
  readonly deleting: boolean;
  /** Taint `ToBeDeletedByClusterAutoscaler` present. */
  readonly autoscalerDeletes: boolean;
  /** Value of label `node.kubernetes.io/exclude-from-external-load-balancers`; undefined when absent. */
  readonly excludeLabel: string | undefined;
  /** Condition `NetworkUnavailable` is True. */
  readonly networkUnavailable: boolean;
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

export interface ServicePort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly nodePort: number | undefined;
}

/** One address of one EndpointSlice; the same address twice is merged, ready wins. */
export interface Endpoint {
  readonly ip: Ip;
  readonly node: string | undefined;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

/** A Service joined with its endpoints. */
export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly deleting: boolean;
  readonly loadBalancerClass: string | undefined;
  readonly externalTrafficPolicy: 'Cluster' | 'Local';
  readonly healthCheckNodePort: number | undefined;
  readonly ports: readonly ServicePort[];
  /** `status.loadBalancer.ingress[].ip` */
  readonly ingress: readonly Ip[];
  /** `spec.externalIPs` */
  readonly externalIps: readonly Ip[];
  /** What it asks of whoever gives it addresses. */
  readonly asks: Asks;
  /** Sorted by ip, then node. */
  readonly endpoints: readonly Endpoint[];
}

/** The part of a Service that only the allocation of addresses looks at, as it was written. */
export interface Asks {
  /** ms since the epoch; 0: not known */
  readonly created: number;
  readonly labels: Texts;
  /** Those of {@link askingAnnotations} that are there. */
  readonly annotations: Texts;
  readonly selector: Texts;
  /** `spec.loadBalancerIP` */
  readonly loadBalancerIp: string | undefined;
  /** `spec.clusterIPs` in their order; empty while there are none, and for headless Services. */
  readonly clusterIps: readonly Ip[];
  readonly familyPolicy: FamilyPolicy;
  /** {@link cleanupFinalizer} is there. */
  readonly finalizer: boolean;
  /** Host names among `status.loadBalancer.ingress`; we give none. */
  readonly hostnames: readonly string[];
  /** The conditions whose type begins with {@link ownPrefix}, sorted by type. */
  readonly conditions: readonly Condition[];
}

export type Texts = Readonly<Record<string, string>>;

export type FamilyPolicy = 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';

/** One of `status.conditions`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** ISO 8601, as it was read */
  readonly lastTransitionTime: string;
}

/** Annotations and conditions of ours begin with it. */
export const ownPrefix = 'eiproute.io/';

/** Kubernetes' name for "a load balancer has to be taken down first". */
export const cleanupFinalizer = 'service.kubernetes.io/load-balancer-cleanup';

/** By what a Service can ask: our own words, and MetalLB's beside each, so that people can move. */
export const askingAnnotations = {
  addresses: ['eiproute.io/addresses', 'metallb.io/loadBalancerIPs'],
  pool: ['eiproute.io/pool', 'metallb.io/address-pool'],
  sharingKey: ['eiproute.io/sharing-key', 'metallb.io/allow-shared-ip'],
} as const;

export type Resource = 'services' | 'endpointslices' | 'nodes';

/** How one of the lists stands. */
export interface Feed {
  readonly resource: Resource;
  /** The first complete list is in. */
  readonly synced: boolean;
  /** ms since the epoch when the source last said anything; undefined: never. */
  readonly heard: number | undefined;
  /** Why nothing is heard now, in words for a person; undefined when all is well. */
  readonly trouble: string | undefined;
}

/** What is known of the cluster beside its Services. */
export interface Overview {
  /** Every list has come in whole since we started; false: read from disk, or still listing. */
  readonly complete: boolean;
  readonly nodes: readonly Node[];
  readonly feeds: readonly Feed[];
  /** Objects that were skipped, and why. */
  readonly problems: readonly Problem[];
}

/** All that is known of the cluster. An unchanged Node or Service is the same object in the next snapshot. */
export interface Snapshot extends Overview {
  /** Sorted by namespace and name. */
  readonly services: readonly Service[];
}

/** What has changed in the cluster since a listener last looked; the new state is read from the cluster itself. */
export interface Delta {
  /** `namespace/name` of the Services that were added, changed or deleted; 'all': read every one of them again. */
  readonly services: ReadonlySet<string> | 'all';
  /** A Node was added, changed or deleted. */
  readonly nodes: boolean;
}

/** The key of a Service: `namespace/name`. */
export function serviceName(service: Service): string {
  return `${service.namespace}/${service.name}`;
}
