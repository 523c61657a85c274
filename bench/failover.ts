import { setTimeout as sleep } from 'node:timers/promises';
import { ready } from '../lab/cluster/cluster.ts';
import { client, clients, type Dual, node } from '../lab/network/map.ts';
import { type Pod, podPort } from '../lab/network/network.ts';
import { run, within } from '../lab/process/run.ts';
import { RealProxy } from '../lab/proxy/real-proxy.ts';
import { echoPort, Flows, flowServer } from '../test/e2e/flows.ts';
import { GatewayDaemon } from '../test/e2e/gateway-daemon.ts';
import { Stage } from '../test/lab/stage.ts';
import { late } from '../test/patience.ts';
import { table } from './table.ts';

/** Flows of each family. */
const flowsEach = 150;
/** ms between two new connections */
const every = 10;
/** ms that each state of a case is watched */
const watched = 3000;
/** ms for which a pod serves on when it is told to end, as with a preStop hook that sleeps */
const grace = 2000;
const everyPod = ['web-1', 'web-2', 'web-3'];

interface Column {
  readonly name: string;
  /** Of the gateway's configuration. */
  readonly lines: string;
}

const fast = 'neighbour: { reachable: 100ms, firstProbe: 0s, retransmit: 40ms }';
const columns: readonly Column[] = [
  { name: 'defaults', lines: '' },
  { name: 'resilient', lines: 'resilient: true' },
  { name: 'fast', lines: fast },
];

/** What came of one case. */
interface Figures {
  readonly sent: number;
  readonly lost: number;
  /** ms between two good answers */
  readonly gap: number;
  /** Long-lived connections that ended or stalled, whose pod was not taken away by the case itself. */
  readonly broken: number | undefined;
}

/** Something that happens to the cluster, and its end. */
interface Case {
  readonly name: string;
  readonly policy: 'Local' | 'Cluster';
  /** The pods of the Services; absent: one on each node. */
  readonly pods?: readonly string[];
  /** Pods whose flows may break; undefined: which flows survive is not known, since any node carries any flow. */
  readonly victims: readonly string[] | undefined;
  /** The victims serve until `ends`: their flows count until then. */
  readonly serve?: true;
  /** ms for which it is watched until `ends`; absent: as long as everything else */
  readonly lasts?: number;
  readonly happens: (world: World) => Promise<void>;
  /** undefined: it is over by itself */
  readonly ends?: (world: World) => Promise<void>;
}

/**
 * What fails when something happens to a node, a pod or the gateway: new connections every 10 ms and 300 long-lived ones over
 * three nodes, IPv4 and IPv6 in turn, against the real kube-proxy. What failed is named on stderr, with the time since the case began.
 *
 * `EIPROUTE_CASES=7,8,8` runs these cases alone, as often as they are named, and `EIPROUTE_COLUMNS=defaults,fast` these columns.
 */
export async function failover(): Promise<string> {
  const results: Figures[][] = [];
  const only = process.env['EIPROUTE_CASES']?.split(',');
  const chosen = only?.map(numbered) ?? cases;
  const wanted = process.env['EIPROUTE_COLUMNS']?.split(',');
  const shown = columns.filter(({ name }) => wanted?.includes(name) ?? true);
  for (const { name, lines } of shown) {
    await using world = await World.open(`allocate: true\n${lines}`);
    const column: Figures[] = [];
    for (const each of chosen) {
      column.push(await world.measure(each));
      process.stderr.write(`${name}: ${each.name}\n`);
    }
    results.push(column);
  }
  return [
    'new connections that failed, of those sent; the longest time without an answer, ms; flows broken on what survives, of 300',
    table([
      ['', ...shown.map(({ name }) => name)],
      ...chosen.map(({ name }, i) => [name, ...results.map((column) => cell(column[i]))]),
    ]),
  ].join('\n');
}

function numbered(text: string): Case {
  const found = cases[Number(text) - 1];
  if (found === undefined) throw new Error(`no case ${text}: they are 1 to ${cases.length}`);
  return found;
}

function cell(figures: Figures | undefined): string {
  if (figures === undefined) return '-';
  const { sent, lost, gap, broken } = figures;
  return `${lost} of ${sent}, ${Math.round(gap)}, ${broken ?? '-'}`;
}

