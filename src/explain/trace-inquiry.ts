import type { GatewayConfig } from '../config/config.ts';
import { ask } from '../daemon/ask.ts';
import { DaemonError } from '../daemon/daemon-error.ts';
import { elsewhere } from '../daemon/namespace.ts';
import { readerOf } from '../desire/cluster-reader.ts';
import { routeKey } from '../desire/eip-routes.ts';
import { poolFinder } from '../desire/pools.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LinuxLookups } from '../kernel/linux-lookups.ts';
import { readSysctl } from '../kernel/sysctl.ts';
import { family, type Ip } from '../model/ip.ts';
import { command, describe, type LinkNames } from '../model/iproute.ts';
import { addressOn } from '../model/link-address.ts';
import type { Listing } from '../model/listing.ts';
import { natTableName } from '../model/nat.ts';
import { type Link, natEipKey, natGroupKey, nftKey } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { nobodyLately, unprobed } from '../model/probed.ts';
import { standbyFilterName } from '../model/standby-filter.ts';
import { clientBeyond, forwardedQuestion } from '../probe/forwarded-question.ts';
import { type PathsAnswer, type PathView, pathTarget, pathViews } from '../status/path-view.ts';
import { connect, connectBy } from './connection.ts';
import { type Firewall, readFirewall } from './firewall.ts';
import { askNeighbours } from './neighbour-inquiry.ts';
import { type RouteAnswers, routeAnswers } from './route-inquiry.ts';
import { savedCluster } from './saved-cluster.ts';
import { isNatTraced } from './steps/nat.ts';
import type { Target } from './target.ts';
import type {
  Attempt,
  KernelFacts,
  KnownFrom,
  NatFacts,
  NotAsked,
  ProbeFacts,
  TraceFacts,
} from './trace-facts.ts';

export interface TraceOptions {
  readonly config: GatewayConfig;
  readonly kernel: Kernel;
  /** probe: open connections to the EIP as well */
  readonly how: 'look' | 'probe';
  /** The client whose packets are traced; undefined: one beyond the uplink is chosen. */
  readonly client: Ip | undefined;
}

/** Finds out what there is to know of an EIP, or of each EIP of a Service. Changes nothing. */
export async function inquire(
  target: Target,
  options: TraceOptions,
  signal: AbortSignal,
): Promise<readonly TraceFacts[]> {
  const { config, kernel, how } = options;
  const known = await knownPaths(target.of, config, signal);
  const away = await elsewhere(config.runtimeDirectory, 'gateway', signal);
  const listing = await listingOf(kernel, config, signal);
  const firewall = await readFirewall(signal);
  const views: readonly (PathView | undefined)[] = known.views.length > 0 ? known.views : [undefined];
  const found: TraceFacts[] = [];
  for (const view of views) {
    const facts =
      away === undefined
        ? await kernelFacts(view, { kernel, listing, firewall, target }, options, signal)
        : undefined;
    found.push({
      now: Date.now(),
      asked: target.of,
      port: target.port,
      gateway: config.gateway,
      source: known.source,
      view,
      needs: known.needs.filter(({ eip }) => eip === view?.eip),
      silentSince: known.silentSince,
      elsewhere: away,
      kernel: facts,
      probe:
        how === 'probe' && away === undefined
          ? await probe(view, target, config, listing.links, signal)
          : undefined,
    });
  }
  return found;
}

interface Known extends Pick<PathsAnswer, 'views' | 'needs' | 'silentSince'> {
  readonly source: KnownFrom;
}

/** Asks the daemon; where none answers, its last known state. */
async function knownPaths(of: string, config: GatewayConfig, signal: AbortSignal): Promise<Known> {
  try {
    const path = `/paths?of=${encodeURIComponent(of)}` as const;
    const text = await ask(config.runtimeDirectory, 'gateway', 'GET', path, signal);
    const { state, summary, views, needs, silentSince }: PathsAnswer = JSON.parse(text);
    return { source: { kind: 'daemon', state, summary }, views, needs, silentSince };
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return savedPaths(of, config, error.message);
  }
}

