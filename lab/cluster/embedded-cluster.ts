import { readFile, writeFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { api, type Dual, node } from '../network/map.ts';
import type { Network } from '../network/network.ts';
import { inside } from '../process/namespace.ts';
import { waitFor } from '../process/wait.ts';
import { type JsonObject, textAt } from './api/json.ts';
import { type Kind, kinds } from './api/kinds.ts';
import { rulesOf } from './api/rbac.ts';
import { ApiClient } from './api-client.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import type { Backend, Cluster, LabService, ObjectFeed } from './cluster.ts';
import { Gate } from './gate.ts';
import { kubeconfigOf } from './kubeconfig.ts';
import { rawNode, rawSlice } from './manifests.ts';
import { serviceObject, slicePorts, statusWith } from './service-object.ts';

const port = 6443;

const manifest = new URL('../../docs/rbac.yaml', import.meta.url);
const nodeManifest = new URL('../../docs/rbac-node.yaml', import.meta.url);

/** Above those that the API hands out to Services that are posted. */
const firstHealthPort = 32_000;

/** The embedded API server in a namespace of its own. The lab does what controllers do: endpoints and EIPs. */
export class EmbeddedCluster implements Cluster {
  readonly kind = 'embedded';
  readonly client: ApiClient;
  readonly feed: ObjectFeed;
  readonly #server: ApiServer;
  readonly #gate: Gate;
  /** Of the EndpointSlices of each Service. */
  readonly #ports = new Map<string, readonly JsonObject[]>();
  #created = 0;

  private constructor(server: ApiServer, gate: Gate) {
    this.#server = server;
    this.#gate = gate;
    this.client = new ApiClient({ url: gate.url, authority: server.authority, token: server.token });
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
    for (const document of parseAllDocuments(await readFile(manifest, 'utf8'))) {
      const object: JsonObject = document.toJS();
      if (['Lease', 'ConfigMap'].includes(textAt(object, 'kind'))) server.put(object);
    }
    return new EmbeddedCluster(
      server,
      await Gate.open({ namespace: network.namespace('api'), host: api.v4, port }),
    );
  }

  async writeKubeconfig(path: string): Promise<void> {
    await this.#writeKubeconfig(path, manifest);
  }

  async writeNodeKubeconfig(path: string): Promise<void> {
    await this.#writeKubeconfig(path, nodeManifest);
  }

  /** Every PATCH, POST and PUT so far, with the path of its object. */
  writes(): readonly string[] {
    return this.#server.seen
      .filter(({ method }) => ['PATCH', 'POST', 'PUT'].includes(method))
      .map(({ method, target }) => `${method} ${target}`);
  }

  async writeMachineKubeconfig(path: string): Promise<void> {
    const { authority, token } = this.#server;
    await writeFile(path, kubeconfigOf(this.#gate.url, authority, { token }), { mode: 0o600 });
  }

  async createService(service: LabService, backends: readonly Backend[]): Promise<void> {
    this.#created += 1;
    // Put and not posted, so that nothing but this gives it what the API would.
    const health = service.policy === 'Local' ? { healthCheckNodePort: firstHealthPort + this.#created } : {};
    const spec = { ...addressesOf(this.#created), ...health, ...service.spec };
    const object = serviceObject({ ...service, spec });
    this.#ports.set(service.name, slicePorts(object));
    this.#putSlices(service.name, backends);
    this.#server.put(service.eip === undefined ? object : { ...object, ...statusWith(service.eip) });
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
    // The client still has connections of before, and finds out here.
    const isReady = async (): Promise<true> => {
      await this.client.text('/readyz', AbortSignal.timeout(5000));
      return true;
    };
    await waitFor('the API server is ready', isReady, AbortSignal.timeout(30_000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.#gate[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  async #writeKubeconfig(path: string, rights: URL): Promise<void> {
    const token = this.#server.account(rulesOf(await readFile(rights, 'utf8')));
    await writeFile(path, this.#server.kubeconfig({ token }), { mode: 0o600 });
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
      this.#server.put(
        rawSlice(service, endpoints, `${service}-${side}`, 'default', this.#ports.get(service)),
      );
    }
  }
}

function kindOf(name: string): Kind {
  const found = kinds.find(({ kind }) => kind === name);
  if (!found) throw new Error(`the API server knows no ${name}`);
  return found;
}

/** What the API server would allocate. */
function addressesOf(number: number): JsonObject {
  const [v4, v6] = [`10.96.0.${10 + number}`, `2001:db8:96::${10 + number}`];
  return { clusterIP: v4, clusterIPs: [v4, v6] };
}

function both({ v4, v6 }: Dual): readonly string[] {
  return [v4, v6];
}
