import { now } from './clock.ts';
import { ControlPlane } from './cluster/control-plane.ts';
import { Clients } from './load/load.ts';
import { Witness } from './load/witness.ts';
import { layNetwork, type Network } from './network/network.ts';
import type { Shape } from './network/wiring.ts';
import {
  type GatewayFiles,
  GatewayProcess,
  gatewayFiles,
  writeGatewayConfig,
} from './process/gateway-process.ts';
import { NodeAgents } from './process/node-agents.ts';

/** All that the demo and the end-to-end tests play with, up and running: `await using lab = await openLab(...)`. */
export class Lab implements AsyncDisposable {
  readonly network: Network;
  readonly plane: ControlPlane;
  readonly clients: Clients;
  readonly witness: Witness;
  readonly files: GatewayFiles;
  readonly agents: NodeAgents;
  /** ms until the network was up. */
  readonly laidMs: number;
  /** Another one after the daemon was killed. */
  gateway: GatewayProcess;
  readonly #stack: AsyncDisposableStack;

  constructor(parts: Parts, gateway: GatewayProcess, stack: AsyncDisposableStack) {
    this.network = parts.network;
    this.plane = parts.plane;
    this.clients = parts.clients;
    this.witness = parts.witness;
    this.files = parts.files;
    this.agents = parts.agents;
    this.laidMs = parts.laidMs;
    this.gateway = gateway;
    this.#stack = stack;
    stack.defer(() => this.gateway[Symbol.asyncDispose]());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

interface Parts {
  readonly network: Network;
  readonly plane: ControlPlane;
  readonly clients: Clients;
  readonly witness: Witness;
  readonly files: GatewayFiles;
  readonly agents: NodeAgents;
  readonly laidMs: number;
}

/** Lays the network, starts the API and eiproute in it, on gateway and nodes; it may not be synced yet. */
export async function openLab(plan: Shape, signal: AbortSignal): Promise<Lab> {
  const start = now();
  await using stack = new AsyncDisposableStack();
  const network = stack.use(await layNetwork({ ...plan, nodeRouting: 'by agents' }, signal));
  const laidMs = now() - start;
  const agents = stack.use(await NodeAgents.start(network));
  const files = gatewayFiles(network.folder);
  await writeGatewayConfig(files);
  const plane = stack.use(await ControlPlane.start(network));
  await plane.writeKubeconfig(files.kubeconfig);
  const clients = stack.use(new Clients(network.namespace('client')));
  const witness = stack.use(await Witness.watch(network.namespace('gateway'), signal));
  const gateway = await GatewayProcess.start(network, files);
  return new Lab({ network, plane, clients, witness, files, agents, laidMs }, gateway, stack.move());
}
