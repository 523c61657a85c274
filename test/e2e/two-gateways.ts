import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { DaemonProcess, program } from '../../lab/eiproute/daemon-process.ts';
import { Clients, type Load } from '../../lab/load/load.ts';
import { removeLeftovers } from '../../lab/network/lab-run.ts';
import {
  api,
  client,
  clients,
  eip,
  gateway,
  gateway2,
  node,
  pools,
  upstream,
} from '../../lab/network/map.ts';
import { layNetwork, type Network } from '../../lab/network/network.ts';
import { inside } from '../../lab/process/namespace.ts';
import { ipBatch, type Outcome, within } from '../../lab/process/run.ts';
import { writeProxyRules } from '../../lab/proxy/played-proxy.ts';
import { ask } from '../../src/daemon/ask.ts';
import type { Ip } from '../../src/model/ip.ts';
import type { GatewayStatus } from '../../src/status/status.ts';
import { late } from '../patience.ts';
import { echoPort, Flows, flowServer } from './flows.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { eventually, type Place } from './routing-daemons.ts';

export type Part = 'gateway' | 'gateway2';
export const parts: readonly Part[] = ['gateway', 'gateway2'];

/** Under Local: a flow that comes to another node than before is unknown there. */
export const local = eip(1);
const many = Array.from({ length: clients }, (_, i) => client(i));
const sources = { v4: many.map(({ v4 }) => v4), v6: many.map(({ v6 }) => v6) };

export interface TwoGatewaysOptions {
  /** Lines of the gateways' configuration beside interfaces and pools. */
  readonly lines: (part: Part) => string;
  /** Further pools, in YAML's flow style. */
  readonly pools?: readonly string[];
  /** The cluster is read from an API server of the lab, and not from a file. */
  readonly hasApi?: boolean;
  /** The EIPs that layer 2 announces; absent: none, and the gateways announce as they are told. */
  readonly layer2?: 'all' | 'IPv4';
  /** What a gateway needs before its daemon starts. */
  readonly prepare?: (two: TwoGateways, part: Part) => Promise<void>;
}

/**
 * Clients, an upstream router, two gateways with eiproute, and three nodes with agents, pods and a played kube-proxy. The
 * upstream router has no routes to the EIPs: they come from a routing daemon, or from the test.
 */
export class TwoGateways implements AsyncDisposable {
  readonly net: Network;
  readonly flows: Flows;
  readonly #clients: Clients;
  readonly #daemons = new Map<Part, DaemonProcess>();
  #stack: AsyncDisposableStack;
  readonly #linkLocal = new Map<Part, string>();
  /** undefined: the cluster is a file. */
  #api: ApiServer | undefined;

  private constructor(net: Network, flows: Flows, load: Clients, stack: AsyncDisposableStack) {
    this.net = net;
    this.flows = flows;
    this.#clients = load;
    this.#stack = stack;
  }

