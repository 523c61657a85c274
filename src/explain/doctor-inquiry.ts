import { completeSnapshot } from '../cluster/complete-snapshot.ts';
import type { GatewayConfig, NodeConfig, RoleName } from '../config/config.ts';
import { ask } from '../daemon/ask.ts';
import { DaemonError } from '../daemon/daemon-error.ts';
import { elsewhere } from '../daemon/namespace.ts';
import { gcThreshold, neighbourLimit } from '../daemon/neighbour-limits.ts';
import { nodeScope, withInterface } from '../daemon/node-role.ts';
import { openSource, sourcesOf } from '../daemon/source.ts';
import { candidates } from '../desire/carriers.ts';
import { isNat } from '../desire/nat-mode.ts';
import { paths } from '../desire/paths.ts';
import { poolFinder } from '../desire/pools.ts';
import { listDefaultRoutes } from '../kernel/default-routes.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { KernelError } from '../kernel/kernel.ts';
import { missing, readHost } from '../kernel/requirements.ts';
import type { ServicePort, Snapshot } from '../model/cluster.ts';
import { bits, family, type Ip, ipFromNumber, ipNumber, prefixIp, prefixLength } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import type { Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { termsOf } from '../model/pool.ts';
import type { AnyStatus } from '../status/status.ts';
import { tryAbilities } from './abilities.ts';
import { askApi } from './api-inquiry.ts';
import { connect, connectBy } from './connection.ts';
import { familiesOf } from './doctor.ts';
import type {
  AgentFacts,
  ApiFacts,
  ConfigurationFacts,
  DaemonFacts,
  DefaultRouteFacts,
  DoctorFacts,
  FirewallFacts,
  HostFacts,
  NamedApi,
  NodesFacts,
} from './doctor-facts.ts';
import { type Firewall, readFirewall } from './firewall.ts';
import { addressOn } from './link-address.ts';
import { findManagers } from './managers.ts';
import { askNeighbours } from './neighbour-inquiry.ts';
import { neededRights } from './rights.ts';
import { askRoutingDaemons } from './routing-daemons.ts';
import { savedCluster } from './saved-cluster.ts';
import type { NotAsked } from './trace-facts.ts';

/** A configuration as it was read, of either role, or why it was refused. */
export type AnyConfiguration =
  | {
      readonly kind: 'gateway';
      readonly file: string;
      readonly warnings: readonly string[];
      readonly config: GatewayConfig;
    }
  | {
      readonly kind: 'node';
      readonly file: string;
      readonly warnings: readonly string[];
      readonly config: NodeConfig;
    }
  | { readonly kind: 'refused'; readonly file: string; readonly errors: readonly string[] };

export interface DoctorOptions {
  readonly configuration: AnyConfiguration;
  readonly kernel: Kernel;
  readonly release: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** ms until the lists of the cluster must be in */
const patience = 10_000;
/** Hosts that are asked by ARP or NDP: a kernel with its defaults keeps 512, and needs some for its traffic. */
const mostHosts = 200;

/** Looks at a host from all sides. Changes nothing. */
export async function examine(options: DoctorOptions, signal: AbortSignal): Promise<DoctorFacts> {
  const { configuration, release } = options;
  const host = await readHost();
  const common = {
    now: Date.now(),
    release,
    lacks: missing(host),
    kernel: host.release,
    managers: await findManagers(signal),
    configuration: factsOf(configuration),
  };
  switch (configuration.kind) {
    case 'gateway':
      return { ...common, ...(await examineGateway(configuration.config, options, signal)) };
    case 'node':
      return { ...common, ...(await examineNode(configuration.config, options, signal)) };
    case 'refused':
      return {
        ...common,
        ...nothing,
        abilities: await tryAbilities(['nexthop', 'group'], signal),
        daemon: { kind: 'silent', why: 'not asked: the configuration is wrong' },
      };
    default:
      return configuration satisfies never;
  }
}

/** What is not looked at. */
const nothing = {
  links: undefined,
  apis: [],
  defaultRoutes: [],
  firewall: [],
  nodes: { kind: 'not asked', why: 'the configuration is wrong' },
  agents: [],
  routingDaemons: { kind: 'not asked', why: 'not of this role' },
} as const;

type Parts = Omit<DoctorFacts, 'now' | 'release' | 'lacks' | 'kernel' | 'managers' | 'configuration'>;

async function examineGateway(
  config: GatewayConfig,
  { kernel, env }: DoctorOptions,
  signal: AbortSignal,
): Promise<Parts> {
  const { gateway, source } = config;
  const listing = await listingOf(kernel, config, signal);
  const links = listing?.links ?? [];
  const lan = links.find(({ name }) => name === gateway.lan);
  const families = familiesOf(gateway);
  const wanted = [
    'nexthop',
    'group',
    ...(gateway.resilience === undefined ? [] : ['resilient']),
    ...(families.includes(6) ? ['ipv6', 'nft'] : []),
  ];
  const [abilities, apis, known, firewall, defaultRoutes, daemon] = await Promise.all([
    tryAbilities(wanted, signal),
    Promise.all(
      sourcesOf(source).flatMap(({ name, access }) =>
        access === undefined
          ? []
          : [namedApi(name, askApi(access, env, neededRights(gateway.allocation), signal))],
      ),
    ),
    knownCluster(config, signal),
    readFirewall(signal),
    Promise.all(families.map((of) => defaultRoute(of, config, links, signal))),
    askDaemon(config.runtimeDirectory, 'gateway', signal),
  ]);
  const { cluster, how } = known;
  const hosts: NodesFacts | NotAsked =
    cluster === undefined
      ? {
          kind: 'not asked',
          why: 'the nodes are not known: the cluster cannot be read, and no state was saved',
        }
      : await askNodes(nodesOf(cluster, families), how, lan, signal);
  return {
    links: listing?.links,
    abilities,
    apis,
    defaultRoutes,
    firewall: firewallFacts(firewall, config, links),
    routingDaemons: await routingFacts(kernel, config, signal),
    nodes: hosts,
    agents: await agentFacts(cluster, config, links, signal),
    daemon,
  };
}

async function examineNode(
  config: NodeConfig,
  { kernel }: DoctorOptions,
  signal: AbortSignal,
): Promise<Parts> {
  const { agent } = config;
  const listing = await readable(kernel.list(nodeScope(agent), signal));
  const links = listing?.links ?? [];
  const { interface: chosen } = withInterface(agent, links);
  const link = links.find(({ name }) => name === chosen);
  const hosts = agent.gateways.map(({ address }) => ({ name: 'gateway', ip: address }));
  return {
    ...nothing,
    links: listing?.links,
    abilities: await tryAbilities(
      agent.gateways.some(({ address }) => family(address) === 6) ? ['ipv6', 'nft'] : ['nft'],
      signal,
    ),
    nodes: await askNodes(hosts, '', link, signal),
    daemon: await askDaemon(config.runtimeDirectory, 'node', signal),
  };
}

function factsOf(configuration: AnyConfiguration): ConfigurationFacts {
  switch (configuration.kind) {
    case 'refused':
      return configuration;
    case 'node': {
      const { file, warnings, config } = configuration;
      return { kind: 'node', file, warnings, agent: config.agent };
    }
    case 'gateway': {
      const { file, warnings, config } = configuration;
      const sizes = config.gateway.pools.flatMap(({ addresses }) =>
        addresses.map((prefix) => 2 ** (bits(family(prefix)) - prefixLength(prefix))),
      );
      const addresses = sizes.reduce((sum, size) => sum + size, 0);
      return { kind: 'gateway', file, warnings, gateway: config.gateway, addresses };
    }
    default:
      return configuration satisfies never;
  }
}

async function routingFacts(
  kernel: Kernel,
  { gateway }: GatewayConfig,
  signal: AbortSignal,
): Promise<DoctorFacts['routingDaemons']> {
  const asked = await readable(askRoutingDaemons(kernel, gateway, signal));
  return asked === undefined
    ? { kind: 'not asked', why: 'the kernel cannot be read' }
    : { kind: 'asked', asked };
}

function listingOf(
  kernel: Kernel,
  { gateway: { protocol, table } }: GatewayConfig,
  signal: AbortSignal,
): Promise<Listing | undefined> {
  const scope = { owner: ownerOf(protocol), tables: [table], sysctls: [], nftTables: [], neighbours: [] };
  return readable(kernel.list(scope, signal));
}

async function readable<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/** @param name undefined: it is the only one */
async function namedApi(name: string | undefined, api: Promise<ApiFacts>): Promise<NamedApi> {
  return { ...(name === undefined ? {} : { cluster: name }), ...(await api) };
}

/** The cluster as the source has it now; else the last known state. */
async function knownCluster(
  config: GatewayConfig,
  signal: AbortSignal,
): Promise<{ readonly cluster: Snapshot | undefined; readonly how: string }> {
  await using source = openSource(config.source);
  const cluster = await completeSnapshot(source, patience, signal);
  if (cluster !== undefined)
    return { cluster, how: config.source.kind === 'file' ? 'by the source file' : 'by the API' };
  const { snapshot } = savedCluster(config);
  return { cluster: snapshot, how: 'by the last known state' };
}

function nodesOf(cluster: Snapshot, families: readonly (4 | 6)[]): readonly Omit<HostFacts, 'state'>[] {
  return [...candidates(cluster.nodes).byName].flatMap(([name, { ipv4, ipv6 }]) => [
    ...(ipv4 !== undefined && families.includes(4) ? [{ name, ip: ipv4 }] : []),
    ...(ipv6 !== undefined && families.includes(6) ? [{ name, ip: ipv6 }] : []),
  ]);
}

async function askNodes(
  hosts: readonly Omit<HostFacts, 'state'>[],
  known: string,
  link: Link | undefined,
  signal: AbortSignal,
): Promise<NodesFacts> {
  const asked = hosts.slice(0, mostHosts);
  const ips = asked.map(({ ip }) => ip);
  const states = link === undefined ? new Map() : await readable(askNeighbours(link.index, ips, signal));
  const limits = ([4, 6] as const).flatMap((of) =>
    neighbourLimit(of, hosts.filter(({ ip }) => family(ip) === of).length, gcThreshold(of)),
  );
  return {
    kind: 'asked',
    known,
    hosts: asked.map((host) => ({ ...host, state: states?.get(host.ip) })),
    total: hosts.length,
    limits,
  };
}

function firewallFacts(
  firewall: Firewall,
  { gateway }: GatewayConfig,
  links: readonly Link[],
): readonly FirewallFacts[] {
  return gateway.pools
    .filter((pool) => !termsOf(pool).nodeAddresses)
    .flatMap((pool) =>
      ([4, 6] as const).flatMap((of) => {
        const { name, addresses } = pool;
        const prefix = addresses.find((one) => family(one) === of);
        if (prefix === undefined) return [];
        const lan = addressOn(gateway.lan, of, links);
        // With NAT a packet has the address of a node by now.
        const node =
          isNat(gateway, pool) && lan !== undefined ? ipFromNumber(ipNumber(lan) ^ 1n, of) : undefined;
        const destination = node ?? prefixIp(prefix);
        const own = addressOn(gateway.uplink, of, links);
        const verdict = firewall.judge({
          iif: gateway.uplink,
          oif: gateway.lan,
          source: own === undefined ? destination : ipFromNumber(ipNumber(own) ^ 1n, of),
          destination,
          protocol: 'TCP',
          port: undefined,
          translated: isNat(gateway, pool),
        });
        return [{ pool: name, family: of, verdict }];
      }),
    );
}

async function defaultRoute(
  of: 4 | 6,
  { gateway }: GatewayConfig,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<DefaultRouteFacts> {
  const present = await listDefaultRoutes(of, signal);
  const configured = gateway.defaultRoutes.find((via) => family(via) === of);
  const [first] = present;
  const router = configured ?? first?.via;
  const name = configured === undefined ? first?.dev : gateway.uplink;
  const link = links.find((one) => one.name === name);
  const states =
    router === undefined || link === undefined
      ? undefined
      : await readable(askNeighbours(link.index, [router], signal));
  return {
    family: of,
    configured,
    present,
    neighbour: router === undefined ? undefined : states?.get(router),
  };
}

/** One EIP of each pool and family: a connection from the LAN, and one whose reply takes the way of clients. */
function agentFacts(
  cluster: Snapshot | undefined,
  { gateway }: GatewayConfig,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<readonly AgentFacts[]> {
  const found = cluster === undefined ? [] : paths(cluster, gateway).paths;
  const services = new Map(cluster?.services.map((service) => [service.key, service]));
  const poolOf = poolFinder(gateway.pools);
  const tcpPort = (names: readonly string[]): ServicePort | undefined =>
    names.flatMap((name) => services.get(name)?.ports ?? []).find(({ protocol }) => protocol === 'TCP');
  const asked = gateway.pools.flatMap((pool) =>
    ([4, 6] as const)
      .filter((of) => pool.addresses.some((prefix) => family(prefix) === of))
      .map(async (of): Promise<AgentFacts> => {
        const about = { pool: pool.name, family: of };
        const path = found.find(
          (one) => family(one.eip) === of && poolOf(one.eip) === pool && tcpPort(one.services) !== undefined,
        );
        const { port, nodePort } = tcpPort(path?.services ?? []) ?? {};
        if (path === undefined || port === undefined)
          return { ...about, asked: { kind: 'not asked', why: 'no EIP of it with a TCP port is served' } };
        const uplink = addressOn(gateway.uplink, of, links);
        if (uplink === undefined)
          return {
            ...about,
            asked: { kind: 'not asked', why: `${gateway.uplink} has no IPv${of} address to ask from` },
          };
        const [carrier] = path.carriers;
        const node =
          isNat(gateway, pool) && carrier !== undefined && nodePort !== undefined
            ? { to: carrier.ip, port: nodePort }
            : undefined;
        const [fromLan, fromUplink] = await Promise.all([
          connect(path.eip, port, addressOn(gateway.lan, of, links), signal),
          node === undefined
            ? connect(path.eip, port, uplink, signal)
            : connectBy({ ...node, from: uplink, device: gateway.lan }, signal),
        ]);
        const at = (ip: Ip, number: number): string => (of === 4 ? `${ip}:${number}` : `[${ip}]:${number}`);
        const to = at(path.eip, port);
        return {
          ...about,
          asked: {
            kind: 'asked',
            to,
            fromLan,
            fromUplink,
            ...(node === undefined ? {} : { node: at(node.to, node.port) }),
          },
        };
      }),
  );
  return Promise.all(asked);
}

async function askDaemon(
  runtimeDirectory: string,
  role: RoleName,
  signal: AbortSignal,
): Promise<DaemonFacts> {
  try {
    const status: AnyStatus = JSON.parse(await ask(runtimeDirectory, role, 'GET', '/status', signal));
    const { state, summary, release } = status;
    const about = {
      kind: 'runs',
      state,
      summary,
      release,
      elsewhere: await elsewhere(runtimeDirectory, role, signal),
    } as const;
    if (status.role === 'node') return about;
    const carriers = status.nodes.filter(({ addresses }) => addresses.length > 0);
    const told = carriers.filter(({ agent }) => agent !== undefined).length;
    const problems = status.problems.filter(({ code }) => code.startsWith('agent-lacks-'));
    return { ...about, agents: { told, nodes: carriers.length, problems } };
  } catch (error) {
    if (error instanceof DaemonError) return { kind: 'silent', why: error.message };
    throw error;
  }
}
