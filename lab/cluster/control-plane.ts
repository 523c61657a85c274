import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { now } from '../clock.ts';
import { api, type Dual, node } from '../network/map.ts';
import { inside } from '../network/namespace.ts';
import type { Network, Pod } from '../network/network.ts';
import { proxied } from '../proxy/kube-proxy-source.ts';
import { type JsonObject, listAt, textAt } from './api/json.ts';
import { type Kind, kinds } from './api/kinds.ts';
import { type ApiServer, startApiServer } from './api-server.ts';

/** A Service of the demo: one port, 80, both families. */
export interface Offer {
  readonly name: string;
  readonly eip: Dual;
  readonly policy: 'Cluster' | 'Local';
}

export interface Backend {
  readonly pod: Pod;
  readonly state: 'ready' | 'terminating';
}

/** Backends that serve. */
export function ready(pods: readonly Pod[]): readonly Backend[] {
  return pods.map((pod) => ({ pod, state: 'ready' }));
}

const port = 6443;

/**
 * All of a cluster but the nodes: the API server in a namespace of its own, and, in the demo's own hands, what
 * controllers do: endpoints, EIPs, and the kube-proxies, which follow every change of the API's objects
 * whoever makes it.
 */
export class ControlPlane implements AsyncDisposable {
  readonly #network: Network;
  readonly #server: ApiServer;
  readonly #deaf: () => void;
  readonly #stop = new AbortController();
  #proxying: Promise<void> = Promise.resolve();
  #stale = false;
  #failure: unknown;
  #gate: Server | undefined;
  #made = 0;

  private constructor(network: Network, server: ApiServer) {
    this.#network = network;
    this.#server = server;
    this.#deaf = server.objects.listen(({ kind }) => {
      if (kind.kind === 'Service' || kind.kind === 'EndpointSlice') this.#follow();
    });
  }

  static async start(network: Network): Promise<ControlPlane> {
    const server = await startApiServer({
      host: api.v4,
      port,
      addresses: [api.v6],
      // The socket is made within the call, in the namespace it is to serve.
      listen: (listener) => inside(network.namespace('api'), () => listener.listen(port)),
    });
    const plane = new ControlPlane(network, server);
    for (const [i, name] of network.nodes.entries()) server.put(nodeObject(name, node(i + 1)));
    return plane;
  }

  async writeKubeconfig(path: string): Promise<void> {
    await writeFile(path, this.#server.kubeconfig(), { mode: 0o600 });
  }

  /** Opens the API to the machine itself, on a port of 127.0.0.1, for kubectl; and writes a kubeconfig for it. */
  async openToMachine(path: string): Promise<void> {
    const gate = createServer((socket) => this.#server.serve(socket));
    this.#gate = gate;
    await new Promise<void>((resolve, reject) => {
      gate.once('error', reject);
      gate.listen(0, '127.0.0.1', resolve);
    });
    const address = gate.address();
    if (address === null || typeof address === 'string') throw new Error('the gate has no port');
    const here = this.#server.kubeconfig().replace(this.#server.url, `https://127.0.0.1:${address.port}`);
    await writeFile(path, here, { mode: 0o600 });
  }

  /** Makes a Service with its EIPs and endpoints, all in one breath, and returns when the nodes know it. */
  async offer(offer: Offer, backends: readonly Backend[]): Promise<void> {
    this.#made += 1;
    this.#slices(offer.name, backends);
    this.#server.put(serviceObject(offer, this.#made));
    await this.settled();
  }

  /** Makes a Service that waits for its EIPs, with its endpoints. */
  async ask({ name }: Pick<Offer, 'name'>, backends: readonly Backend[]): Promise<void> {
    this.#made += 1;
    this.#slices(name, backends);
    this.#server.put(askingObject(name, this.#made));
    await this.settled();
  }

  /** Resolves when a Service has EIPs, with when that was, in ms of the demo's clock. */
  async addressOf(
    name: string,
    signal: AbortSignal,
  ): Promise<{ readonly ips: readonly string[]; readonly at: number }> {
    const found = Promise.withResolvers<{ ips: readonly string[]; at: number }>();
    const deaf = this.#server.objects.listen(({ kind, object }) => {
      if (kind.kind !== 'Service' || textAt(object, 'metadata', 'name') !== name) return;
      const ips = listAt(object, 'status', 'loadBalancer', 'ingress').map((item) => textAt(item, 'ip'));
      if (ips.length > 0) found.resolve({ ips, at: now() });
    });
    const stop = (): void => found.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await found.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      deaf();
    }
  }

  /** Returns when the nodes know it. */
  async endpoints(name: string, backends: readonly Backend[]): Promise<void> {
    this.#slices(name, backends);
    await this.settled();
  }

  async withdraw(name: string): Promise<void> {
    this.#server.objects.delete(kindOf('Service'), 'default', name);
    for (const side of ['v4', 'v6'] as const) {
      this.#server.objects.delete(kindOf('EndpointSlice'), 'default', `${name}-${side}`);
    }
    await this.settled();
  }

  async removeNode(name: string): Promise<void> {
    this.#server.objects.delete(kindOf('Node'), '', name);
    await this.settled();
  }

  /** The API is gone: port closed, connections cut. Nodes and pods do not notice. */
  async stopApi(): Promise<void> {
    await this.#server.stop();
  }

  async startApi(): Promise<void> {
    await this.#server.start();
  }

  /** Resolves when every node's rules are as the API's objects. */
  async settled(): Promise<void> {
    let last: Promise<void>;
    do {
      last = this.#proxying;
      await last;
    } while (last !== this.#proxying);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#deaf();
    this.#stop.abort();
    await this.#proxying;
    this.#gate?.close();
    await this.#server[Symbol.asyncDispose]();
  }

  #slices(name: string, backends: readonly Backend[]): void {
    for (const side of ['v4', 'v6'] as const) this.#server.put(sliceObject(name, side, backends));
  }

  /** One rewrite at a time; changes that come meanwhile are in the next one. */
  #follow(): void {
    if (this.#stale) return;
    this.#stale = true;
    this.#proxying = this.#proxying.then(async () => {
      // First let the API's watches speak: starting nft thrice would hold them up by milliseconds.
      await setImmediate();
      this.#stale = false;
      const of = (name: string): readonly JsonObject[] => this.#server.objects.list(kindOf(name), '').items;
      try {
        await this.#network.proxy(proxied(of('Service'), of('EndpointSlice')), this.#stop.signal);
        this.#failure = undefined;
      } catch (error) {
        // For whoever waits for it; the next change tries again.
        if (!this.#stop.signal.aborted) this.#failure = error;
      }
    });
  }
}

