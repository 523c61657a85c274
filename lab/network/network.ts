import { setSysctls } from '../process/namespace.ts';
import { type Command, ipBatch, outcome, run, within } from '../process/run.ts';
import { LabRun } from './lab-run.ts';
import { type Dual, node, pod, podBridge } from './map.ts';
import { PodServers } from './pod-servers.ts';
import {
  cables,
  nodeFilter,
  otherFilter,
  places,
  podCable,
  podLines,
  podSysctls,
  type Shape,
} from './wiring.ts';

export interface Pod {
  readonly name: string;
  /** `node1` */
  readonly node: string;
  readonly ip: Dual;
  readonly port: number;
}

/** All pods listen here. */
export const podPort = 8080;

/**
 * A network in namespaces, each cable a veth pair, each segment a bridge in the namespace `switch`:
 *
 *     client ── upstream ──(uplink)── gateway ──(lan)──┬── node1 … nodeN ── pods
 *                                                      └── api
 *
 * The gateway has its addresses and nothing else: it does not forward. Nothing touches the namespace we are in;
 * disposing removes all of it, and when nobody is left to dispose, `removeLeftovers` does.
 */
export async function layNetwork(plan: Shape, signal?: AbortSignal): Promise<Network> {
  await using stack = new AsyncDisposableStack();
  const labRun = stack.use(await LabRun.begin());
  const servers = stack.use(new PodServers());
  const at = (part: string): string => labRun.name(part);
  const parts = places(plan);
  await ipBatch(
    [],
    parts.map(({ part }) => `netns add ${at(part)}`),
    signal,
  );
  // Before the cables: new interfaces take these over.
  for (const { part, sysctls } of parts) setSysctls(at(part), sysctls);
  await ipBatch(['-n', at('switch')], cables(plan, at), signal);
  const filter = plan.nodeRouting === 'by agents' ? '' : nodeFilter();
  await Promise.all(
    parts.map(async ({ part, lines, lines6 }) => {
      await ipBatch(['-n', at(part)], lines, signal);
      await ipBatch(['-n', at(part), '-6'], lines6, signal);
      if (part.startsWith('node')) {
        if (filter !== '') await run({ argv: within(at(part), ['nft', '-f', '-']), input: filter }, signal);
      } else if (part === 'other') {
        await run({ argv: within(at(part), ['nft', '-f', '-']), input: otherFilter }, signal);
      }
    }),
  );
  return new Network(plan, labRun, servers, stack.move());
}

export class Network implements AsyncDisposable {
  /** Files of this run live here; removed with the network. */
  readonly folder: string;
  readonly nodes: readonly string[];
  readonly gateways: readonly ('gateway' | 'gateway2')[];
  readonly #labRun: LabRun;
  readonly #servers: PodServers;
  readonly #stack: AsyncDisposableStack;
  readonly #pods = new Map<string, Pod>();
  readonly #unplugged = new Set<string>();
  #born = 0;

  constructor(plan: Shape, labRun: LabRun, servers: PodServers, stack: AsyncDisposableStack) {
    this.folder = labRun.folder;
    this.nodes = Array.from({ length: plan.nodes }, (_, i) => `node${i + 1}`);
    this.gateways = plan.gateways === 2 ? ['gateway', 'gateway2'] : ['gateway'];
    this.#labRun = labRun;
    this.#servers = servers;
    this.#stack = stack;
  }

  /** The full name of a namespace: `gateway` -> `eip-x7k2-gateway`. */
  namespace(part: string): string {
    return this.#labRun.name(part);
  }

  /** Whether the cable of a port is in the switch. */
  isPlugged(port: string): boolean {
    return !this.#unplugged.has(port);
  }

  get pods(): readonly Pod[] {
    return [...this.#pods.values()];
  }

  /** Runs a command in the namespace of `part`; its failure is a value. */
  outcome(part: string, command: Command, signal?: AbortSignal): ReturnType<typeof outcome> {
    return outcome({ ...command, argv: within(this.namespace(part), command.argv) }, signal);
  }

  /** Runs a command in the namespace of `part`. */
  run(part: string, command: Command, signal?: AbortSignal): Promise<string> {
    return run({ ...command, argv: within(this.namespace(part), command.argv) }, signal);
  }

  /** A pod that answers on port 8080 with its name and the address it saw. */
  async addPod(name: string, on: string, signal?: AbortSignal): Promise<Pod> {
    const nodeIndex = this.#nodeIndex(on);
    // Never the address of an earlier pod: a node would still have its neighbour entry.
    this.#born += 1;
    const ip = pod(nodeIndex, this.#born);
    const namespace = this.namespace(name);
    await ipBatch([], [`netns add ${namespace}`], signal);
    setSysctls(namespace, podSysctls);
    await ipBatch(['-n', this.namespace(on)], podCable(name, namespace), signal);
    await ipBatch(['-n', namespace], podLines(ip, podBridge(nodeIndex)), signal);
    await this.#servers.open(name, namespace, podPort);
    return this.#remember({ name, node: on, ip, port: podPort });
  }

  /** A pod with `hostNetwork: true`: it answers on the node's own address, on a port of its own. */
  async addHostPod(name: string, on: string, port: number): Promise<Pod> {
    await this.#servers.open(name, this.namespace(on), port);
    return this.#remember({ name, node: on, ip: node(this.#nodeIndex(on)), port });
  }

  async removePod(name: string, signal?: AbortSignal): Promise<void> {
    const gone = this.#pods.get(name);
    if (!gone) throw new Error(`no pod ${name}`);
    this.#pods.delete(name);
    await this.#servers.close(name);
    if (gone.ip.v4 !== node(this.#nodeIndex(gone.node)).v4) {
      // The kernel takes a namespace apart in its own time; the cable must be out of the node now.
      await ipBatch(['-n', this.namespace(gone.node)], [`link del ${name}`], signal);
      await ipBatch([], [`netns del ${this.namespace(name)}`], signal);
    }
  }

  /** Pulls the cable of `node1`, `gateway` (its LAN side), `gateway-up` or `api` out of the switch. */
  unplug(port: string, signal?: AbortSignal): Promise<void> {
    this.#unplugged.add(port);
    return ipBatch(['-n', this.namespace('switch')], [`link set ${port} down`], signal);
  }

  plug(port: string, signal?: AbortSignal): Promise<void> {
    this.#unplugged.delete(port);
    return ipBatch(['-n', this.namespace('switch')], [`link set ${port} up`], signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #nodeIndex(name: string): number {
    const index = this.nodes.indexOf(name);
    if (index < 0) throw new Error(`no node ${name}`);
    return index + 1;
  }

  #remember(one: Pod): Pod {
    this.#pods.set(one.name, one);
    return one;
  }
}
