import type { Dual } from '../network/map.ts';
import type { Pod } from '../network/network.ts';
import type { JsonObject } from './api/json.ts';
import type { ApiClient } from './api-client.ts';

/** A Service of the lab: TCP port 80, both families. */
export interface LabService {
  readonly name: string;
  readonly policy: 'Cluster' | 'Local';
  /** The lab writes it into the status; absent: the Service waits for eiproute to assign one. */
  readonly eip?: Dual;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Further fields of its spec, or others in their place. */
  readonly spec?: JsonObject;
}

export interface Backend {
  readonly pod: Pod;
  readonly state: 'ready' | 'terminating';
}

/** Backends that serve. */
export function ready(pods: readonly Pod[]): readonly Backend[] {
  return pods.map((pod) => ({ pod, state: 'ready' }));
}

export interface ObjectChange {
  readonly object: JsonObject;
}

/** The objects of the API, and each change of them by any client. */
export interface ObjectFeed {
  /** @param kind `Service`, `EndpointSlice` */
  list(kind: string): readonly JsonObject[];
  /** @returns a function that ends it */
  listen(hear: (change: ObjectChange) => void): () => void;
}

/**
 * The control plane of a lab, reachable at the address `api` of the network's map. Its nodes are those of the network.
 *
 * Two implementations: the API server of this repository, with the controllers played by the lab
 * (embedded-cluster.ts); and a real etcd, kube-apiserver and kube-controller-manager (real-cluster.ts), where backends
 * are Pods, whose status the lab writes as a kubelet would, and from which the real controller makes EndpointSlices.
 */
export interface Cluster extends AsyncDisposable {
  readonly kind: 'embedded' | 'real';
  /** The API as its administrator uses it. */
  readonly client: ApiClient;
  readonly feed: ObjectFeed;
  /** Writes a kubeconfig that works inside the network, with the rights of docs/rbac.yaml and no more. */
  writeKubeconfig(path: string): Promise<void>;
  /** The same for the agents of the nodes, with the rights of docs/rbac-node.yaml. */
  writeNodeKubeconfig(path: string): Promise<void>;
  /** Writes the administrator's kubeconfig for the machine itself, where the API has a port of 127.0.0.1. */
  writeMachineKubeconfig(path: string): Promise<void>;
  createService(service: LabService, backends: readonly Backend[]): Promise<void>;
  /** Resolves when the EndpointSlices say so. */
  setBackends(service: string, backends: readonly Backend[]): Promise<void>;
  deleteService(name: string): Promise<void>;
  deleteNode(name: string): Promise<void>;
  /** Closes the port of the API and cuts its connections. Nodes and pods do not notice. */
  stopApi(): Promise<void>;
  startApi(): Promise<void>;
}
