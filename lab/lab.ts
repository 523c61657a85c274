import type { Cluster } from './cluster/cluster.ts';
import { EmbeddedCluster } from './cluster/embedded-cluster.ts';
import { Clients } from './load/load.ts';
import { layNetwork, type Network } from './network/network.ts';
import type { Shape } from './network/wiring.ts';
import { now } from './process/clock.ts';
import type { KubeProxy } from './proxy/kube-proxy.ts';
import { PlayedProxy } from './proxy/played-proxy.ts';

/** The kinds of control plane, and of kube-proxies, that a lab can have. */
const clusters = { embedded: EmbeddedCluster.start } as const satisfies Record<string, StartCluster>;
const proxies = {
  played: async (network, cluster) => new PlayedProxy(network, cluster.feed),
} as const satisfies Record<string, StartProxy>;
type StartCluster = (network: Network) => Promise<Cluster>;
type StartProxy = (network: Network, cluster: Cluster) => Promise<KubeProxy>;

export interface LabPlan extends Shape {
  readonly cluster?: keyof typeof clusters;
  readonly proxy?: keyof typeof proxies;
}

/**
 * A network with a cluster in it, its kube-proxies and clients outside: `await using lab = await openLab(...)`. eiproute
 * is not in it: the demo installs it from the checkout, the tests of packages on hosts of their own.
 */
export class Lab implements AsyncDisposable {
  readonly network: Network;
  readonly cluster: Cluster;
  readonly proxy: KubeProxy;
  readonly clients: Clients;
  /** ms until the network was up. */
  readonly laidMs: number;
  readonly #stack: AsyncDisposableStack;

  constructor(parts: LabParts, stack: AsyncDisposableStack) {
    this.network = parts.network;
    this.cluster = parts.cluster;
    this.proxy = parts.proxy;
    this.clients = parts.clients;
    this.laidMs = parts.laidMs;
    this.#stack = stack;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

type LabParts = Pick<Lab, 'network' | 'cluster' | 'proxy' | 'clients' | 'laidMs'>;

export async function openLab(plan: LabPlan, signal?: AbortSignal): Promise<Lab> {
  const start = now();
  await using stack = new AsyncDisposableStack();
  const network = stack.use(await layNetwork(plan, signal));
  const laidMs = now() - start;
  const cluster = stack.use(await clusters[plan.cluster ?? 'embedded'](network));
  const proxy = stack.use(await proxies[plan.proxy ?? 'played'](network, cluster));
  const clients = stack.use(new Clients(network.namespace('client')));
  return new Lab({ network, cluster, proxy, clients, laidMs }, stack.move());
}
