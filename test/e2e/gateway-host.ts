import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../lab/cluster/api/json.ts';
import { type Kind, kinds } from '../../lab/cluster/api/kinds.ts';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { LabRun, removeLeftovers } from '../../lab/network/lab-run.ts';
import { inside, setSysctls } from '../../lab/process/namespace.ts';
import { ipBatch, type Outcome, outcome, run, within } from '../../lab/process/run.ts';
import { ask } from '../../src/daemon/ask.ts';
import type { GatewayStatus as Status } from '../../src/status/status.ts';
import { late } from '../patience.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { KernelWatch } from './kernel-watch.ts';
import { until } from './until.ts';

// What Node has compiled once serves all the processes that are started here: they start in half the time.
const compileCache = 'NODE_COMPILE_CACHE';
process.env[compileCache] ??= join(tmpdir(), 'eip-e2e-compile-cache');

const program = fileURLToPath(new URL('../../bin/eiproute', import.meta.url));

/** A new namespace has some of these from the machine: here they start as on a fresh host, whatever that is like. */
const fresh: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '0',
  'net/ipv4/conf/all/rp_filter': '1',
  'net/ipv4/conf/default/rp_filter': '2',
  'net/ipv4/conf/default/send_redirects': '1',
  'net/ipv6/conf/all/forwarding': '0',
  // An address is there at once, and none is there that nobody gave.
  'net/ipv6/conf/default/accept_dad': '0',
  'net/ipv6/conf/default/addr_gen_mode': '1',
};

export interface HostOptions {
  /** Further lines of the configuration. */
  readonly settings?: string;
  /** Instead of the two pools. */
  readonly pools?: string;
  /** A folder with another host's state: the machine after a reboot. */
  readonly state?: string;
  /** What the cluster holds at first. */
  readonly world?: readonly object[];
  /** The cluster of another host: it is read from there. */
  readonly kubeconfig?: string;
}

type ConfigureOptions = Pick<HostOptions, 'settings' | 'pools' | 'state'> & {
  readonly level?: 'debug' | 'warn';
};

/** One gateway: a namespace with a LAN, an uplink, and a Kubernetes API of its own on loopback. */
export class GatewayHost implements AsyncDisposable {
  readonly api: ApiServer;
  readonly folder: string;
  readonly config: string;
  readonly state: string;
  readonly runtime: string;
  readonly namespace: string;
  readonly #stack: AsyncDisposableStack;
  readonly #settings: Required<Pick<HostOptions, 'settings' | 'pools'>>;

  private constructor(
    api: ApiServer,
    folder: string,
    namespace: string,
    options: HostOptions,
    stack: AsyncDisposableStack,
  ) {
    this.api = api;
    this.folder = folder;
    this.namespace = namespace;
    this.config = join(folder, 'gateway.yaml');
    this.state = options.state ?? join(folder, 'state');
    this.runtime = join(folder, 'runtime');
    this.#settings = { settings: '', pools: '[198.51.100.0/24, "2001:db8:e::/64"]', ...options };
    this.#stack = stack;
  }

  static async make(options: HostOptions = {}): Promise<GatewayHost> {
    await using stack = new AsyncDisposableStack();
    await removeLeftovers();
    const labRun = stack.use(await LabRun.begin());
    const namespace = labRun.name('gateway');
    // What a killed run leaves behind, its files too, goes with the next one.
    const { folder } = labRun;
    await ipBatch([], [`netns add ${namespace}`]);
    setSysctls(namespace, fresh);
    await ipBatch(['-n', namespace], ['link set lo up', ...wire('eth0'), ...wire('eth1')]);
    const api = stack.use(
      await startApiServer({ listen: (server, port) => inside(namespace, () => server.listen(port)) }),
    );
    for (const object of options.world ?? standardWorld) api.put(json(object));
    const host = new GatewayHost(api, folder, namespace, options, stack.move());
    await host.configure({});
    await writeFile(join(folder, 'kubeconfig'), api.kubeconfig(), { mode: 0o600 });
    return host;
  }