async function savedPaths(of: string, config: GatewayConfig, why: string): Promise<Known> {
  const { snapshot, at } = savedCluster(config);
  const target = pathTarget(of);
  const rest = { needs: [], silentSince: {} };
  const cluster = snapshot ?? { services: [], nodes: [], complete: false, feeds: [], problems: [] };
  const inputs = { gateway: config.gateway, probed: unprobed, lately: nobodyLately, problems: [], lan: [] };
  const views = pathViews(target, { ...inputs, cluster: readerOf(cluster) });
  if (at === undefined) return { ...rest, source: { kind: 'nothing', why }, views };
  return { ...rest, source: { kind: 'saved', why, at }, views };
}

function listingOf(
  kernel: Kernel,
  { gateway: { protocol, table } }: GatewayConfig,
  signal: AbortSignal,
): Promise<Listing> {
  return kernel.list(
    {
      owner: ownerOf(protocol),
      tables: [table],
      sysctls: [],
      nftTables: [natTableName(protocol), standbyFilterName(protocol, 4), standbyFilterName(protocol, 6)],
      neighbours: [],
    },
    signal,
  );
}

interface Sources {
  readonly kernel: Kernel;
  readonly listing: Listing;
  readonly firewall: Firewall;
  readonly target: Target;
}

async function kernelFacts(
  view: PathView | undefined,
  { kernel, listing, firewall, target }: Sources,
  { config, client: asked }: TraceOptions,
  signal: AbortSignal,
): Promise<KernelFacts | undefined> {
  const eip = view?.eip;
  if (view === undefined || eip === undefined) return undefined;
  const { lan, uplink, table } = config.gateway;
  const { links } = listing;
  const client = asked ?? clientBeyond(family(eip), config.gateway, links);
  const lanLink = links.find(({ name }) => name === lan);
  const nhid = nhidOf(eip, table, listing);
  const vias = nhid === undefined ? undefined : viasOf(nhid, listing);
  const carriers = view.carriers.length > 0 ? view.carriers.map(({ ip }) => ip) : (vias ?? []);
  const [{ matched, forwarded }, sysctls, neighbours, holder] = await Promise.all([
    askRoutes(eip, { client, isAsked: asked !== undefined }, config, links, signal),
    readSysctls(forwardingSysctls(lan, uplink)),
    lanLink === undefined ? new Map() : askNeighbours(lanLink.index, carriers, signal),
    vias === undefined ? holderOf(eip, table, kernel, links, signal) : undefined,
  ]);
  const holding = view.services.find(({ holds }) => holds);
  const port = target.port ?? holding?.ports[0]?.port;
  const protocol = holding?.ports.find((one) => one.port === port)?.protocol;
  const nat = natFacts(eip, listing);
  const sent = nat?.eip.ports.find((one) => one.port === port);
  const [node] = sent === undefined ? [] : (nat?.nodes(sent.group) ?? []);
  return {
    ...(nat && { nat }),
    links,
    nhid,
    vias,
    isAnswered: isAnswered(eip, config, listing),
    holder,
    matched,
    client,
    forwarded,
    sysctls,
    firewall: firewall.judge({
      iif: uplink,
      oif: lan,
      source: client ?? eip,
      destination: node ?? eip,
      protocol,
      port: node === undefined ? port : sent?.nodePort,
      translated: node !== undefined,
    }),
    neighbours,
  };
}

