import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RealCluster } from '../cluster/real-cluster.ts';
import { podNetworks } from '../network/map.ts';
import type { Network } from '../network/network.ts';
import { Process } from '../process/process.ts';
import { waitFor } from '../process/wait.ts';
import type { KubeProxy } from './kube-proxy.ts';

export type ProxyMode = 'nftables' | 'iptables';

/** ms; kube-proxy waits up to 1 s before it writes, and writes for long when it has just started */
const patience = 30_000;
const marker = { kind: 'Service', name: 'lab-marker' };

/** The real kube-proxy on every node. */
export class RealProxy implements KubeProxy {
  readonly kind: ProxyMode;
  readonly #network: Network;
  readonly #cluster: RealCluster;
  readonly #processes = new Map<string, Process>();
  #marks = 0;

  private constructor(mode: ProxyMode, network: Network, cluster: RealCluster) {
    this.kind = mode;
    this.#network = network;
    this.#cluster = cluster;
  }

  /** Starts all; resolves when each has written its rules. */
  static async start(mode: ProxyMode, network: Network, cluster: RealCluster): Promise<RealProxy> {
    await using stack = new AsyncDisposableStack();
    const proxy = stack.use(new RealProxy(mode, network, cluster));
    await writeFile(proxy.#kubeconfig, cluster.plane.proxyKubeconfig(), { mode: 0o600 });
    for (const name of network.nodes) await proxy.startOn(name);
    await proxy.settled();
    stack.move();
    return proxy;
  }

  async startOn(name: string): Promise<void> {
    const folder = join(this.#network.folder, name);
    await mkdir(folder, { recursive: true });
    const process = await Process.start({
      namespace: this.#network.namespace(name),
      argv: [
        ...this.#cluster.plane.programs.argv['kube-proxy'],
        `--kubeconfig=${this.#kubeconfig}`,
        `--hostname-override=${name}`,
        `--proxy-mode=${this.kind}`,
        `--cluster-cidr=${podNetworks.join(',')}`,
        // These sysctls are the machine's, not a namespace's.
        '--conntrack-max-per-core=0',
        '--conntrack-tcp-timeout-established=0',
        '--conntrack-tcp-timeout-close-wait=0',
      ],
      log: join(folder, 'kube-proxy.log'),
    });
    this.#processes.set(name, process);
  }

  /** @param how SIGKILL: it is gone, and its rules stay; SIGSTOP and SIGCONT: it is frozen, and goes on */
  async signal(name: string, how: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const process = this.#processes.get(name);
    process?.signal(how);
    if (how !== 'SIGKILL') return;
    await process?.ended;
    this.#processes.delete(name);
  }

  /** As a DaemonSet does it for a Node that is made anew: kube-proxy itself ends when its Node is deleted. */
  async restart(name: string): Promise<void> {
    await this.signal(name, 'SIGKILL');
    await this.startOn(name);
  }

  /**
   * A marker is changed last, in both kinds of object that kube-proxy reads. It takes each kind in order, and writes all
   * that it knows at once: rules that have the marker have all before it. A node that is cut off hears nothing of it.
   */
  async settled(): Promise<void> {
    this.#marks += 1;
    const port = 10_000 + this.#marks;
    await this.#mark(port);
    const limit = AbortSignal.timeout(patience);
    await Promise.all(
      this.#network.nodes
        .filter((name) => this.#processes.has(name) && this.#network.isPlugged(name))
        .map((name) =>
          waitFor(`the kube-proxy of ${name} has written its rules`, () => this.#has(name, port), limit),
        ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#processes.values()].map((each) => each[Symbol.asyncDispose]()));
  }

  get #kubeconfig(): string {
    return join(this.#network.folder, 'kube-proxy.kubeconfig');
  }

  /** A Service without selector: its EndpointSlice is ours. */
  async #mark(port: number): Promise<void> {
    const { client } = this.#cluster;
    const metadata = {
      name: marker.name,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': marker.name },
    };
    const ports = [{ name: 'http', protocol: 'TCP', port, targetPort: port }];
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata,
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.254'], conditions: { ready: true } }],
      ports: [{ name: 'http', protocol: 'TCP', port }],
    };
    if ((await client.find(marker)) === undefined) {
      await client.create({ apiVersion: 'v1', kind: 'Service', metadata: { ...metadata }, spec: { ports } });
      await client.create(slice);
    } else {
      await client.patch(marker, { spec: { ports } });
      await client.patch({ kind: 'EndpointSlice', name: marker.name }, slice);
    }
  }

  async #has(name: string, port: number): Promise<true | undefined> {
    const argv =
      this.kind === 'nftables'
        ? ['nft', 'list', 'table', 'ip', 'kube-proxy']
        : ['iptables-save', '-t', 'nat'];
    const { status, out } = await this.#network.outcome(name, { argv });
    if (status !== 0) return undefined;
    // The port of the Service, and the address and port of its endpoint.
    const service = this.kind === 'nftables' ? `tcp . ${port} ` : `--dport ${port} `;
    return out.includes(service) && out.includes(`192.0.2.254:${port}`) ? true : undefined;
  }
}
