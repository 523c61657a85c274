import type { Cluster } from '../cluster/cluster.ts';
import type { Network } from '../network/network.ts';
import { outcome } from '../process/run.ts';
import { DaemonProcess, program } from './daemon-process.ts';
import {
  type GatewayFiles,
  type GatewaySettings,
  gatewayFiles,
  writeGatewayConfig,
} from './gateway-files.ts';
import { type AgentKind, NodeAgents } from './node-agents.ts';

/** eiproute as it is installed in a lab: the daemon on the gateway, an agent on every node. */
export class Eiproute implements AsyncDisposable {
  readonly files: GatewayFiles;
  readonly #namespace: string;
  readonly #agents: NodeAgents;
  #gateway: DaemonProcess;

  private constructor(files: GatewayFiles, namespace: string, agents: NodeAgents, gateway: DaemonProcess) {
    this.files = files;
    this.#namespace = namespace;
    this.#agents = agents;
    this.#gateway = gateway;
  }

  /**
   * Writes the configuration, starts all and does not wait.
   *
   * @param nodes the agents, one on every node; 'none': nothing is installed there
   */
  static async start(
    network: Network,
    cluster: Cluster,
    settings: GatewaySettings,
    nodes: AgentKind | 'none' = 'static',
  ): Promise<Eiproute> {
    await using stack = new AsyncDisposableStack();
    const [on, kind] = nodes === 'none' ? [[], 'static' as const] : [network.nodes, nodes];
    const agents = stack.use(await NodeAgents.start(network, cluster, on, kind));
    const files = gatewayFiles(network.folder);
    await writeGatewayConfig(files, settings);
    await cluster.writeKubeconfig(files.kubeconfig);
    const namespace = network.namespace('gateway');
    const eiproute = new Eiproute(files, namespace, agents, await startGateway(namespace, files));
    stack.move();
    return eiproute;
  }

  /** The daemon that runs on the gateway now. */
  get gateway(): DaemonProcess {
    return this.#gateway;
  }

  /** Of the first node's agent. */
  get agentPid(): number | undefined {
    return this.#agents.pid;
  }

  /** Starts another daemon with the same files, after the former one has ended. */
  async restartGateway(): Promise<void> {
    this.#gateway = await startGateway(this.#namespace, this.files);
  }

  /** @throws Error with the end of the log of the one that dies or does not get there */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#gateway.synced(signal), this.#agents.synced(signal)]);
  }

  /** The first trouble with a list of the API that `eiproute status` shows; undefined: there is none. */
  async feedTrouble(signal: AbortSignal): Promise<string | undefined> {
    const argv = [program, 'status', '--config', this.files.config, '--json'];
    // Its exit code tells the state, which is not asked for here.
    const { out } = await outcome({ argv }, signal);
    const { feeds }: FeedStatus = JSON.parse(out);
    const troubled = feeds.find(({ trouble }) => trouble !== undefined);
    return troubled && `${troubled.resource}: ${troubled.trouble}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway[Symbol.asyncDispose]();
    await this.#agents[Symbol.asyncDispose]();
  }
}

/** A part of what `eiproute status --json` prints. */
interface FeedStatus {
  readonly feeds: readonly { readonly resource: string; readonly trouble?: string }[];
}

function startGateway(namespace: string, { config, log }: GatewayFiles): Promise<DaemonProcess> {
  return DaemonProcess.start({ namespace, role: 'gateway', config, log });
}
