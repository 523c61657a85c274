import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { eip, gateway, gateway2, node, pools, upstream } from '../../lab/network/map.ts';
import { layNetwork, type Network } from '../../lab/network/network.ts';
import { ipBatch, type Outcome, within } from '../../lab/process/run.ts';
import { proxiedService as service, writeProxyRules } from '../../lab/proxy/played-proxy.ts';
import type { ProxiedService } from '../../lab/proxy/proxy-rules.ts';
import { ask } from '../../src/daemon/ask.ts';
import { DaemonError } from '../../src/daemon/daemon-error.ts';
import type { NodeAgentStatus as Status } from '../../src/status/status.ts';
import { late } from '../patience.ts';
import { Echo, echoServer } from './echo.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { until } from './until.ts';

export const cluster = eip(1);
export const local = eip(2);
export const host = eip(3);
/** No Service has it. */
export const unserved = eip(9);
/** On the nodes' own addresses, and on no EIP. */
export const nodePort = 30_080;
/** What every node listens on for itself. */
export const hostPort = 22;

/**
 * Clients, two gateways, another router that the nodes' default route leads to, and three nodes with pods and a
 * kube-proxy. The gateways are routed by hand; what the nodes need is left to node agents.
 */
export class NodeLan implements AsyncDisposable {
  readonly net: Network;
  readonly #stack: AsyncDisposableStack;

  private constructor(net: Network, stack: AsyncDisposableStack) {
    this.net = net;
    this.#stack = stack;
  }

  static async lay(): Promise<NodeLan> {
    await using stack = new AsyncDisposableStack();
    const net = stack.use(await layNetwork({ nodes: 3, gateways: 2, nodeRouting: 'by agents' }));
    for (const i of [1, 2, 3]) {
      await net.addPod(`web-${i}`, `node${i}`);
      await net.addHostPod(`sshd-${i}`, `node${i}`, hostPort);
    }
    await net.addHostPod('host-1', 'node1', 9090);
    const lan = new NodeLan(net, stack.move());
    await lan.proxy();
    await lan.#openNodePorts();
    await lan.#routeGateways();
    await lan.#count();
    return lan;
  }

  /** Writes the kube-proxy rules of all nodes. */
  async proxy(more: readonly ProxiedService[] = []): Promise<void> {
    const pods = this.net.pods;
    const web = pods.filter(({ name }) => name.startsWith('web'));
    await writeProxyRules(this.net, [
      service('default/cluster', cluster, 'Cluster', web),
      service('default/local', local, 'Local', web.slice(1)),
      ...more,
      service(
        'default/host',
        host,
        'Local',
        pods.filter(({ name }) => name === 'host-1'),
      ),
    ]);
  }

  run(part: string, line: string, input = ''): Promise<string> {
    return this.net.run(part, { argv: ['sh', '-ec', line], input });
  }

  outcome(part: string, line: string): Promise<Outcome> {
    return this.net.outcome(part, { argv: ['sh', '-c', line] });
  }

  /** @returns what answered, as a line; or the exit code of curl: 7 is refused, 28 is silence */
  async get(from: string, ip: string, port = 80, extra = ''): Promise<string> {
    const url = ip.includes(':') ? `http://[${ip}]:${port}/` : `http://${ip}:${port}/`;
    const { status, out } = await this.outcome(from, `exec curl -gsS -m 20 ${extra} '${url}'`);
    return status === 0 ? out.trim() : String(status);
  }

  /** How many TCP segments this part had to send a second time, since it was laid. */
  async sentAgain(part: string): Promise<number> {
    const [names = '', values = ''] = (await this.run(part, 'grep ^Tcp: /proc/net/snmp')).split('\n');
    return Number(values.split(' ')[names.split(' ').indexOf('RetransSegs')]);
  }

  /** New flows from outside come in through this gateway from now on. */
  async enterThrough(part: 'gateway' | 'gateway2'): Promise<void> {
    const { uplink } = part === 'gateway' ? gateway : gateway2;
    await ipBatch(
      ['-n', this.net.namespace('upstream')],
      pools.map((pool) => `route replace ${pool} via ${pool.includes(':') ? uplink.v6 : uplink.v4} dev eth1`),
    );
  }

