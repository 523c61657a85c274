import type { Service, Snapshot } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import { type FormerNodes, noFormerNodes, type ProbedServices, unprobed } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import {
  addressProblems,
  type Candidates,
  type Carrier,
  candidates,
  carriers,
  type SeenNodes,
  shared,
  type Weighing,
} from './carriers.ts';
import { claim, namedAddresses, rememberedIn } from './claims.ts';
import { leftToProxy } from './ip-mode.ts';
import { hasNodePort, isNat, withoutNodePort } from './nat-mode.ts';
import { withoutNode } from './no-node.ts';
import type { Path } from './path.ts';
import { type PoolFinder, poolFinder } from './pools.ts';
import { tooManyRanges } from './source-ranges.ts';

export interface Paths {
  readonly paths: readonly Path[];
  /** Held by Services, but without a node: no usable endpoint, or no node of the family. */
  readonly idle: readonly Idle[];
  readonly problems: readonly Problem[];
}

/** An EIP that no node can serve. */
export type Idle = Pick<Path, 'eip' | 'services'>;

/**
 * Which EIP goes to which nodes: the full recompute, and the specification of {@link PathTable}.
 *
 * @returns in the order in which the Services name the EIPs
 */
export function paths(snapshot: Snapshot, gateway: Gateway, probed: ProbedServices = unprobed): Paths {
  const { nodes, services } = snapshot;
  const poolOf = poolFinder(gateway.pools);
  const terms: Terms = {
    gateway,
    poolOf,
    nodes: candidates(nodes, formerNodesOf(gateway, probed)),
    probed,
    remembered: rememberedIn(snapshot),
  };
  const result: Path[] = [];
  const idle: Idle[] = [];
  const problems: Problem[] = [...addressProblems(nodes)];
  for (const [eip, named] of naming(services, gateway)) {
    const found = resolve(eip, named, terms);
    problems.push(...found.problems);
    if (found.path === undefined) continue;
    if (found.path.carriers.length > 0) result.push(found.path);
    else idle.push(found.path);
  }
  return { paths: result, idle, problems };
}

/** Whether carriers cover for former ones. A resilient group moves no flow because the parts are others. */
function covers({ resilience }: Gateway): boolean {
  return resilience === undefined;
}

/** Those that carriers cover for. */
export function formerNodesOf(gateway: Gateway, { formerNodes }: ProbedServices): FormerNodes {
  return covers(gateway) ? formerNodes : noFormerNodes;
}

/** The Services that name each EIP. */
export function naming(services: readonly Service[], gateway: Gateway): ReadonlyMap<Ip, readonly Service[]> {
  const named = new Map<Ip, Service[]>();
  for (const service of services) {
    for (const ip of namedAddresses(service, gateway)) {
      const others = named.get(ip);
      if (others) others.push(service);
      else named.set(ip, [service]);
    }
  }
  return named;
}

/** Where one EIP goes. */
export interface Resolved {
  /** undefined: no Service holds the EIP. Without carriers: no node can serve it. */
  readonly path: Path | undefined;
  readonly problems: readonly Problem[];
}

/** The inputs of a path besides the Services that name the EIP. */
export interface Terms {
  readonly gateway: Gateway;
  readonly poolOf: PoolFinder;
  readonly nodes: Candidates;
  readonly probed: ProbedServices;
  /** See `rememberedIn`. */
  readonly remembered: ReadonlySet<string | undefined>;
}

/** What may keep kube-proxy, or the NAT, from serving a Service that holds an EIP. */
const checksOfRouted = [leftToProxy] as const;
const checksOfNat = [withoutNodePort, tooManyRanges] as const;

/** @param named the Services that name the EIP */
export function resolve(eip: Ip, named: readonly Service[], terms: Terms): Resolved {
  const { gateway, poolOf, nodes, remembered } = terms;
  const pool = poolOf(eip);
  const { holders, problems: claims } = claim(eip, named, gateway, pool, remembered);
  if (holders.length === 0) return { path: undefined, problems: claims };
  const byNat = isNat(gateway, pool);
  let problems = claims;
  for (const check of byNat ? checksOfNat : checksOfRouted)
    for (const service of holders) problems = withProblem(problems, check(eip, service));
  const { path, problem } = pathTo(eip, holders, byNat, terms);
  if (path.carriers.length > 0) return { path, problems: withProblem(problems, problem) };
  const nowhere = withoutNode(eip, byNat ? holders.filter(hasNodePort) : holders, nodes);
  return { path, problems: withProblem(problems, nowhere) };
}

function withProblem(problems: readonly Problem[], problem: Problem | undefined): readonly Problem[] {
  return problem === undefined ? problems : [...problems, problem];
}

/** @param holders at least one; the strongest claim first */
function pathTo(
  eip: Ip,
  holders: readonly Service[],
  byNat: boolean,
  terms: Terms,
): { readonly path: Path; readonly problem?: Problem } {
  const of = family(eip);
  const [only, another] = holders;
  if (only !== undefined && another === undefined)
    return { path: { eip, services: [only.key], carriers: carriersFor(only, of, byNat, terms) } };
  const services = holders.map(({ key }) => key).sort();
  // A Service that no node can serve must not take the EIP away from a Service that shares it.
  const able = holders
    .map((service) => ({ service, list: carriersFor(service, of, byNat, terms) }))
    .filter(({ list }) => list.length > 0);
  const [best] = able;
  if (best === undefined) return { path: { eip, services, carriers: [] } };
  const common = shared(
    able.map(({ list }) => list),
    weighingOf(terms),
  );
  if (common !== undefined) return { path: { eip, services, carriers: common } };
  const apart = able.map(({ service }) => service.key);
  return { path: { eip, services, carriers: best.list }, problem: noCommonNode(eip, apart) };
}

/** The nodes that can serve one holder of an EIP of a family. */
function carriersFor(service: Service, of: Family, byNat: boolean, terms: Terms): readonly Carrier[] {
  const { gateway, nodes, probed } = terms;
  if (byNat && !hasNodePort(service)) return [];
  // Under Cluster none of it counts.
  if (service.externalTrafficPolicy !== 'Local') return carriers(service, nodes, of, weighingOf(terms));
  const seen: SeenNodes = {
    waiting: probed.waiting(service.key)[of],
    leaving: probed.leaving(service.key)[of],
    // conntrack moves no flow because the parts are others.
    former: !byNat && covers(gateway) ? probed.formerCarriers(service.key)[of] : undefined,
  };
  return carriers(service, nodes, of, weighingOf(terms), seen);
}

function weighingOf({ gateway }: Terms): Weighing {
  return gateway.weighByEndpoints ? 'endpoints' : 'equal';
}

/** @param names the one whose nodes get the EIP first */
function noCommonNode(eip: Ip, names: readonly string[]): Problem {
  return {
    code: 'eip-no-common-node',
    severity: 'error',
    subject: eip,
    message: `no node can serve all of ${names.join(', ')}, which share ${eip}; it goes to the nodes of ${names[0]} alone, whose claim comes first`,
    advice: 'give the Services externalTrafficPolicy Cluster, or the same backends, or an EIP each',
    eip,
  };
}