async function askRoutes(
  eip: Ip,
  { client, isAsked }: { readonly client: Ip | undefined; readonly isAsked: boolean },
  { gateway }: GatewayConfig,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<RouteAnswers> {
  const names: LinkNames = (index) => links.find((link) => link.index === index)?.name ?? `if${index}`;
  await using port = new LinuxLookups();
  const iif = links.find(({ name }) => name === gateway.uplink)?.index;
  if (client === undefined || iif === undefined)
    return await routeAnswers(port, eip, { terms: undefined, matching: undefined }, names, signal);
  const question = await forwardedQuestion(family(eip), { gateway, links }, port, signal);
  const found = question.kind === 'asked' ? question.terms : undefined;
  const terms = { from: client, iif, mark: found?.mark };
  const matching = isAsked ? undefined : found;
  return await routeAnswers(port, eip, { terms, matching }, names, signal);
}

function natFacts(eip: Ip, { objects }: Listing): NatFacts | undefined {
  const found = objects.get(natEipKey(eip));
  if (found?.kind !== 'nat-eip') return undefined;
  return {
    eip: found,
    nodes: (id) => {
      const group = objects.get(natGroupKey(id));
      return group?.kind === 'nat-group' ? group.buckets : [];
    },
  };
}

/** undefined: its pool is not announced by layer 2 */
function isAnswered(eip: Ip, { gateway }: GatewayConfig, { links, objects }: Listing): boolean | undefined {
  if (poolFinder(gateway.pools)(eip)?.announce !== 'layer2') return undefined;
  const segment = links.find(({ name }) => name === gateway.announce?.segment);
  const filter = nftKey(standbyFilterName(gateway.protocol, family(eip)));
  return segment !== undefined && objects.has(`neighbour ${segment.index} ${eip}`) && !objects.has(filter);
}

/** The group, or the nexthop, of our route of an EIP. */
function nhidOf(eip: Ip, table: number, { objects }: Listing): number | undefined {
  const route = objects.get(routeKey(eip, table));
  return route?.kind === 'route' ? route.nhid : undefined;
}

/** Where a group, or a nexthop, leads. */
function viasOf(nhid: number, { objects }: Listing): readonly Ip[] {
  const target = objects.get(`nexthop ${nhid}`);
  const hops =
    target?.kind === 'group' ? target.members.map(({ id }) => objects.get(`nexthop ${id}`)) : [target];
  return hops.flatMap((hop) => (hop?.kind === 'nexthop' ? [hop.via] : []));
}

async function holderOf(
  eip: Ip,
  table: number,
  kernel: Kernel,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<KernelFacts['holder']> {
  const key = routeKey(eip, table);
  const holder = (await kernel.holders(new Set([key]), signal)).get(key);
  if (holder === undefined) return undefined;
  const names: LinkNames = (index) => links.find((link) => link.index === index)?.name ?? `if${index}`;
  return {
    route: describe(holder, names),
    command: command({ verb: 'delete', have: holder }, names),
  };
}

function forwardingSysctls(lan: string, uplink: string): readonly string[] {
  const links = ['all', lan, uplink];
  return [
    'net/ipv4/ip_forward',
    'net/ipv6/conf/all/forwarding',
    ...links.flatMap((link) => [`net/ipv4/conf/${link}/forwarding`, `net/ipv4/conf/${link}/rp_filter`]),
  ];
}

async function readSysctls(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const values = await Promise.all(names.map(readSysctl));
  return new Map(names.flatMap((name, i) => (values[i] === undefined ? [] : [[name, values[i]] as const])));
}

async function probe(
  view: PathView | undefined,
  target: Target,
  { gateway }: GatewayConfig,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<ProbeFacts | NotAsked> {
  const eip = view?.eip;
  const ports = view?.services.filter(({ holds }) => holds).flatMap((service) => service.ports) ?? [];
  const found = ports.find(({ protocol, port }) => protocol === 'TCP' && (target.port ?? port) === port);
  const port = found?.port ?? target.port;
  if (eip === undefined || port === undefined)
    return { kind: 'not asked', why: 'there is no TCP port to connect to' };
  if (found === undefined && ports.some((one) => one.port === port))
    return { kind: 'not asked', why: `port ${port} is not TCP: only TCP says whether it was answered` };
  const of = family(eip);
  const uplink = addressOn(gateway.uplink, of, links);
  const { nodePort } = found ?? {};
  const [carrier] = view?.carriers ?? [];
  /** The table of NAT would give a connection of ours an address of the LAN: the node is asked past it. */
  const connectBeyond = (from: Ip): Promise<Attempt> =>
    isNatTraced({ gateway, view }) && carrier !== undefined && nodePort !== undefined
      ? connectBy({ to: carrier.ip, port: nodePort, from, device: gateway.lan }, signal)
      : connect(eip, port, from, signal);
  const [fromLan, fromUplink, ...nodes] = await Promise.all([
    connect(eip, port, addressOn(gateway.lan, of, links), signal),
    uplink && connectBeyond(uplink),
    ...(nodePort === undefined ? [] : (view?.carriers ?? [])).map(async ({ node, ip }) => ({
      node,
      to: `${ip}:${nodePort}`,
      attempt: await connect(ip, nodePort ?? 0, undefined, signal),
    })),
  ]);
  return { kind: 'probed', port, fromLan, fromUplink, nodes };
}