  /** Packets from an EIP that passed each router since it was laid, and what the other one dropped. */
  async replies(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    for (const part of ['gateway', 'gateway2', 'other']) {
      const listed = await this.run(part, 'nft list table inet eip-count');
      counts[part] = [...listed.matchAll(/counter packets (\d+)/g)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    }
    return counts;
  }

  /** Connections from the client to echo servers in the pods, by a Service on port 7 of `cluster`. */
  async echo(): Promise<Echo> {
    const web = this.net.pods.filter(({ name }) => name.startsWith('web'));
    await Promise.all(
      web.map(async ({ name }) => {
        const argv = within(this.net.namespace(name), [process.execPath, '-e', echoServer]);
        this.#stack.use(new GatewayDaemon(argv));
        await until(
          `${name} echoes`,
          () => this.run(name, 'ss -Hltn sport = :7000'),
          (listening) => listening !== '',
        );
      }),
    );
    const echo = service(
      'default/echo',
      cluster,
      'Cluster',
      web.map((pod) => ({ ...pod, port: 7000 })),
    );
    await this.proxy([{ ...echo, port: 7 }]);
    return new Echo(this.net.namespace('client'), 7);
  }

  /** A node agent with a configuration of its own; by default with both gateways. */
  async agent(part: string, rest = ''): Promise<Agent> {
    const folder = await mkdtemp(join(this.net.folder, `${part}-`));
    for (const name of ['rt_protos.d', 'rt_tables.d']) {
      await mkdir(join(folder, 'iproute2', name), { recursive: true });
    }
    const config = join(folder, 'node.yaml');
    const gateways = rest.includes('gateways:')
      ? ''
      : `gateways: [${[gateway, gateway2].flatMap(({ lan }) => [lan.v4, `"${lan.v6}"`]).join(', ')}]\n`;
    const eips = rest.includes('eips:') ? '' : `eips: [${pools.map((pool) => `"${pool}"`).join(', ')}]\n`;
    await writeFile(
      config,
      `${eips}${gateways}stateDirectory: state\nruntimeDirectory: run\nnamesDirectory: iproute2\n${rest}`,
    );
    return new Agent(this, part, folder, config);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** As kube-proxy does it: on every address that is local. */
  async #openNodePorts(): Promise<void> {
    await Promise.all(
      this.net.nodes.map((name, i) => {
        const pod = this.net.pods.find((one) => one.name === `web-${i + 1}`);
        if (!pod) throw new Error(`no pod on ${name}`);
        const rules = [`ip to ${pod.ip.v4}:${pod.port}`, `ip6 to [${pod.ip.v6}]:${pod.port}`]
          .map(
            (to) =>
              `fib daddr type local meta nfproto ipv${to.startsWith('ip6') ? 6 : 4} tcp dport ${nodePort} dnat ${to}\n`,
          )
          .join('');
        return this.run(
          name,
          'nft -f -',
          `table inet node-ports {
             chain pre { type nat hook prerouting priority -90\n${rules}}
             chain out { type nat hook output priority -90\n${rules}}
           }\n`,
        );
      }),
    );
  }

  async #routeGateways(): Promise<void> {
    for (const part of ['gateway', 'gateway2']) {
      await this.run(
        part,
        `cd /proc/sys/net; echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding
         for i in all eth0 eth1; do echo 0 >ipv4/conf/$i/rp_filter; echo 0 >ipv4/conf/$i/send_redirects; done`,
      );
      await ipBatch(
        ['-n', this.net.namespace(part)],
        [
          `route add default via ${upstream.outer.v4}`,
          `route add default via ${upstream.outer.v6}`,
          ...(
            [
              [cluster, 1],
              [local, 2],
              [host, 1],
              [unserved, 3],
            ] as const
          ).flatMap(([to, n]) => [
            `route add ${to.v4} via ${node(n).v4}`,
            `route add ${to.v6} via ${node(n).v6}`,
          ]),
        ],
      );
    }
  }

  async #count(): Promise<void> {
    const rules = pools
      .map((pool) => `${pool.includes(':') ? 'ip6' : 'ip'} saddr ${pool} counter\n`)
      .join('');
    for (const part of ['gateway', 'gateway2', 'other']) {
      await this.run(
        part,
        'nft -f -',
        `table inet eip-count {
           chain replies {\n${rules}}
           chain pre { type filter hook prerouting priority -300\niifname eth0 jump replies\n}
         }\n`,
      );
    }
  }
}

/** `eiproute node` on one of the nodes. */
export class Agent {
  readonly part: string;
  readonly folder: string;
  readonly #lan: NodeLan;
  readonly #config: string;

  constructor(lan: NodeLan, part: string, folder: string, config: string) {
    this.#lan = lan;
    this.part = part;
    this.folder = folder;
    this.#config = config;
  }

  /** Starts it, and waits until all is in place. */
  async start(): Promise<GatewayDaemon> {
    const daemon = this.launch();
    await until(
      `the agent of ${this.part} is synced`,
      async () => {
        if (daemon.end !== undefined) throw new Error(`it ended with ${daemon.end}: ${daemon.text()}`);
        return (await this.status())?.synced;
      },
      (synced) => synced === true,
    );
    return daemon;
  }

  /** @param environment more of it */
  launch(environment: Readonly<Record<string, string>> = {}): GatewayDaemon {
    const line = [program, 'node', '--config', this.#config, '--log-format', 'json'];
    const set = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    return new GatewayDaemon(within(this.#lan.net.namespace(this.part), ['env', ...set, ...line]));
  }

  /** @param eiproute what runs eiproute, for a shell */
  command(words: string, eiproute = program): Promise<Outcome> {
    return this.#lan.outcome(this.part, `${eiproute} ${words} --config ${this.#config}`);
  }

  /** undefined: nobody answers. */
  async status(): Promise<Status | undefined> {
    try {
      return JSON.parse(await ask(join(this.folder, 'run'), 'node', 'GET', '/status', late()));
    } catch (error) {
      if (error instanceof DaemonError) return undefined;
      throw error;
    }
  }

  /** All that an agent could touch, whoever it is of; names of tables and counters left out. */
  async kernel(): Promise<string> {
    const look = [
      'ip -N rule; ip -N -6 rule',
      'ip -N route show table all | grep -v "^unreachable\\|^multicast\\|table 255" | sort',
      'ip -N -6 route show table all | grep -v "^multicast\\|table 255" | sort',
      // By name: else the table that was made last is last.
      'nft list tables | sort | while read _ family name; do nft -s list table $family $name; done',
      'grep -r . /proc/sys/net/ipv4/conf/*/rp_filter',
    ];
    return this.#lan.run(this.part, look.join('\n'));
  }
}
