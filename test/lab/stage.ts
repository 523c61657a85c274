import { type JsonObject, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { Eiproute } from '../../lab/eiproute/eiproute.ts';
import { type GatewaySettings, gatewayFiles } from '../../lab/eiproute/gateway-files.ts';
import type { AgentKind } from '../../lab/eiproute/node-agents.ts';
import { type Lab, type LabKind, openLab } from '../../lab/lab.ts';
import { removeLeftovers } from '../../lab/network/lab-run.ts';
import { node } from '../../lab/network/map.ts';
import type { Pod } from '../../lab/network/network.ts';
import type { Shape } from '../../lab/network/wiring.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { type NodeProgram, NodePrograms } from '../../lab/proxy/node-programs.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';

export interface StageOptions extends Pick<Shape, 'gateways'> {
  readonly agents?: AgentKind | 'none';
  /** Nodes of a second cluster, `west`, with a real control plane of its own; then the first is `east`. */
  readonly west?: readonly string[];
  /** What is played on every node beside its kube-proxy. */
  readonly programs?: readonly NodeProgram[];
}

/** A lab with eiproute on its gateway and its three nodes, as one installs it. */
export class Stage implements AsyncDisposable {
  readonly lab: Lab;
  readonly eiproute: Eiproute;
  /** The second cluster of a gateway with two; see {@link StageOptions}. */
  readonly west: RealCluster | undefined;
  readonly programs: NodePrograms;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    { lab, eiproute, west, programs }: Pick<Stage, 'lab' | 'eiproute' | 'west' | 'programs'>,
    stack: AsyncDisposableStack,
  ) {
    this.lab = lab;
    this.eiproute = eiproute;
    this.west = west;
    this.programs = programs;
    this.#stack = stack;
  }

  /** @param lines of the gateway's configuration, beside its interfaces and pools */
  static async open(
    kind: LabKind,
    lines = 'allocate: true',
    { gateways = 1, agents = 'static', west: western = [], programs: played = [] }: StageOptions = {},
  ): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    await removeLeftovers();
    const nodes = ['node1', 'node2', 'node3'].filter((name) => !western.includes(name));
    const shape = { nodes: 3, gateways, nodeRouting: 'by agents' } as const;
    const lab = stack.use(await openLab(shape, kind.cluster === 'real' ? { ...kind, nodes } : kind));
    const programs = stack.use(await NodePrograms.start(lab.network, played, late()));
    let west: RealCluster | undefined;
    let settings: GatewaySettings = { lines };
    if (western.length > 0) {
      west = stack.use(await RealCluster.start(lab.network, { number: 1, nodes: western }));
      const { kubeconfig } = gatewayFiles(lab.network.folder);
      await west.writeKubeconfig(`${kubeconfig}.west`);
      const clusters = `clusters:
  - { name: east, kubeconfig: ${kubeconfig} }
  - { name: west, kubeconfig: ${kubeconfig}.west }`;
      settings = { lines, clusters };
    }
    const eiproute = stack.use(await Eiproute.start(lab.network, lab.cluster, settings, agents));
    await eiproute.synced(late());
    return new Stage({ lab, eiproute, west, programs }, stack.move());
  }

  /** A Service as the API has it; undefined: it has none of this name. */
  service(name: string): JsonObject | undefined {
    return this.lab.cluster.feed.list('Service').find((each) => textAt(each, 'metadata', 'name') === name);
  }

  /** The cluster of a lab of the real kind. */
  get real(): RealCluster {
    const { cluster } = this.lab;
    if (!(cluster instanceof RealCluster)) throw new Error('the lab has no real cluster');
    return cluster;
  }

  /** Lays the pods `web-1` to `web-3`, one on each node. */
  async layPods(): Promise<void> {
    const { network } = this.lab;
    for (const [i, name] of network.nodes.entries()) await network.addPod(`web-${i + 1}`, name);
  }

  pods(...names: readonly string[]): readonly Pod[] {
    return this.lab.network.pods.filter(({ name }) => names.includes(name));
  }

  /** Deletes a Service; resolves when the API has it no more. */
  async gone(name: string): Promise<void> {
    await this.lab.cluster.deleteService(name);
    await this.until(`Service ${name} is gone`, () => this.service(name) === undefined);
  }

  /** The addresses in a Service's status, with spaces between them. */
  eips(name: string): string {
    return listAt(this.service(name), 'status', 'loadBalancer', 'ingress')
      .map((each) => textAt(each, 'ip'))
      .join(' ');
  }

  /** The same as addresses; for a Service that has some. */
  ips(name: string): readonly Ip[] {
    return this.eips(name).split(' ').map(parseIp);
  }

  /** `True Routed` */
  condition(name: string, type: string): string {
    const found = listAt(this.service(name), 'status', 'conditions').find(
      (each) => textAt(each, 'type') === type,
    );
    return found === undefined ? '' : `${textAt(found, 'status')} ${textAt(found, 'reason')}`.trim();
  }

  /** Resolves when it is so. @param what in words: 'shop has an address' */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    await waitFor(what, async () => ((await holds()) ? true : undefined), late());
  }

  /** Resolves when a Service has addresses that the gateway routes; the nodes may not serve them yet. */
  async serving(name: string): Promise<void> {
    await this.until(
      `Service ${name} is Serving`,
      () => this.eips(name) !== '' && this.condition(name, 'eiproute.io/Serving').startsWith('True'),
    );
  }

  /** Whether `eiproute status` on the gateway says OK. */
  async isOk(): Promise<boolean> {
    const argv = [program, 'status', '--config', this.eiproute.files.config];
    return (await this.lab.network.outcome('gateway', { argv })).status === 0;
  }

  /** What `ip route show` says of an address on the gateway; empty: it has no route of its own. */
  async route(ip: string): Promise<string> {
    const family = ip.includes(':') ? '-6' : '-4';
    return await this.lab.network.run('gateway', { argv: ['ip', family, 'route', 'show', ip] });
  }

  /** The nodes that the gateway's kernel sends an address to: `node1 node3`. */
  async nodesOf(ip: string): Promise<string> {
    const { network } = this.lab;
    const family = ip.includes(':') ? '-6' : '-4';
    const ask = async (...words: readonly string[]): Promise<string> =>
      await network.run('gateway', { argv: ['ip', '-j', ...words] });
    const routes: readonly { nhid?: number }[] = JSON.parse(await ask(family, 'route', 'show', ip));
    const nexthops: readonly Nexthop[] = JSON.parse(await ask('nexthop'));
    const found = nexthops.find(({ id }) => id === routes[0]?.nhid);
    const members = found?.group?.map(({ id }) => id) ?? [found?.id];
    return network.nodes
      .filter((_, i) => {
        const address = ip.includes(':') ? node(i + 1).v6 : node(i + 1).v4;
        return nexthops.some(({ id, gateway }) => members.includes(id) && gateway === address);
      })
      .join(' ');
  }

  /** Resolves when the gateway's kernel sends the addresses to these nodes: `node1 node3`; empty: to none. */
  async lead(ips: readonly string[], nodes: string): Promise<void> {
    for (const ip of ips)
      await this.until(`${ip} leads to "${nodes}"`, async () => (await this.nodesOf(ip)) === nodes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** A part of what `ip -j nexthop` prints. */
interface Nexthop {
  readonly id: number;
  readonly gateway?: string;
  readonly group?: readonly { readonly id: number }[];
}
