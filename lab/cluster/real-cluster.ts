import { readFile, writeFile } from 'node:fs/promises';
import { type Dual, node } from '../network/map.ts';
import type { Network, Pod } from '../network/network.ts';
import { waitFor } from '../process/wait.ts';
import { at, type JsonObject, listAt, objectAt, textAt } from './api/json.ts';
import type { ApiClient } from './api-client.ts';
import type { Backend, Cluster, LabService, ObjectChange, ObjectFeed } from './cluster.ts';
import { Informer } from './informer.ts';
import { ControlPlane, type ControlPlaneOptions } from './real/control-plane.ts';
import { runningStatus } from './real/kubelets.ts';
import { findPrograms } from './real/programs.ts';
import { podLabel, serviceObject, statusWith } from './service-object.ts';

const manifest = new URL('../../docs/rbac.yaml', import.meta.url);
const nodeManifest = new URL('../../docs/rbac-node.yaml', import.meta.url);
const nodeAccount = { namespace: 'kube-system', name: 'eiproute-node' };
const account = { namespace: 'kube-system', name: 'eiproute' };
/** ms; the controllers need less than a second on an idle machine */
const patience = 30_000;
/** ms between two renewals of a node's Lease */
const heartbeat = 1000;

/** What the lab may want to know of a cluster at any time. */
const watched = ['Service', 'EndpointSlice', 'Pod'];

export interface RealClusterOptions extends ControlPlaneOptions {
  /** Names of the network's nodes that are its own; absent: all. */
  readonly nodes?: readonly string[];
}

/** A real Kubernetes; the lab plays the kubelets: it writes the status of Nodes and Pods. */
export class RealCluster implements Cluster {
  readonly kind = 'real';
  readonly plane: ControlPlane;
  readonly feed: ObjectFeed;
  readonly nodes: readonly string[];
  readonly #network: Network;
  readonly #silent = new Set<string>();
  #heartbeat: NodeJS.Timeout | undefined;
  readonly #informers: ReadonlyMap<string, Informer>;
  readonly #listeners = new Set<(change: ObjectChange) => void>();