function kindOf(name: string): Kind {
  const found = kinds.find(({ kind }) => kind === name);
  if (!found) throw new Error(`the API server knows no ${name}`);
  return found;
}

function nodeObject(name: string, { v4, v6 }: Dual): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: {},
    status: {
      addresses: [
        { type: 'InternalIP', address: v4 },
        { type: 'InternalIP', address: v6 },
        { type: 'Hostname', address: name },
      ],
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
      nodeInfo: { kubeletVersion: 'demo' },
    },
  };
}

function serviceObject({ name, eip, policy }: Offer, number: number): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      selector: { app: name },
      clusterIP: `10.96.0.${10 + number}`,
      clusterIPs: [`10.96.0.${10 + number}`],
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
      externalTrafficPolicy: policy,
      allocateLoadBalancerNodePorts: false,
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
    status: { loadBalancer: { ingress: [eip.v4, eip.v6].map((ip) => ({ ip, ipMode: 'VIP' })) } },
  };
}

function askingObject(name: string, number: number): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      loadBalancerClass: 'eiproute.io/gateway',
      selector: { app: name },
      clusterIP: `10.96.0.${10 + number}`,
      clusterIPs: [`10.96.0.${10 + number}`, `2001:db8:96::${10 + number}`],
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: false,
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
    status: { loadBalancer: {} },
  };
}

function sliceObject(name: string, side: 'v4' | 'v6', backends: readonly Backend[]): JsonObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${side}`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': name },
    },
    addressType: side === 'v4' ? 'IPv4' : 'IPv6',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: backends.map(({ pod, state }) => ({
      addresses: [pod.ip[side]],
      nodeName: pod.node,
      targetRef: { kind: 'Pod', namespace: 'default', name: pod.name },
      conditions: {
        ready: state === 'ready',
        serving: true,
        terminating: state === 'terminating',
      },
    })),
  };
}
