import {
  addressIn,
  type Candidates,
  candidates,
  leftOut,
  type SeenNodes,
  usable,
} from '../desire/carriers.ts';
import { namedAddresses, rememberedIn } from '../desire/claims.ts';
import type { ClusterReader } from '../desire/cluster-reader.ts';
import type { Path } from '../desire/path.ts';
import { formerNodesOf, resolve } from '../desire/paths.ts';
import { poolFinder } from '../desire/pools.ts';
import { type Node, nameInside, type Service, type ServicePort } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, family, type Ip, parseIp } from '../model/ip.ts';
import type { LateCarrier, LateCarriers, Probed, ProbedServices, Standing } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { servesEip } from './agents.ts';
import { lateCarriers } from './eips.ts';
import type { Need } from './need.ts';
import { iso, type Summary } from './state.ts';

/** What a person asks about: an EIP, or a Service by `namespace/name` or by its name alone. */
export type PathTarget =
  | { readonly kind: 'eip'; readonly eip: Ip }
  | { readonly kind: 'service'; readonly name: string };

/** @param text an address, `namespace/name`, or a name */
export function pathTarget(text: string): PathTarget {
  try {
    return { kind: 'eip', eip: parseIp(text) };
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'service', name: text };
    throw error;
  }
}

/** The answer of the socket to `/paths?of=TARGET`. */
export interface PathsAnswer extends Summary {
  readonly views: readonly PathView[];
  /** Those of the status that are about these EIPs. */
  readonly needs: readonly Need[];
  /** Hosts of the LAN that do not answer, with the time since when: ISO 8601. */
  readonly silentSince: Readonly<Record<Ip, string>>;
}

/** What the cluster says of one EIP, or of a Service that has none. */
export interface PathView {
  /** undefined: the Service has no address. */
  readonly eip: Ip | undefined;
  /** undefined: it is in no pool. */
  readonly pool: { readonly name: string; readonly networks: readonly string[] } | undefined;
  /** Those that name the EIP; the holders first. */
  readonly services: readonly ServiceView[];
  readonly carriers: readonly CarrierView[];
  /** The other nodes, and why they get no traffic. */
  readonly leftOut: readonly LeftOut[];
  readonly problems: readonly Problem[];
}

export interface LeftOut {
  readonly node: string;
  readonly why: string;
  /** ISO 8601: it keeps its flows, or the others cover for it, until then at the latest; absent: neither. */
  readonly until?: string;
}

export interface CarrierView {
  readonly node: string;
  readonly ip: Ip;
  /** Why it gets no new flows while another node gets them; undefined: it gets them. */
  readonly standing: Standing | undefined;
  /** Whether the node's agent serves the EIP through this gateway; absent: it does not tell. */
  readonly served?: boolean;
}

export interface ServiceView {
  /** `namespace/name` */
  readonly name: string;
  /** It has the EIP; false: it asks for it, and may not have it. */
  readonly holds: boolean;
  readonly type: Service['type'];
  readonly loadBalancerClass: string | undefined;
  readonly policy: Service['externalTrafficPolicy'];
  readonly ports: readonly ServicePort[];
  /** Endpoints of the EIP's family that take new connections. */
  readonly endpoints: number;
  /** How many nodes they are on. */
  readonly nodes: number;
  /** The same of the other family; absent: none. */
  readonly otherEndpoints?: number;
  /** It is being deleted, and holds no address any more. */
  readonly deleting?: true;
  /** The host names in its status; absent: none. */
  readonly hostnames?: readonly string[];
}

export interface PathViewInputs {
  readonly cluster: ClusterReader;
  readonly gateway: Gateway;
  readonly probed: ProbedServices & Pick<Probed, 'standings'>;
  readonly lately: LateCarriers;
  /** Of the last round, and of the allocation. */
  readonly problems: readonly Problem[];
  /** The addresses of this gateway on the LAN, as far as they are known. */
  readonly lan: readonly Ip[];
}

/** What the cluster says of an EIP, or of each EIP of a Service. Walks all Services. Empty: no such Service. */
export function pathViews(target: PathTarget, inputs: PathViewInputs): readonly PathView[] {
  const { cluster, gateway } = inputs;
  if (target.kind === 'eip') return [viewOf(target.eip, inputs)];
  const { name } = target;
  // In several clusters `namespace/name` may be one in each.
  const isAsked = (service: Service): boolean =>
    service.name === name || service.key === name || nameInside(service.key) === name;
  return [...cluster.services()]
    .filter(isAsked)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .flatMap((service) => {
      const eips = namedAddresses(service, gateway);
      return eips.length > 0 ? eips.map((eip) => viewOf(eip, inputs)) : [withoutEip(service, inputs)];
    });
}

