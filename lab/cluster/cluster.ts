import type { Dual } from '../network/map.ts';
import type { Pod } from '../network/network.ts';
import type { JsonObject } from './api/json.ts';

/** A Service of the lab: TCP port 80, both families. */
export interface LabService {
  readonly name: string;
  readonly policy: 'Cluster' | 'Local';
  /** The cluster writes it into the status; absent: the Service waits for eiproute to assign one. */
  readonly eip?: Dual;
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
  /** @param kind `Service` */
  list(kind: string): readonly JsonObject[];
  /** @returns a function that ends it */
  listen(hear: (change: ObjectChange) => void): () => void;
}

/**
 * The control plane of a lab, reachable at the address `api` of the network's map. Its nodes are those of the network.
 *
 * One implementation is the API server of this repository with the controllers played by the lab
 * (embedded-cluster.ts). A real etcd, kube-apiserver and kube-controller-manager are to be the other one: backends are
 * then Pods, whose readiness the lab writes and from which the real controller makes EndpointSlices.
 */
export interface Cluster extends AsyncDisposable {
  readonly feed: ObjectFeed;
  /** Writes a kubeconfig that works inside the network. */
  writeKubeconfig(path: string): Promise<void>;
  /** Opens the API to the machine itself, on a port of 127.0.0.1, and writes a kubeconfig for it. */
  openToMachine(path: string): Promise<void>;
  createService(service: LabService, backends: readonly Backend[]): Promise<void>;
  setBackends(service: string, backends: readonly Backend[]): Promise<void>;
  deleteService(name: string): Promise<void>;
  deleteNode(name: string): Promise<void>;
  /** Closes the port of the API and cuts its connections. Nodes and pods do not notice. */
  stopApi(): Promise<void>;
  startApi(): Promise<void>;
}