  private constructor(plane: ControlPlane, network: Network, nodes: readonly string[]) {
    this.plane = plane;
    this.nodes = nodes;
    this.#network = network;
    this.#informers = new Map(
      watched.map((kind) => [kind, new Informer(plane.client, kind, (change) => this.#tell(change))]),
    );
    this.feed = {
      list: (kind) => this.#objects(kind),
      listen: (hear) => {
        this.#listeners.add(hear);
        return () => this.#listeners.delete(hear);
      },
    };
  }

  static async start(network: Network, options: RealClusterOptions = {}): Promise<RealCluster> {
    await using stack = new AsyncDisposableStack();
    const plane = stack.use(await ControlPlane.start(network, await findPrograms(), options));
    const cluster = stack.use(new RealCluster(plane, network, options.nodes ?? network.nodes));
    await Promise.all([
      ...cluster.nodes.map((name) => putNode(plane.client, name, cluster.#addressOf(name))),
      plane.client.apply(await readFile(manifest, 'utf8')),
      plane.client.apply(await readFile(nodeManifest, 'utf8')),
      ...[...cluster.#informers.values()].map(({ listed }) => listed),
    ]);
    if (options.nodeGraceSeconds !== undefined) {
      await cluster.#renew();
      cluster.#heartbeat = setInterval(() => void cluster.#renew(), heartbeat).unref();
    }
    stack.move();
    return cluster;
  }

  get client(): ApiClient {
    return this.plane.client;
  }

  async writeKubeconfig(path: string): Promise<void> {
    await this.#writeKubeconfig(path, account);
  }

  async writeNodeKubeconfig(path: string): Promise<void> {
    await this.#writeKubeconfig(path, nodeAccount);
  }

  /** The same, with its token in a file that is read again now and then. */
  async writeKubeconfigWithFile(path: string, tokenFile: string): Promise<void> {
    await writeFile(path, this.plane.kubeconfig({ tokenFile }), { mode: 0o600 });
  }

  /**
   * A token of eiproute's account that ends at a time of our choice; Kubernetes itself gives none for less than ten
   * minutes. It takes a token for about a minute longer than it says.
   *
   * @param expires s since the epoch
   */
  async tokenUntil(expires: number): Promise<string> {
    const found = await this.client.get({ kind: 'ServiceAccount', ...account });
    return this.plane.signToken({ ...account, uid: textAt(found, 'metadata', 'uid') }, expires);
  }

  async writeMachineKubeconfig(path: string): Promise<void> {
    await writeFile(path, this.plane.machineKubeconfig(), { mode: 0o600 });
  }

  /** @param backends undefined: its selector finds Pods that are not the lab's */
  async createService(service: LabService, backends: readonly Backend[] | undefined): Promise<void> {
    if (backends !== undefined) await this.#putPods(service.name, backends);
    await this.client.create(serviceObject(service));
    if (service.eip !== undefined) {
      await this.client.patch({ kind: 'Service', name: service.name }, statusWith(service.eip), 'status');
    }
    if (backends !== undefined) await this.#sliced(service.name, backends);
  }

  async setBackends(service: string, backends: readonly Backend[]): Promise<void> {
    await this.#putPods(service, backends);
    await this.#sliced(service, backends);
  }

  async deleteService(name: string): Promise<void> {
    await this.client.delete({ kind: 'Service', name });
    await this.#putPods(name, []);
  }

  async deleteNode(name: string): Promise<void> {
    await this.client.delete({ kind: 'Node', name });
  }

  /** A Pod with the network of its node, Running and Ready; nothing runs in it. */
  async putHostPod(
    namespace: string,
    name: string,
    on: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<void> {
    await waitFor('the namespace has its service account', () => this.#account(namespace), late());
    const ip = this.#addressOf(on);
    await this.client.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels: { ...labels } },
      spec: {
        nodeName: on,
        hostNetwork: true,
        automountServiceAccountToken: false,
        containers: [{ name: 'server', image: 'none' }],
      },
    });
    await this.client.patch({ kind: 'Pod', namespace, name }, runningStatus({ ip }), 'status');
  }

  /** Makes a Node that was deleted anew: the kubelet registers again. @param ip absent: the network's map has it */
  async putNode(name: string, ip?: Dual): Promise<void> {
    await putNode(this.client, name, ip ?? this.#addressOf(name));
  }

  /** From now on the kubelet of a node renews its Lease no more. */
  silence(name: string): void {
    this.#silent.add(name);
  }

  async stopApi(): Promise<void> {
    await this.plane.kill('kube-apiserver');
  }

  async startApi(): Promise<void> {
    await this.plane.start('kube-apiserver');
    await this.plane.ready();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    for (const informer of this.#informers.values()) await informer[Symbol.asyncDispose]();
    await this.plane[Symbol.asyncDispose]();
  }

  /** As the network's map has it. */
  #addressOf(name: string): Dual {
    if (!this.nodes.includes(name)) throw new Error(`no node ${name}`);
    return node(this.#network.nodes.indexOf(name) + 1);
  }

  /** Renews the Leases by which the controllers know that a kubelet is alive. */
  async #renew(): Promise<void> {
    const renewTime = new Date().toISOString().replace('Z', '000Z');
    const alive = this.nodes.filter((name) => !this.#silent.has(name));
    // While the API is away the Leases run out: with real kubelets that is so as well.
    await Promise.all(alive.map((name) => this.#renewLease(name, renewTime))).catch(() => undefined);
  }

  async #renewLease(name: string, renewTime: string): Promise<void> {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime },
    };
    const ref = { kind: 'Lease', name, namespace: 'kube-node-lease' };
    if ((await this.client.find(ref)) === undefined) await this.client.create(lease);
    else await this.client.patch(ref, { spec: lease.spec });
  }

  /** Makes the Pods of a Service these, as kubelets would report them. */
  async #putPods(service: string, backends: readonly Backend[]): Promise<void> {
    const label = podLabel(service);
    const known = await this.client.list('Pod', label);
    const wanted = new Set(backends.map(({ pod }) => pod.name));
    await Promise.all([
      ...known.filter((pod) => !wanted.has(nameOf(pod))).map((pod) => this.#takePod(pod, label)),
      ...backends.map(({ pod, state }) => this.#putPod(pod, label, state)),
    ]);
  }

  async #putPod(pod: Pod, label: string, state: Backend['state']): Promise<void> {
    const ref = { kind: 'Pod', name: pod.name };
    const known = await this.client.find(ref);
    if (known === undefined) {
      // The service account of the namespace is the controllers' first work; until it is there, no Pod is taken.
      await waitFor('the namespace has its service account', () => this.#account(), late());
      await this.client.create(podObject(pod, label));
      await this.client.patch(ref, runningStatus(pod), 'status');
    } else if (textAt(known, 'metadata', 'labels', label) === '') {
      await this.client.patch(ref, { metadata: { labels: { [label]: 'yes' } } });
    }
    // Without a kubelet that confirms it the Pod stays: terminating, ready and serving.
    if (state === 'terminating' && at(known, 'metadata', 'deletionTimestamp') === undefined) {
      await this.client.delete(ref);
    }
  }

  /** A Pod that no Service is left for goes. */
  async #takePod(pod: JsonObject, label: string): Promise<void> {
    const ref = { kind: 'Pod', name: nameOf(pod) };
    const others = Object.keys(objectAt(pod, 'metadata', 'labels')).filter((each) => each !== label);
    const ends = at(pod, 'metadata', 'deletionTimestamp') !== undefined;
    if (ends || others.length === 0) await this.client.delete(ref, { graceSeconds: 0 });
    else await this.client.patch(ref, { metadata: { labels: { [label]: null } } });
  }

  async #writeKubeconfig(path: string, { namespace, name }: typeof account): Promise<void> {
    const token = await this.client.token(namespace, name, 24 * 3600);
    await writeFile(path, this.plane.kubeconfig({ token }), { mode: 0o600 });
  }

  async #account(namespace = 'default'): Promise<JsonObject | undefined> {
    return await this.client.find({ kind: 'ServiceAccount', namespace, name: 'default' });
  }

  /** Resolves when the EndpointSlices of a Service hold these backends and no others. */
  async #sliced(service: string, backends: readonly Backend[]): Promise<void> {
    const want = backends
      .flatMap(({ pod, state }) => [pod.ip.v4, pod.ip.v6].map((ip) => `${ip} ${state}`))
      .sort()
      .join();
    const done = (): true | undefined =>
      endpointsOf(this.#objects('EndpointSlice'), service) === want ? true : undefined;
    await waitFor(`the EndpointSlices of ${service} hold ${want || 'nothing'}`, done, late());
  }

  #objects(kind: string): readonly JsonObject[] {
    const informer = this.#informers.get(kind);
    if (informer === undefined) throw new Error(`the lab does not watch ${kind}`);
    return informer.objects;
  }

  #tell(change: ObjectChange): void {
    for (const hear of [...this.#listeners]) hear(change);
  }
}

function late(): AbortSignal {
  return AbortSignal.timeout(patience);
}

function endpointsOf(slices: readonly JsonObject[], service: string): string {
  return slices
    .filter((slice) => textAt(slice, 'metadata', 'labels', 'kubernetes.io/service-name') === service)
    .flatMap((slice) => listAt(slice, 'endpoints'))
    .flatMap((endpoint) => {
      const state = at(endpoint, 'conditions', 'terminating') === true ? 'terminating' : 'ready';
      const serves = at(endpoint, 'conditions', 'serving') !== false;
      return listAt(endpoint, 'addresses').map((ip) => `${ip} ${serves ? state : 'away'}`);
    })
    .sort()
    .join();
}

async function putNode(client: ApiClient, name: string, ip: Dual): Promise<void> {
  const labels = { 'kubernetes.io/hostname': name };
  await client.create({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
  const since = new Date().toISOString().replace(/\.\d+/, '');
  const status = {
    addresses: [
      ...[ip.v4, ip.v6].map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: name },
    ],
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        lastHeartbeatTime: since,
        lastTransitionTime: since,
      },
    ],
  };
  await client.patch({ kind: 'Node', name }, { status }, 'status');
}

function podObject({ name, node }: Pod, label: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { [label]: 'yes' } },
    spec: {
      nodeName: node,
      automountServiceAccountToken: false,
      containers: [{ name: 'server', image: 'none' }],
    },
  };
}

function nameOf(object: JsonObject): string {
  return textAt(object, 'metadata', 'name');
}