function viewOf(eip: Ip, { cluster, gateway, probed, lately, problems, lan }: PathViewInputs): PathView {
  const overview = cluster.overview();
  const { nodes } = overview;
  const named = [...cluster.services()].filter((service) => namedAddresses(service, gateway).includes(eip));
  const poolOf = poolFinder(gateway.pools);
  const able = candidates(nodes, formerNodesOf(gateway, probed));
  const { path, problems: found } = resolve(eip, named, {
    gateway,
    poolOf,
    nodes: able,
    probed,
    remembered: rememberedIn(overview),
  });
  const holders = new Set(path?.services);
  const of = family(eip);
  const pool = poolOf(eip);
  const agentOf = (node: Node | undefined): Pick<CarrierView, 'served'> => {
    const served = servesEip(node, eip, lan);
    return served === undefined ? {} : { served };
  };
  const waiting = (service: Service): ReadonlySet<string> => probed.waiting(service.key)[of];
  const seen = (service: Service): SeenNodes => ({
    waiting: waiting(service),
    leaving: probed.leaving(service.key)[of],
  });
  return {
    eip,
    pool: pool && { name: pool.name, networks: pool.addresses },
    services: (named.length > 0 ? named : beingDeleted(eip, cluster))
      .map((service) => serviceView(service, of, holders.has(service.key), seen(service)))
      .sort((a, b) => Number(b.holds) - Number(a.holds) || (a.name < b.name ? -1 : 1)),
    carriers: (path?.carriers ?? []).map(({ node, ip }) => ({
      node,
      ip,
      standing: probed.standings.get(ip),
      ...agentOf(nodes.find(({ name }) => name === node)),
    })),
    leftOut: notCarrying(nodes, able, path, of, {
      isWaiting: (node) => named.some(({ key }) => holders.has(key) && probed.waiting(key)[of].has(node)),
      late: path === undefined ? new Map() : lateCarriers(path, lately),
    }),
    problems: distinct([...found, ...problems.filter((one) => one.eip === eip || one.subject === eip)]),
  };
}

/** The Services that have had an EIP, and that a finalizer keeps. */
function beingDeleted(eip: Ip, cluster: ClusterReader): readonly Service[] {
  return [...cluster.services()].filter(
    ({ deleting, ingress, externalIps }) => deleting && (ingress.includes(eip) || externalIps.includes(eip)),
  );
}

function withoutEip(service: Service, { problems }: PathViewInputs): PathView {
  const name = service.key;
  return {
    eip: undefined,
    pool: undefined,
    services: [serviceView(service, 4, false, {})],
    carriers: [],
    leftOut: [],
    problems: problems.filter((one) => one.service === name || one.subject === `Service ${name}`),
  };
}

function serviceView(service: Service, of: Family, holds: boolean, seen: SeenNodes): ServiceView {
  const endpoints = usable(service, of, seen);
  const otherEndpoints = usable(service, of === 4 ? 6 : 4).length;
  const { hostnames } = service.request;
  return {
    name: service.key,
    holds,
    type: service.type,
    loadBalancerClass: service.loadBalancerClass,
    policy: service.externalTrafficPolicy,
    ports: service.ports,
    endpoints: endpoints.length,
    nodes: new Set(endpoints.map(({ node }) => node)).size,
    ...(otherEndpoints > 0 ? { otherEndpoints } : {}),
    ...(service.deleting ? { deleting: true } : {}),
    ...(hostnames.length > 0 ? { hostnames } : {}),
  };
}

interface NotCarrying {
  readonly isWaiting: (node: string) => boolean;
  readonly late: ReadonlyMap<string, LateCarrier>;
}

function notCarrying(
  nodes: readonly Node[],
  able: Candidates,
  path: Path | undefined,
  of: Family,
  { isWaiting, late }: NotCarrying,
): readonly LeftOut[] {
  const carrying = new Set(path?.carriers.map(({ node }) => node));
  const addresses = new Set(path?.carriers.map(({ ip }) => ip));
  const why = (node: Node): string => {
    const no = leftOut(node);
    if (no !== undefined) return no;
    const candidate = able.byName.get(node.name);
    const ip = addressIn(candidate, of);
    if (ip === undefined) return `it has no IPv${of} InternalIP`;
    if (addresses.has(ip)) return `another node has its address ${ip}`;
    return isWaiting(node.name) ? 'its kube-proxy has not said yet that it serves' : 'no ready endpoint';
  };
  const known = new Set(nodes.map(({ name }) => name));
  const deleted = [...late.keys()].filter((name) => !known.has(name));
  return [
    ...nodes.filter(({ name }) => !carrying.has(name)).map((node) => [node.name, why(node)] as const),
    ...deleted.map((name) => [name, 'it is gone from the cluster'] as const),
  ].map(([node, reason]) => leftOutAs(node, reason, late.get(node)));
}

function leftOutAs(node: string, why: string, late: LateCarrier | undefined): LeftOut {
  if (late === undefined) return { node, why };
  const until = iso(late.until);
  switch (late.standing) {
    case 'leaving':
      return { node, why: 'its last endpoints end, and it only keeps the flows that it has', until };
    case 'covered':
      return { node, why: `${why}, and the others cover for it`, until };
    default:
      return late.standing satisfies never;
  }
}

function distinct(problems: readonly Problem[]): readonly Problem[] {
  const found = new Map(problems.map((one) => [`${one.code} ${one.subject}`, one]));
  return [...found.values()];
}
