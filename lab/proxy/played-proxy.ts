import { setImmediate } from 'node:timers/promises';
import type { ObjectFeed } from '../cluster/cluster.ts';
import type { Dual } from '../network/map.ts';
import type { Network, Pod } from '../network/network.ts';
import { HealthPorts } from './health-ports.ts';
import type { KubeProxy } from './kube-proxy.ts';
import { proxiedServices } from './proxied-services.ts';
import { type ProxiedService, proxyRules } from './proxy-rules.ts';

/** Rewrites the rules of all nodes after each change of a Service or an EndpointSlice. */
export class PlayedProxy implements KubeProxy {
  readonly kind = 'played';
  readonly #network: Network;
  readonly #feed: ObjectFeed;
  readonly #unlisten: () => void;
  readonly #stop = new AbortController();
  readonly #healthPorts: HealthPorts;
  #writing: Promise<void> = Promise.resolve();
  #stale = false;
  #failure: unknown;

  constructor(network: Network, feed: ObjectFeed) {
    this.#network = network;
    this.#feed = feed;
    this.#healthPorts = new HealthPorts(network);
    this.#unlisten = feed.listen(({ object: { kind } }) => {
      if (kind === 'Service' || kind === 'EndpointSlice') this.#follow();
    });
    this.#follow();
  }

  async settled(): Promise<void> {
    let last: Promise<void>;
    do {
      last = this.#writing;
      await last;
    } while (last !== this.#writing);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    this.#stop.abort();
    await this.#writing;
    await this.#healthPorts[Symbol.asyncDispose]();
  }

  /** One rewrite at a time; changes that come meanwhile are in the next one. */
  #follow(): void {
    if (this.#stale) return;
    this.#stale = true;
    this.#writing = this.#writing.then(async () => {
      // The API's watches speak first: starting an nft for each node would hold them up by milliseconds.
      await setImmediate();
      this.#stale = false;
      const services = proxiedServices(this.#feed.list('Service'), this.#feed.list('EndpointSlice'));
      try {
        await writeProxyRules(this.#network, services, this.#stop.signal);
        await this.#healthPorts.serve(services);
        this.#failure = undefined;
      } catch (error) {
        // `settled` throws it; the next change tries again.
        if (!this.#stop.signal.aborted) this.#failure = error;
      }
    });
  }
}

/** Writes the rules of every node. */
export async function writeProxyRules(
  network: Network,
  services: readonly ProxiedService[],
  signal?: AbortSignal,
): Promise<void> {
  await Promise.all(
    network.nodes.map((name) =>
      network.run(name, { argv: ['nft', '-f', '-'], input: proxyRules(services, name) }, signal),
    ),
  );
}

/** A Service on TCP port 80 whose pods are all ready, for {@link writeProxyRules}. */
export function proxiedService(
  name: string,
  eip: Dual,
  policy: ProxiedService['policy'],
  pods: readonly Pod[],
): ProxiedService {
  const endpoints = pods.flatMap(({ ip, port, node }) =>
    [ip.v4, ip.v6].map((each) => ({ ip: each, port, node, state: 'ready' as const })),
  );
  return { name, addresses: [eip.v4, eip.v6], protocol: 'tcp', port: 80, policy, endpoints };
}
