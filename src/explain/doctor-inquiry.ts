import { completeSnapshot } from '../cluster/complete-snapshot.ts';
import type { GatewayConfig, NodeConfig } from '../config/config.ts';
import { nodeScope, withInterface } from '../daemon/node-role.ts';
import { openSource, sourcesOf } from '../daemon/source.ts';
import { isNat } from '../desire/nat-mode.ts';
import { listDefaultRoutes } from '../kernel/default-routes.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { missing, readHost } from '../kernel/requirements.ts';
import type { Snapshot } from '../model/cluster.ts';
import {
  bits,
  type Family,
  families,
  family,
  ipFromNumber,
  ipNumber,
  prefixIp,
  prefixLength,
} from '../model/ip.ts';
import { addressOn } from '../model/link-address.ts';
import type { Listing } from '../model/listing.ts';
import type { Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { termsOf } from '../model/pool.ts';
import { tryAbilities } from './abilities.ts';
import { askAgents } from './agent-inquiry.ts';
import { askApi } from './api-inquiry.ts';
import { askDaemon } from './daemon-inquiry.ts';
import { familiesOf } from './doctor.ts';
import type {
  ApiFacts,
  ConfigurationFacts,
  DefaultRouteFacts,
  DoctorFacts,
  FirewallFacts,
  NamedApi,
  NodesFacts,
} from './doctor-facts.ts';
import { type Firewall, readFirewall } from './firewall.ts';
import { findManagers } from './managers.ts';
import { askNeighbours } from './neighbour-inquiry.ts';
import { askNodes, nodesOf } from './node-inquiry.ts';
import { readable } from './readable.ts';
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
    agents: await askAgents(cluster, config, links, signal),
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
    nodes:
      listing === undefined
        ? { kind: 'not asked', why: 'the kernel cannot be read' }
        : await askNodes(hosts, '', link, signal),
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

function firewallFacts(
  firewall: Firewall,
  { gateway }: GatewayConfig,
  links: readonly Link[],
): readonly FirewallFacts[] {
  return gateway.pools
    .filter((pool) => !termsOf(pool).nodeAddresses)
    .flatMap((pool) =>
      families.flatMap((of) => {
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
  of: Family,
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