  static async lay({
    lines,
    pools: more = [],
    layer2,
    prepare,
    hasApi = false,
  }: TwoGatewaysOptions): Promise<TwoGateways> {
    await using stack = new AsyncDisposableStack();
    await removeLeftovers();
    const net = stack.use(await layNetwork({ nodes: 3, gateways: 2, nodeRouting: 'by agents' }));
    for (const [i, on] of net.nodes.entries()) {
      const { name } = await net.addPod(`web-${i + 1}`, on);
      const argv = within(net.namespace(name), [process.execPath, '-e', flowServer(name)]);
      stack.use(new GatewayDaemon(argv));
    }
    await writeProxyRules(
      net,
      [echoPort, 80].map((port) => ({
        name: 'default/local',
        addresses: [local.v4, local.v6],
        protocol: 'tcp',
        port,
        policy: 'Local',
        endpoints: net.pods.flatMap((pod) =>
          [pod.ip.v4, pod.ip.v6].map((ip) => ({
            ip,
            port: port === 80 ? pod.port : port,
            node: pod.node,
            state: 'ready' as const,
          })),
        ),
      })),
    );
    await ipBatch(
      ['-n', net.namespace('upstream')],
      pools.map((pool) => `route del ${pool}`),
    );
    const flows = stack.use(new Flows(net.namespace('client')));
    const load = stack.use(new Clients(net.namespace('client')));
    const two = new TwoGateways(net, flows, load, stack);
    if (hasApi) two.#api = stack.use(await two.#startApi());
    else
      await writeFile(
        join(net.folder, 'cluster.json'),
        JSON.stringify({ kind: 'List', items: two.#cluster() }),
      );
    for (const name of net.nodes) stack.use(await two.#startAgent(name));
    stack.defer(async () => {
      for (const daemon of two.#daemons.values()) await daemon[Symbol.asyncDispose]();
    });
    for (const part of parts) {
      await mkdir(two.folder(part), { recursive: true });
      await writeFile(two.config(part), two.#configuration(lines(part), more, layer2));
      await prepare?.(two, part);
      await two.start(part);
    }
    for (const part of parts) await two.synced(part);
    two.#stack = stack.move();
    return two;
  }

  /** The API server ends, as if its host had lost its power. */
  async stopApi(): Promise<void> {
    await this.#api?.stop();
  }

  /** For the files of a gateway and of the routing daemon beside it. */
  folder(part: Part | 'upstream'): string {
    return join(this.net.folder, part);
  }

  config(part: Part): string {
    return join(this.folder(part), 'gateway.yaml');
  }

  place(part: Part | 'upstream', name: string): Place {
    return { namespace: this.net.namespace(part), folder: join(this.folder(part), name) };
  }

  async start(part: Part): Promise<void> {
    this.#daemons.set(
      part,
      await DaemonProcess.start({
        namespace: this.net.namespace(part),
        role: 'gateway',
        config: this.config(part),
        log: join(this.folder(part), 'gateway.log'),
      }),
    );
  }

  async synced(part: Part): Promise<void> {
    await this.#daemons.get(part)?.synced(late());
  }

  async kill(part: Part): Promise<void> {
    await this.#daemons.get(part)?.kill('SIGKILL', late());
  }

  signal(part: Part, name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#daemons.get(part)?.signal(name);
  }

  eiproute(part: Part, ...words: readonly string[]): Promise<Outcome> {
    return this.net.outcome(part, { argv: [program, ...words, '--config', this.config(part)] });
  }

  async status(part: Part): Promise<GatewayStatus> {
    const runtime = join(this.folder(part), 'run');
    return JSON.parse(await ask(runtime, 'gateway', 'GET', '/status', late()));
  }

  /** `ip WORDS` somewhere in the network. */
  ip(part: string, words: string): Promise<string> {
    return this.net.run(part, { argv: ['ip', ...words.split(' ')] });
  }

  /** The gateways that the upstream router's kernel sends an EIP to: `gateway gateway2`. */
  async ways(family: 'v4' | 'v6' = 'v4'): Promise<string> {
    const route = await this.ip('upstream', `-${family === 'v4' ? 4 : 6} route show ${local[family]}`);
    return parts
      .filter((part) => {
        const { uplink } = part === 'gateway' ? gateway : gateway2;
        // A BGP speaker that names its link-local address is found by that one.
        return (
          route.includes(`via ${uplink[family]} `) || route.includes(`via ${this.#linkLocal.get(part)} `)
        );
      })
      .join(' ');
  }

  /** Reads the link-local addresses of the gateways' uplinks. */
  async readLinkLocals(): Promise<void> {
    for (const part of parts) {
      const shown = await this.ip(part, '-6 -o address show dev eth1 scope link');
      this.#linkLocal.set(part, /inet6 (fe80:[^/ ]+)/.exec(shown)?.[1] ?? '?');
    }
  }

  async leads(ways: string, family: 'v4' | 'v6' = 'v4'): Promise<void> {
    await eventually(
      `upstream, ${local[family]} leads to ${ways || 'nobody'}`,
      async () => (await this.ways(family)) === ways,
    );
  }

  /** Both gateways have heard of every node: else the kernel sends its flows to another one. */
  async know(): Promise<void> {
    for (const part of parts)
      await eventually(`${part} knows all nodes`, async () =>
        (await this.status(part)).nodes.every(({ answers }) => answers === 'yes'),
      );
  }

  /** Opens connections from sixteen clients. */
  async open(count: number, family: 'v4' | 'v6' = 'v4'): Promise<void> {
    await this.know();
    await this.flows.open(local[family], count, sources[family]);
  }

  /** Sends a byte over each connection. @returns how many of them have echoed every byte */
  async live(count: number): Promise<number> {
    await this.flows.send();
    let live = 0;
    await eventually('every flow is heard of', async () => {
      const seen = await this.flows.count();
      live = seen.live;
      return seen.live + seen.broken === count;
    });
    return live;
  }

  /** A new connection every 10 ms, to the addresses in turn. */
  load(...to: readonly Ip[]): Load {
    return this.#clients.start({ to, port: 80, every: 10 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #startApi(): Promise<ApiServer> {
    const port = 6443;
    const server = await startApiServer({
      host: api.v4,
      port,
      listen: (listener) => inside(this.net.namespace('api'), () => listener.listen(port)),
    });
    for (const item of this.#cluster()) server.put(JSON.parse(JSON.stringify(item)));
    await writeFile(join(this.net.folder, 'kubeconfig'), server.kubeconfig(), { mode: 0o600 });
    return server;
  }

  #cluster(): readonly object[] {
    return [
      ...this.net.nodes.map((name, i) => rawNode(name, { addresses: [node(i + 1).v4, node(i + 1).v6] })),
      rawService('local', { eips: [local.v4, local.v6], spec: { externalTrafficPolicy: 'Local' } }),
      ...(['v4', 'v6'] as const).map((family) =>
        rawSlice(
          'local',
          this.net.pods.map(({ ip, node: on }) => ({ ip: ip[family], node: on, ready: true })),
          `local-${family}`,
        ),
      ),
    ];
  }

  #configuration(lines: string, more: readonly string[], layer2?: 'all' | 'IPv4'): string {
    const [v4, v6] = pools.map((pool) => `"${pool}"`);
    const both = `name: public, addresses: [${v4}, ${v6}]`;
    const own =
      layer2 === undefined
        ? `{ ${both}, communities: ["65001:100"] }`
        : layer2 === 'all'
          ? `{ ${both}, announce: layer2 }`
          : `{ name: public, addresses: [${v4}], announce: layer2 }, { name: public6, addresses: [${v6}] }`;
    const { folder } = this.net;
    const source = this.#api
      ? `kubeconfig: ${folder}/kubeconfig`
      : `source: { file: ${folder}/cluster.json }`;
    return `${source}
lan: eth0
uplink: eth1
defaultRoute: { via: [${upstream.outer.v4}, "${upstream.outer.v6}"] }
pools: [${[own, ...more].join(', ')}]
stateDirectory: state
runtimeDirectory: run
log: { format: json }
${lines}
`;
  }

  async #startAgent(name: string): Promise<DaemonProcess> {
    const folder = join(this.net.folder, name);
    await mkdir(folder, { recursive: true });
    const config = join(folder, 'node.yaml');
    const gateways = [gateway, gateway2].flatMap(({ lan }) => [lan.v4, `"${lan.v6}"`]);
    await writeFile(
      config,
      `eips: [${pools.map((pool) => `"${pool}"`).join(', ')}]
gateways: [${gateways.join(', ')}]
stateDirectory: state
runtimeDirectory: run
namesDirectory: ${folder}
log: { format: json }
`,
    );
    const log = join(folder, 'node.log');
    const agent = await DaemonProcess.start({
      namespace: this.net.namespace(name),
      role: 'node',
      config,
      log,
    });
    await agent.synced(late());
    return agent;
  }
}
