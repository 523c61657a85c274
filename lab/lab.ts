import type { Cluster } from './cluster/cluster.ts';
import { EmbeddedCluster } from './cluster/embedded-cluster.ts';
import { RealCluster, type RealClusterOptions } from './cluster/real-cluster.ts';
import { Clients } from './load/load.ts';
import { layNetwork, type Network } from './network/network.ts';
import type { Shape } from './network/wiring.ts';
import { now } from './process/clock.ts';
import type { KubeProxy } from './proxy/kube-proxy.ts';
import { PlayedProxy } from './proxy/played-proxy.ts';
import { type ProxyMode, RealProxy } from './proxy/real-proxy.ts';

/** Which control plane and which kube-proxies a lab has. Real kube-proxies need a real control plane. */
export type LabKind =
  | { readonly cluster: 'embedded'; readonly proxy: 'played' }
  | ({
      readonly cluster: 'real';
      readonly proxy: 'played' | ProxyMode;
    } & RealClusterOptions);

export const embedded: LabKind = { cluster: 'embedded', proxy: 'played' };

/**
 * A network with a cluster in it, its kube-proxies and clients outside: `await using lab = await openLab(...)`. eiproute
 * is not in it: the demo installs it from the checkout, the tests of packages on hosts of their own.
 */
export class Lab implements AsyncDisposable {
  readonly network: Network;
  readonly cluster: Cluster;
  readonly proxy: KubeProxy;
  readonly clients: Clients;
  /** ms until the network was up, and from then on until the cluster and its kube-proxies were. */
  readonly laidMs: number;
  readonly clusterMs: number;
  readonly #stack: AsyncDisposableStack;

  constructor(parts: LabParts, stack: AsyncDisposableStack) {
    this.network = parts.network;
    this.cluster = parts.cluster;
    this.proxy = parts.proxy;
    this.clients = parts.clients;
    this.laidMs = parts.laidMs;
    this.clusterMs = parts.clusterMs;
    this.#stack = stack;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

type LabParts = Pick<Lab, 'network' | 'cluster' | 'proxy' | 'clients' | 'laidMs' | 'clusterMs'>;

export async function openLab(shape: Shape, kind: LabKind, signal?: AbortSignal): Promise<Lab> {
  const start = now();
  await using stack = new AsyncDisposableStack();
  const network = stack.use(await layNetwork(shape, signal));
  const laid = now();
  const { cluster, proxy } = await startCluster(network, kind, stack);
  const clusterMs = now() - laid;
  const clients = stack.use(new Clients(network.namespace('client')));
  return new Lab({ network, cluster, proxy, clients, laidMs: laid - start, clusterMs }, stack.move());
}

async function startCluster(
  network: Network,
  kind: LabKind,
  stack: AsyncDisposableStack,
): Promise<{ cluster: Cluster; proxy: KubeProxy }> {
  if (kind.cluster === 'embedded') {
    const cluster = stack.use(await EmbeddedCluster.start(network));
    return { cluster, proxy: stack.use(new PlayedProxy(network, cluster.feed)) };
  }
  const cluster = stack.use(await RealCluster.start(network, kind));
  const { proxy } = kind;
  return {
    cluster,
    proxy: stack.use(
      proxy === 'played'
        ? new PlayedProxy(network, cluster.feed)
        : await RealProxy.start(proxy, network, cluster),
    ),
  };
}
