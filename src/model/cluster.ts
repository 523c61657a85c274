import type { Ip, Prefix } from './ip.ts';
import type { Problem } from './problem.ts';
import type { ToldAgent } from './publication.ts';

/** The fields we use of a Kubernetes Node. The predicates over them are in desire/carriers. */
export interface Node {
  /** Qualified: `n1`, or `east:n1` in a cluster with a name. */
  readonly name: string;
  /** Of its cluster; absent: there is one cluster, without a name. */
  readonly cluster?: string;
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
  /** Condition `Ready` is False or Unknown. A load balancer uses the node all the same; a person should know. */
  readonly notReady: boolean;
  /** `spec.unschedulable`: kubectl cordon and kubectl drain set it. */
  readonly unschedulable: boolean;
  /** Value of annotation {@link drainAnnotation}: who asked for the drain; undefined: it is absent, or says false. */
  readonly drain: string | undefined;
  /** What its agent tells by {@link agentAnnotation}; absent: it tells nothing. */
  readonly agent?: ToldAgent;
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

export interface ServicePort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly nodePort: number | undefined;
}

/** One address of an EndpointSlice. Duplicates of an address are merged; a ready one wins. */
export interface Endpoint {
  readonly ip: Ip;
  /** Qualified, as the name of a {@link Node}. */
  readonly node: string | undefined;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

/** A Service joined with its endpoints. */
export interface Service {
  /** `namespace/name`, or `cluster:namespace/name` in a cluster with a name: one string, for all tables. */
  readonly key: string;
  /** Of its cluster; absent: there is one cluster, without a name. */
  readonly cluster?: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly deleting: boolean;
  readonly loadBalancerClass: string | undefined;
  readonly externalTrafficPolicy: 'Cluster' | 'Local';
  readonly healthCheckNodePort: number | undefined;
  /** Absent: each connection of a client may reach another endpoint. */
  readonly sessionAffinity?: 'ClientIP';
  /** `spec.loadBalancerSourceRanges`, without those that do not parse; absent: any client may connect. */
  readonly sourceRanges?: readonly Prefix[];
  readonly ports: readonly ServicePort[];
  /** `status.loadBalancer.ingress[].ip` */
  readonly ingress: readonly Ip[];
  /**
   * Those of {@link ingress} whose `ipMode` is Proxy: kube-proxy makes nothing of them, and takes no packet for them.
   * Absent: none.
   */
  readonly proxied?: readonly Ip[];
  /** `spec.externalIPs` */
  readonly externalIps: readonly Ip[];
  /** The input of the allocation. */
  readonly request: AllocationRequest;
  /** Sorted by ip, then node. */
  readonly endpoints: readonly Endpoint[];
  /**
   * False: an EndpointSlice may be missing. A list lacked one that was there, or there is none at all: Kubernetes keeps
   * an empty one for a Service whose selector finds no pod (placeholder in k8s.io/endpointslice/reconciler.go).
   */
  readonly slicesKnown: boolean;
}

/** The fields of a Service that only the allocation of addresses reads. */
export interface AllocationRequest {
  /** ms since the epoch; 0: unknown */
  readonly created: number;
  readonly labels: Texts;
  /** Only those in {@link requestAnnotations}. */
  readonly annotations: Texts;
  readonly selector: Texts;
  /** `spec.loadBalancerIP` */
  readonly loadBalancerIp: string | undefined;
  /** `spec.clusterIPs` in their order; empty for headless Services, and until they are assigned. */
  readonly clusterIps: readonly Ip[];
  readonly familyPolicy: FamilyPolicy;
  /** {@link cleanupFinalizer} is set. */
  readonly finalizer: boolean;
  /** Host names in `status.loadBalancer.ingress`, from other controllers. */
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

/** Prefix of our annotations and conditions. */
export const ownPrefix = 'eiproute.io/';

/** Annotation of a Node that is to get no new flows; `eiproute drain` sets it to the name of who asked: `root@gw1`. */
export const drainAnnotation = 'eiproute.io/drain';

/** Annotation of a Node in which its agent tells what it serves. */
export const agentAnnotation = 'eiproute.io/agent';

/** Kubernetes' finalizer for Services whose load balancer has to be torn down first. */
export const cleanupFinalizer = 'service.kubernetes.io/load-balancer-cleanup';

/** The annotations of a request: our own, and MetalLB's as aliases for migration. */
export const requestAnnotations = {
  addresses: ['eiproute.io/addresses', 'metallb.io/loadBalancerIPs'],
  pool: ['eiproute.io/pool', 'metallb.io/address-pool'],
  sharingKey: ['eiproute.io/sharing-key', 'metallb.io/allow-shared-ip'],
} as const;

/** Of an object in a namespace. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

export type Resource = 'services' | 'endpointslices' | 'nodes';

/** The state of one list and watch. */
export interface Feed {
  /** Absent: of the one cluster, without a name. */
  readonly cluster?: string;
  readonly resource: Resource;
  /** The first list was complete. */
  readonly synced: boolean;
  /** ms since the epoch of the last data from the source; undefined: never. */
  readonly heard: number | undefined;
  /** Why the source cannot be read now, for a person; undefined: it can. */
  readonly trouble: string | undefined;
}

/** The address that a kubeconfig has connections to the API go to. */
export interface ApiPeer {
  /** Absent: of the one cluster, without a name. */
  readonly cluster?: string;
  readonly ip: Ip;
  /** The key of the kubeconfig. */
  readonly from: 'server' | 'proxy-url';
}

/** The state of the cluster without its Services. */
export interface Overview {
  /** Every resource was listed since the start; false: still listing, the state may be read from disk. */
  readonly complete: boolean;
  /** What is shown is the last known state, read from disk; absent: it is not. */
  readonly remembered?: true;
  /** Each cluster by itself; absent: there is one, without a name. */
  readonly clusters?: readonly ClusterState[];
  readonly nodes: readonly Node[];
  readonly feeds: readonly Feed[];
  /** Where the API servers are; absent: no kubeconfig was read, or a name is resolved each time. */
  readonly apiPeers?: readonly ApiPeer[];
  /** Objects and parts of objects that were skipped. */
  readonly problems: readonly Problem[];
}

/** One of several clusters. */
export interface ClusterState {
  readonly name: string;
  /** As in the {@link Overview}, of this one. */
  readonly complete: boolean;
  readonly remembered: boolean;
}

/** The state of the cluster. An unchanged Node or Service is the same object in the next snapshot. */
export interface Snapshot extends Overview {
  /** Sorted by namespace and name. */
  readonly services: readonly Service[];
}

/** Keys that changed since a listener's last delta. The new state is read from the cluster. */
export interface Delta {
  /** Keys of the Services, as {@link Service.key}, that were added, changed or deleted; 'all': any of them. */
  readonly services: ReadonlySet<string> | 'all';
  /** Whether a Node was added, changed or deleted. */
  readonly nodes: boolean;
  /** The part of it whose every change came as an event of a watch. */
  readonly byEvent: {
    readonly services: ReadonlySet<string>;
    /** Of the Nodes, where any has changed. */
    readonly nodes: boolean;
  };
}

/** A Service that was read again. */
export interface ReadService {
  /** As {@link Service.key}. */
  readonly key: string;
  /** As it was last read; undefined: it was not there. */
  readonly before: Service | undefined;
  /** undefined: it is gone */
  readonly after: Service | undefined;
}

/**
 * How a change was learned: from an event of a watch, which reports a change that was made, or from a list that replaced
 * the former one, and may lack what is there.
 */
export type Origin = 'event' | 'list';

/**
 * The name of an object among all clusters. No name in Kubernetes has a colon.
 *
 * @param cluster undefined: there is one, without a name
 */
export function qualified(cluster: string | undefined, name: string): string {
  // A template literal gives a cons string, which keeps both parts alive; join gives a flat one.
  return cluster === undefined ? name : [cluster, name].join(':');
}

/** The cluster in a {@link qualified} name; undefined: it names none. */
export function clusterOf(name: string): string | undefined {
  const colon = name.indexOf(':');
  return colon < 0 ? undefined : name.slice(0, colon);
}

/** A {@link qualified} name as its own cluster knows it. */
export function nameInside(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/**
 * What a person reads before a kubectl command about an object with a {@link qualified} name: `in cluster east: `;
 * empty where there is one cluster.
 */
export function insideWords(name: string): string {
  const cluster = clusterOf(name);
  return cluster === undefined ? '' : `in cluster ${cluster}: `;
}