const cases: readonly Case[] = [
  {
    name: 'a cable is pulled, and plugged again, node 2 of 3',
    policy: 'Local',
    victims: ['web-2'],
    happens: ({ network }) => network.unplug('node2'),
    ends: ({ network }) => network.plug('node2'),
  },
  {
    name: 'the same, node 1',
    policy: 'Local',
    victims: ['web-1'],
    happens: ({ network }) => network.unplug('node1'),
    ends: ({ network }) => network.plug('node1'),
  },
  {
    name: 'the same, node 2, under Cluster (no pod on it)',
    policy: 'Cluster',
    pods: ['web-1', 'web-3'],
    victims: undefined,
    happens: ({ network }) => network.unplug('node2'),
    ends: ({ network }) => network.plug('node2'),
  },
  {
    name: 'the switch passes nothing to node 2, its link stays up',
    policy: 'Local',
    victims: ['web-2'],
    happens: (world) => world.switchPort('node2', 'nomaster'),
    ends: (world) => world.switchPort('node2', 'master lan'),
  },
  {
    name: 'a node takes its own link down, and up again',
    policy: 'Local',
    victims: ['web-2'],
    happens: (world) => world.linkDown('node2'),
    ends: (world) => world.linkUp('node2'),
  },
  {
    name: 'a node is frozen with all that runs on it, and goes on after 6 s',
    policy: 'Local',
    victims: ['web-2'],
    lasts: 6000,
    happens: (world) => world.signalNode('node2', 'STOP'),
    ends: (world) => world.signalNode('node2', 'CONT'),
  },
  {
    name: 'a kube-proxy is frozen, and goes on after 6 s',
    policy: 'Cluster',
    victims: [],
    lasts: 6000,
    happens: (world) => world.proxy.signal('node2', 'SIGSTOP'),
    ends: (world) => world.proxy.signal('node2', 'SIGCONT'),
  },
  {
    name: 'a kube-proxy says 503, and 200 again',
    policy: 'Cluster',
    victims: [],
    happens: (world) => world.sayUnhealthy('node2'),
    ends: (world) => world.sayHealthy('node2'),
  },
  {
    name: 'the autoscaler marks a node, and changes its mind',
    policy: 'Cluster',
    victims: [],
    happens: (world) =>
      world.taint('node2', [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }]),
    ends: (world) => world.taint('node2', []),
  },
  {
    name: 'a node is drained, and undrained',
    policy: 'Local',
    victims: [],
    happens: (world) => world.drain('node2', 'true'),
    ends: (world) => world.drain('node2', null),
  },
  {
    name: 'a pod shuts down and is gone, and one comes',
    policy: 'Local',
    victims: ['web-2'],
    serve: true,
    happens: (world) => world.set(['web-1', 'web-3'], ['web-2']),
    ends: (world) => world.replace('web-1', 'web-3'),
  },
  {
    name: 'the same, the pod of node 1',
    policy: 'Local',
    victims: ['web-1'],
    serve: true,
    happens: (world) => world.set(['web-2', 'web-3'], ['web-1']),
    ends: (world) => world.replace('web-2', 'web-3'),
  },
  {
    name: 'a pod moves to another node, and back',
    policy: 'Local',
    victims: ['web-2'],
    happens: (world) => world.move(['web-1', 'web-2', 'web-3'], 'web-2', 'moved', 'node3'),
    ends: (world) => world.move(['web-1', 'web-3', 'moved'], 'moved', 'web-2', 'node2'),
  },
  {
    name: 'all pods are restarted, one after the other',
    policy: 'Local',
    victims: ['web-1', 'web-2', 'web-3'],
    happens: (world) => world.roll(),
  },
  {
    name: 'all nodes are drained and restarted, one after the other',
    policy: 'Local',
    victims: ['web-1', 'web-2', 'web-3'],
    happens: (world) => world.restartNodes(),
  },
  {
    name: 'a node is deleted, and made anew with another address',
    policy: 'Local',
    victims: ['web-2'],
    happens: (world) => world.readdress('node2', node(2), node(9)),
    ends: (world) => world.readdress('node2', node(9), node(2)),
  },
  {
    name: 'the gateway is killed, and starts again',
    policy: 'Local',
    victims: [],
    happens: async ({ stage }) => {
      await stage.eiproute.gateway.kill('SIGKILL', late());
    },
    ends: ({ stage }) => stage.eiproute.restartGateway(),
  },
  {
    name: 'node 1 is drained, its pod and its Node are deleted, and come back',
    policy: 'Local',
    victims: ['web-1'],
    happens: (world) => world.takeOut('node1', ['web-2', 'web-3']),
    ends: (world) => world.takeIn('node1'),
  },
];

