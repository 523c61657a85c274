import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { gateway, gateway2, pools } from '../network/map.ts';
import type { Network } from '../network/network.ts';
import { DaemonProcess } from './daemon-process.ts';

/** Whether agents have networks and gateways in their files, or take what the gateways publish. */
export type AgentKind = 'static' | 'following';

/** `eiproute node` on every node, each a process of its own. */
export class NodeAgents implements AsyncDisposable {
  readonly #agents: readonly DaemonProcess[];

  private constructor(agents: readonly DaemonProcess[]) {
    this.#agents = agents;
  }

  /** Starts them and does not wait; their logs go to files. */
  static async start(
    network: Network,
    cluster: Cluster,
    nodes: readonly string[],
    kind: AgentKind,
  ): Promise<NodeAgents> {
    const start = async (name: string): Promise<DaemonProcess> => {
      if (kind === 'static') return startAgent(network, name);
      const folder = join(network.folder, name);
      await mkdir(folder, { recursive: true });
      await cluster.writeNodeKubeconfig(join(folder, 'kubeconfig'));
      return startAgent(network, name, `follow: { kubeconfig: kubeconfig, node: ${name} }`);
    };
    return new NodeAgents(await Promise.all(nodes.map(start)));
  }

  /** Of the first one; undefined: there is none. */
  get pid(): number | undefined {
    return this.#agents[0]?.pid;
  }

  /**
   * Waits until all nodes have what they need.
   *
   * @throws Error with the log of the one that dies or does not get there
   */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.synced(signal)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent[Symbol.asyncDispose]()));
  }
}

/** Starts the one of a node, and does not wait. @param lines of its configuration in the place of networks and gateways */
export async function startAgent(network: Network, name: string, lines?: string): Promise<DaemonProcess> {
  const folder = join(network.folder, name);
  const config = join(folder, 'node.yaml');
  const lan = { gateway: gateway.lan, gateway2: gateway2.lan };
  const gateways = network.gateways.flatMap((part) => [lan[part].v4, `"${lan[part].v6}"`]);
  await mkdir(folder, { recursive: true });
  await writeFile(
    config,
    `${lines ?? `eips: [${pools.map((pool) => `"${pool}"`).join(', ')}]\ngateways: [${gateways.join(', ')}]`}
stateDirectory: state
runtimeDirectory: runtime
namesDirectory: ${folder} # not the machine's own: it is no router
log: { format: json }
`,
  );
  const log = join(folder, 'node.log');
  return DaemonProcess.start({ namespace: network.namespace(name), role: 'node', config, log });
}
