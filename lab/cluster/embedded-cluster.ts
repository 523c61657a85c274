import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { api, type Dual, node } from '../network/map.ts';
import type { Network } from '../network/network.ts';
import { inside } from '../process/namespace.ts';
import type { JsonObject } from './api/json.ts';
import { type Kind, kinds } from './api/kinds.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import type { Backend, Cluster, LabService, ObjectFeed } from './cluster.ts';
import { rawNode, rawService, rawSlice } from './manifests.ts';

const port = 6443;

/** The embedded API server in a namespace of its own. The lab does what controllers do: endpoints and EIPs. */
export class EmbeddedCluster implements Cluster {
  readonly feed: ObjectFeed;
  readonly #server: ApiServer;
  #gate: Server | undefined;
  #created = 0;

  private constructor(server: ApiServer) {
    this.#server = server;
    this.feed = {
      list: (kind) => server.objects.list(kindOf(kind), '').items,
      listen: (hear) => server.objects.listen(hear),
    };
  }

  static async start(network: Network): Promise<EmbeddedCluster> {
    const server = await startApiServer({
      host: api.v4,
      port,
      addresses: [api.v6],
      // The socket is made within the call, in the namespace it is to serve.
      listen: (listener) => inside(network.namespace('api'), () => listener.listen(port)),
    });
    for (const [i, name] of network.nodes.entries()) {
      server.put(rawNode(name, { addresses: both(node(i + 1)), kubeletVersion: 'demo' }));
    }
    return new EmbeddedCluster(server);
  }

  async writeKubeconfig(path: string): Promise<void> {
    await writeFile(path, this.#server.kubeconfig(), { mode: 0o600 });
  }

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

  async createService(service: LabService, backends: readonly Backend[]): Promise<void> {
    this.#created += 1;
    this.#putSlices(service.name, backends);
    this.#server.put(serviceObject(service, this.#created));
  }

  async setBackends(service: string, backends: readonly Backend[]): Promise<void> {
    this.#putSlices(service, backends);
  }

  async deleteService(name: string): Promise<void> {
    const { objects } = this.#server;
    objects.delete(kindOf('Service'), 'default', name);
    for (const side of ['v4', 'v6']) objects.delete(kindOf('EndpointSlice'), 'default', `${name}-${side}`);
  }

  async deleteNode(name: string): Promise<void> {
    this.#server.objects.delete(kindOf('Node'), '', name);
  }

  async stopApi(): Promise<void> {
    await this.#server.stop();
  }

  async startApi(): Promise<void> {
    await this.#server.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gate?.close();
    await this.#server[Symbol.asyncDispose]();
  }

  #putSlices(service: string, backends: readonly Backend[]): void {
    for (const side of ['v4', 'v6'] as const) {
      const endpoints = backends.map(({ pod, state }) => ({
        ip: pod.ip[side],
        node: pod.node,
        pod: pod.name,
        ready: state === 'ready',
        serving: true,
        terminating: state === 'terminating',
      }));
      this.#server.put(rawSlice(service, endpoints, `${service}-${side}`));
    }
  }
}

function kindOf(name: string): Kind {
  const found = kinds.find(({ kind }) => kind === name);
  if (!found) throw new Error(`the API server knows no ${name}`);
  return found;
}

function serviceObject({ name, policy, eip }: LabService, number: number): JsonObject {
  return rawService(name, {
    status: {
      loadBalancer: eip === undefined ? {} : { ingress: both(eip).map((ip) => ({ ip, ipMode: 'VIP' })) },
    },
    spec: {
      ...(eip === undefined ? { loadBalancerClass: 'eiproute.io/gateway' } : {}),
      selector: { app: name },
      clusterIP: `10.96.0.${10 + number}`,
      clusterIPs: [`10.96.0.${10 + number}`, `2001:db8:96::${10 + number}`],
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
      externalTrafficPolicy: policy,
      allocateLoadBalancerNodePorts: false,
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
  });
}

function both({ v4, v6 }: Dual): readonly string[] {
  return [v4, v6];
}