/** As a frozen program does it: the kernel takes the connection, and nobody reads what comes. */
const silencePod = `table inet eip-frozen { chain in { type filter hook input priority 0;
  tcp dport ${podPort} tcp flags & psh == psh drop;
}; };`;

/** Where a server of the node says 503 in the place of kube-proxy; what is open to kube-proxy itself is reset. */
const unhealthyPort = 10_299;
const unhealthy = `table ip eip-unhealthy {
  chain pre { type nat hook prerouting priority -110; tcp dport 10256 redirect to :${unhealthyPort}; };
  chain in { type filter hook input priority 0; tcp dport 10256 reject with tcp reset; };
};`;
const unhealthyServer = `require('node:http').createServer((_, answer) => { answer.statusCode = 503; answer.end(); })
  .listen(${unhealthyPort}, '0.0.0.0');`;

/** A lab with eiproute, three pods and two Services over them: one for new connections, one for long-lived ones. */
class World implements AsyncDisposable {
  readonly stage: Stage;
  readonly #servers: AsyncDisposableStack;
  /** What a node loses with its link: its routes, as `ip route` names them. */
  readonly #routes = new Map<string, readonly (readonly string[])[]>();
  /** The servers of nodes that say 503. */
  readonly #unhealthy = new Map<string, GatewayDaemon>();

  private constructor(stage: Stage, servers: AsyncDisposableStack) {
    this.stage = stage;
    this.#servers = servers;
  }

  static async open(lines: string): Promise<World> {
    const stage = await Stage.open({ cluster: 'real', proxy: 'nftables' }, lines, {
      agents: 'following',
      programs: ['kubelet'],
    });
    await stage.until('the gateway is OK', () => stage.isOk());
    const world = new World(stage, new AsyncDisposableStack());
    for (const i of [1, 2, 3]) await world.addPod(`web-${i}`, `node${i}`);
    return world;
  }

  get network(): Stage['lab']['network'] {
    return this.stage.lab.network;
  }

  get proxy(): RealProxy {
    const { proxy } = this.stage.lab;
    if (!(proxy instanceof RealProxy)) throw new Error('the lab has no real kube-proxy');
    return proxy;
  }

  async addPod(name: string, on: string): Promise<Pod> {
    const pod = await this.network.addPod(name, on);
    const argv = within(this.network.namespace(name), [process.execPath, '-e', flowServer(name)]);
    this.#servers.use(new GatewayDaemon(argv));
    const listening = ['ss', '-Hltn', 'sport', '=', `:${echoPort}`];
    await this.stage.until(
      `${name} listens`,
      async () => (await this.network.run(name, { argv: listening })) !== '',
    );
    return pod;
  }

  async backends(...names: readonly string[]): Promise<void> {
    await this.set(names, []);
  }

  async set(names: readonly string[], terminating: readonly string[]): Promise<void> {
    const backends = [
      ...ready(this.stage.pods(...names)),
      ...this.stage.pods(...terminating).map((pod) => ({ pod, state: 'terminating' as const })),
    ];
    const { cluster } = this.stage.lab;
    // The Services have the same Pods: they are labelled one after the other.
    for (const name of ['web', 'flows']) await cluster.setBackends(name, backends);
  }

  /** The pod that shuts down is gone, and then all are there. */
  async replace(...rest: readonly string[]): Promise<void> {
    await this.backends(...rest);
    await sleep(watched / 2);
    await this.backends(...everyPod);
  }

  /** A new pod begins on another node, and the old one serves on for its time of grace. */
  async move(names: readonly string[], from: string, to: string, on: string): Promise<void> {
    await this.addPod(to, on);
    const rest = names.filter((name) => name !== from);
    await this.set([...names, to], []);
    await this.set([...rest, to], [from]);
    await this.proxy.settled();
    await sleep(grace);
    await this.network.removePod(from);
    await this.set([...rest, to], []);
  }

  /** A new pod on each node in turn, twice; the old one serves on for its time of grace. */
  async roll(): Promise<void> {
    let names = ['web-1', 'web-2', 'web-3'];
    for (const [i, old] of names.entries()) {
      const born = `new-${i + 1}`;
      await this.addPod(born, `node${i + 1}`);
      await this.set([...names, born], []);
      names = [...names.filter((name) => name !== old), born];
      await this.set(names, [old]);
      await this.proxy.settled();
      await sleep(grace);
      await this.network.removePod(old);
      await this.set(names, []);
    }
    for (const i of [1, 2, 3]) await this.addPod(`web-${i}`, `node${i}`);
    await this.set(everyPod, names);
    await this.proxy.settled();
    await this.backends(...everyPod);
    await this.proxy.settled();
    for (const i of [1, 2, 3]) await this.network.removePod(`new-${i}`);
  }