  /** Writes the configuration anew. */
  async configure({ settings, pools, level, state }: ConfigureOptions): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await writeFile(
      this.config,
      `${/source:|clusters:/.test(settings ?? this.#settings.settings) ? '' : 'kubeconfig: kubeconfig\n'}lan: eth0
uplink: eth1
pools: [{ name: public, addresses: ${pools ?? this.#settings.pools} }]
stateDirectory: ${state ?? this.state}
runtimeDirectory: ${this.runtime}
log: { format: json, level: ${level ?? 'info'} }
${settings ?? this.#settings.settings}
`,
    );
  }

  /** Runs `ip` in the gateway. */
  ip(words: string): Promise<string> {
    return run({ argv: ['ip', '-n', this.namespace, ...words.split(' ')] });
  }

  /** Many `ip` commands at once. */
  batch(lines: readonly string[]): Promise<void> {
    return ipBatch(['-n', this.namespace], lines);
  }

  /** Runs a command in the gateway's namespace. */
  within(...argv: readonly string[]): Promise<Outcome> {
    return outcome({ argv: within(this.namespace, argv) });
  }

  /** The command line of `eiproute --config F WORDS` in the gateway. */
  argv(...words: readonly string[]): readonly string[] {
    return within(this.namespace, [program, '--config', this.config, ...words]);
  }

  /** Runs one eiproute command to its end. */
  eiproute(...words: readonly string[]): Promise<Outcome> {
    return outcome({ argv: this.argv(...words) });
  }

  /** Starts the daemon and does not wait. */
  launch(argv = this.argv('gateway')): GatewayDaemon {
    return this.#stack.use(new GatewayDaemon(argv));
  }

  /** Starts the daemon; resolves when all is in the kernel. */
  async start(): Promise<GatewayDaemon> {
    const daemon = this.launch();
    await this.synced(daemon);
    return daemon;
  }

  async synced(daemon: GatewayDaemon): Promise<Status> {
    const status = await this.statusOf(daemon, 'all is in the kernel', ({ synced }) => synced);
    return status;
  }

  /** Waits for a status of this daemon. */
  async statusOf(
    daemon: GatewayDaemon,
    what: string,
    holds: (status: Status) => boolean,
    deadline?: number,
  ): Promise<Status> {
    const seen = await until(
      what,
      async () => {
        if (daemon.end !== undefined)
          throw new Error(`the daemon ended with ${daemon.end}:\n${daemon.text()}`);
        // Another one's answer, or none yet, is not this one's.
        const status = await this.status().catch(() => undefined);
        return status?.pid === daemon.pid ? status : undefined;
      },
      (status) => status !== undefined && holds(status),
      deadline,
    );
    if (seen === undefined) throw new Error('no status');
    return seen;
  }

  async status(): Promise<Status> {
    return JSON.parse(await ask(this.runtime, 'gateway', 'GET', '/status', late()));
  }

  /** All routes, nexthops and rules, of whoever they are. */
  async kernel(): Promise<string> {
    const [all, rules6] = await Promise.all([
      this.#show('route show table all', 'nexthop', 'rule'),
      this.ip('-6 rule'),
    ]);
    return `${all}${rules6}`;
  }

  /** Several `ip ... show` by one process; routes of both families. */
  #show(...lines: readonly string[]): Promise<string> {
    return run({ argv: ['ip', '-n', this.namespace, '-batch', '-'], input: `${lines.join('\n')}\n` });
  }

  /** Routes and nexthops that carry our protocol. */
  async ours(): Promise<string> {
    const lines = (await this.#show('route show table all', 'nexthop'))
      .split('\n')
      .map((line) => line.trim());
    return lines.filter((line) => /\bproto 86\b/.test(line)).join('\n');
  }

  /** Where each EIP leads now: `198.51.100.10 > 10.0.0.11 10.0.0.12`, one per line, whatever the ids are. */
  async routing(): Promise<string> {
    const nexthops = new Map<string, readonly string[]>();
    const shown = (await this.#show('nexthop', 'route show table all')).split('\n');
    for (const line of shown) {
      const [, id = '', via = ''] = /^id (\d+) via (\S+)/.exec(line) ?? [];
      if (via !== '') nexthops.set(id, [via]);
    }
    for (const line of shown) {
      const [, id = '', members = ''] = /^id (\d+) group (\S+)/.exec(line) ?? [];
      if (members === '') continue;
      nexthops.set(
        id,
        members.split('/').flatMap((member) => nexthops.get(member.replace(/,.*/, '')) ?? ['?']),
      );
    }
    const eips = shown
      .map((line) => /^(\S+) nhid (\d+).* proto 86\b/.exec(line))
      .filter((found) => found !== null);
    return eips
      .map(([, eip, id = '']) => `${eip} > ${[...(nexthops.get(id) ?? [])].sort().join(' ')}`)
      .join('\n');
  }

  /** Waits until just this is ours. */
  async becomes(ours: string): Promise<void> {
    await until(
      'the kernel is as desired',
      () => this.ours(),
      (seen) => seen === ours,
    );
  }

  /** Every setting below /proc/sys/net, of whoever it is. */
  async settings(): Promise<string> {
    const { out } = await this.within('sysctl', '-a', '-r', '^net[.]');
    return out;
  }

  sysctl(name: string): string {
    return inside(this.namespace, () => readFileSync(`/proc/sys/${name}`, 'utf8').trim());
  }

  setSysctl(name: string, value: string): void {
    setSysctls(this.namespace, { [name]: value });
  }

  watch(): Promise<KernelWatch> {
    return KernelWatch.start(this.namespace);
  }

  put(...objects: readonly object[]): void {
    for (const object of objects) this.api.put(json(object));
  }

  delete(kind: string, name: string, namespace = 'default'): void {
    this.api.objects.delete(kindOf(kind), kind === 'Node' ? '' : namespace, name);
  }

  async addLink(name: 'eth0' | 'eth1'): Promise<void> {
    await ipBatch(['-n', this.namespace], wire(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

const lan = ['10.0.0.1/24', '2001:db8:10::1/64'];
const uplink = ['203.0.113.1/24', '2001:db8:113::1/64'];

/** A veth pair whose far end hangs in the air: all that the kernel asks of a link is its carrier. */
function wire(name: 'eth0' | 'eth1'): readonly string[] {
  return [
    `link add ${name} type veth peer name ${name}-far`,
    `link set ${name}-far up`,
    // Before anybody can ask.
    ...(name === 'eth0' ? neighbours() : []),
    `link set ${name} up`,
    ...(name === 'eth0' ? lan : uplink).map((address) => `address add ${address} dev ${name}`),
  ];
}

const nodeNumbers = [1, 2, 3];

function addressesOf(n: number): readonly string[] {
  return [`10.0.0.1${n}`, `2001:db8:10::1${n}`];
}

const threeNodes: readonly object[] = nodeNumbers.map((n) => rawNode(`n${n}`, { addresses: addressesOf(n) }));

/**
 * The nodes as hosts that answer, in commands of iproute2: nobody is there who could, and the probe would doubt itself.
 * Linux takes them along with a link that goes down, and with its last address.
 */
export function neighbours(): readonly string[] {
  return nodeNumbers.flatMap((n) =>
    addressesOf(n).map((ip) => `neigh replace ${ip} lladdr 02:00:5e:00:53:1${n} dev eth0 nud permanent`),
  );
}

/** A Service with endpoints on some nodes; all nodes carry it. */
export function serviceOn(
  name: string,
  eips: readonly string[],
  nodes = ['n1', 'n2', 'n3'],
): readonly object[] {
  const slices = [rawSlice(name, on(nodes, '10.244.0.'))];
  // As of a dual-stack Service: a slice per family.
  if (eips.some((eip) => eip.includes(':')))
    slices.push(rawSlice(name, on(nodes, '2001:db8:244::'), `${name}-x6`));
  return [rawService(name, { eips }), ...slices];
}

function on(nodes: readonly string[], network: string) {
  return nodes.map((node, i) => ({ ip: `${network}${i + 10}`, node, ready: true }));
}

/** Under Local: only the nodes with endpoints carry it. */
export function localServiceOn(
  name: string,
  eips: readonly string[],
  nodes: readonly string[],
): readonly object[] {
  const [, ...slices] = serviceOn(name, eips, [...nodes]);
  return [rawService(name, { eips, spec: { externalTrafficPolicy: 'Local' } }), ...slices];
}

export const standardWorld: readonly object[] = [
  ...threeNodes,
  ...serviceOn('web', ['198.51.100.10', '2001:db8:e::10']),
  ...localServiceOn('mail', ['198.51.100.11'], ['n2']),
];

function json(object: object): JsonObject {
  return JSON.parse(JSON.stringify(object));
}

export function kindOf(name: string): Kind {
  const kind = kinds.find((each) => each.kind === name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
}