  /** What `ip link set` does with the switch's end of a cable. */
  async switchPort(port: string, how: 'nomaster' | 'master lan'): Promise<void> {
    await this.network.run('switch', { argv: ['ip', 'link', 'set', port, ...how.split(' ')] });
  }

  /** The other end sees that the carrier is gone. Linux takes the routes of the node along, and here not its addresses. */
  async linkDown(name: string): Promise<void> {
    await this.network.run(name, { argv: ['sysctl', '-qw', 'net.ipv6.conf.eth0.keep_addr_on_down=1'] });
    const routes: string[][] = [];
    for (const family of ['-4', '-6']) {
      const text = await this.network.run(name, { argv: ['ip', family, 'route', 'show', 'dev', 'eth0'] });
      for (const line of text.split('\n'))
        if (line.includes(' via '))
          routes.push([family, 'route', 'replace', ...line.trim().split(/\s+/), 'dev', 'eth0']);
    }
    this.#routes.set(name, routes);
    await this.network.run(name, { argv: ['ip', 'link', 'set', 'eth0', 'down'] });
  }

  /** As the program that configures the network of the node does it. */
  async linkUp(name: string): Promise<void> {
    await this.network.run(name, { argv: ['ip', 'link', 'set', 'eth0', 'up'] });
    for (const route of this.#routes.get(name) ?? [])
      await this.network.run(name, { argv: ['ip', ...route] });
  }

  /** Whoever asks the health check of kube-proxy hears 503, and nothing else changes. */
  async sayUnhealthy(name: string): Promise<void> {
    const argv = within(this.network.namespace(name), [process.execPath, '-e', unhealthyServer]);
    this.#unhealthy.set(name, new GatewayDaemon(argv));
    const listening = ['ss', '-Hltn', 'sport', '=', `:${unhealthyPort}`];
    await this.stage.until(
      `${name} says 503`,
      async () => (await this.network.run(name, { argv: listening })) !== '',
    );
    await this.network.run(name, { argv: ['nft', unhealthy] });
  }

  /** A connection that is open goes on as it was translated, so the server ends with the table. */
  async sayHealthy(name: string): Promise<void> {
    await this.network.run(name, { argv: ['nft', 'delete', 'table', 'ip', 'eip-unhealthy'] });
    await this.#unhealthy.get(name)?.[Symbol.asyncDispose]();
    this.#unhealthy.delete(name);
  }

  /**
   * Sends a signal to every process of a node and of its pods: kube-proxy, the played kubelet, the agent, the servers of flows. The pods'
   * servers of new connections live in this process: to them it happens that no request arrives.
   */
  async signalNode(name: string, signal: 'STOP' | 'CONT'): Promise<void> {
    const pods = this.network.pods.filter((pod) => pod.node === name).map((pod) => pod.name);
    const silence = signal === 'STOP' ? silencePod : 'delete table inet eip-frozen';
    for (const pod of pods) await this.network.run(pod, { argv: ['nft', silence] });
    for (const part of [name, ...pods]) {
      const pids = await run({ argv: ['ip', 'netns', 'pids', this.network.namespace(part)] });
      for (const pid of pids.split(/\s+/).filter((each) => each !== ''))
        process.kill(Number(pid), `SIG${signal}`);
    }
  }

  /** As an upgrade of a cluster does it: drained for two seconds, away for one; the next when this one is back. */
  async restartNodes(): Promise<void> {
    const { network } = this;
    const leads = async (): Promise<boolean> =>
      (await this.stage.nodesOf(this.stage.ips('web')[0] ?? '')) === network.nodes.join(' ');
    for (const name of network.nodes) {
      await this.drain(name, 'true');
      await sleep(2000);
      await network.unplug(name);
      await sleep(1000);
      await network.plug(name);
      await this.drain(name, null);
      await this.stage.until(`${name} is back`, leads);
    }
  }

  /** Deletes a Node, and registers it again when its host has the other address. */
  async readdress(name: string, from: Dual, to: Dual): Promise<void> {
    await this.stage.real.deleteNode(name);
    // Else the second address of a subnet goes with the first, and the default route with both.
    const sysctl = 'net.ipv4.conf.eth0.promote_secondaries=1';
    await this.network.run(name, { argv: ['sysctl', '-qw', sysctl] });
    for (const family of ['v4', 'v6'] as const) {
      const length = family === 'v4' ? 24 : 64;
      for (const [verb, ip] of [
        ['add', to[family]],
        ['del', from[family]],
      ] as const)
        await this.network.run(name, { argv: ['ip', 'addr', verb, `${ip}/${length}`, 'dev', 'eth0'] });
    }
    await this.stage.real.putNode(name, to);
    await this.proxy.restart(name);
  }

  /** As the cluster autoscaler does it. */
  async takeOut(name: string, rest: readonly string[]): Promise<void> {
    await this.drain(name, 'true');
    await sleep(2000);
    await this.backends(...rest);
    await this.stage.real.deleteNode(name);
    await sleep(watched);
  }

  async takeIn(name: string): Promise<void> {
    await this.stage.real.putNode(name);
    await this.proxy.restart(name);
    await this.backends(...everyPod);
  }

  async drain(name: string, to: string | null): Promise<void> {
    await this.stage.lab.cluster.client.patch(
      { kind: 'Node', name },
      {
        metadata: { annotations: { 'eiproute.io/drain': to } },
      },
    );
  }

  async taint(
    name: string,
    taints: readonly { readonly key: string; readonly effect: string }[],
  ): Promise<void> {
    await this.stage.lab.cluster.client.patch({ kind: 'Node', name }, { spec: { taints: [...taints] } });
  }

  async measure({
    policy,
    pods: names = everyPod,
    victims,
    serve,
    lasts = watched,
    happens,
    ends,
  }: Case): Promise<Figures> {
    const { stage } = this;
    const { cluster, clients: load } = stage.lab;
    const pods = ready(stage.pods(...names));
    const ports = [{ name: 'echo', protocol: 'TCP', port: echoPort, targetPort: echoPort }];
    await cluster.createService({ name: 'web', policy }, pods);
    await cluster.createService({ name: 'flows', policy, spec: { ports } }, pods);
    await stage.serving('web');
    await stage.serving('flows');
    await this.proxy.settled();
    // A node that a case before this one has lost is held out longer each time: flows that begin without it would move to it.
    for (const ip of [...stage.ips('web'), ...stage.ips('flows')])
      await stage.until(
        `${ip} leads to all nodes`,
        async () => (await stage.nodesOf(ip)) === 'node1 node2 node3',
      );
    const on: string[] = [];
    const flows: Flows[] = [];
    for (const ip of stage.ips('flows')) {
      const one = new Flows(this.network.namespace('client'));
      flows.push(one);
      const of = ip.includes(':') ? 'v6' : 'v4';
      on.push(
        ...(await one.open(
          ip,
          flowsEach,
          Array.from({ length: clients }, (_, i) => client(i)[of]),
        )),
      );
    }
    // Such a flow is none that the case could break.
    const unopened = on.filter((pod) => pod === '').length;
    if (unopened > 0)
      process.stderr.write(`  ${unopened} flows could not be opened, before the case began\n`);
    await using requests = load.start({ to: stage.ips('web'), port: 80, every });
    const speak = async (ms: number): Promise<void> => {
      for (let past = 0; past < ms; past += 500) {
        await Promise.all(flows.map((one) => one.send()));
        await sleep(500);
      }
    };
    await speak(1000);
    const start = Date.now();
    const stuck = async (): Promise<readonly string[]> => {
      const lists = await Promise.all(flows.map((one) => one.stuck()));
      return lists.flatMap((list, i) => list.map((nth) => on[i * flowsEach + nth] ?? ''));
    };
    await Promise.all([happens(this), speak(lasts)]);
    const before = serve ? await stuck() : [];
    await Promise.all([ends?.(this), speak(watched)]);
    const { sent, lost, gap } = await requests.stop(start);
    for (const { sent: at, to, error } of requests.answers)
      if (error !== undefined && at >= start)
        process.stderr.write(`  +${Math.round(at - start)} ms, ${to}: ${error}\n`);
    await sleep(1500);
    const after = (await stuck()).filter((pod) => pod !== '' && !victims?.includes(pod));
    const ended = before.filter((pod) => victims?.includes(pod));
    for (const one of flows) await one[Symbol.asyncDispose]();
    for (const name of ['web', 'flows']) await stage.gone(name);
    return { sent, lost, gap, broken: victims && after.length + ended.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#unhealthy.values()) await server[Symbol.asyncDispose]();
    await this.#servers.disposeAsync();
    await this.stage[Symbol.asyncDispose]();
  }
}
