import { allocatedTo } from '../model/allocated-condition.ts';
import type { Overview, Service } from '../model/cluster.ts';
import type { Gateway, Pool } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import type { Problem } from '../model/problem.ts';
import { cannotShare, type Sharing, sharingOf } from '../model/sharing.ts';

/** Which of the Services that name an EIP hold it. */
export interface Claim {
  /** The strongest claim first; empty when none of them may have it. */
  readonly holders: readonly Service[];
  readonly problems: readonly Problem[];
}

/** How a Service names an address; the lowest rank wins. */
const rank = { allocated: 0, status: 1, spec: 4 } as const;

/** What is remembered comes after what is listed, but before what only a spec says. */
const behind = 2;

/** The names of the clusters of which the last known state is shown, while others are listed. */
export function rememberedIn({ clusters = [] }: Pick<Overview, 'clusters'>): ReadonlySet<string | undefined> {
  return new Set(clusters.flatMap(({ name, remembered }) => (remembered ? [name] : [])));
}

interface Claimant {
  readonly service: Service;
  readonly by: keyof typeof rank;
  readonly sharing: Sharing;
}

/** The addresses that a Service names, in its status or in its spec; each once. */
export function namedAddresses(service: Service, gateway: Gateway): readonly Ip[] {
  const given = statusAddresses(service, gateway);
  const asked = specAddresses(service);
  return asked.length === 0 && given.length < 2 ? given : [...new Set([...given, ...asked])];
}

/**
 * Decides who holds an EIP.
 *
 * An address that this program allocated precedes one in the status of another Service, which precedes one in a spec:
 * every user who may edit a Service can write the spec. What is remembered of a cluster that is away may be over: it
 * takes no address from a Service that is listed. Among equals the older Service wins. The others hold the address as
 * well when they may share it, and are reported when they may not.
 *
 * @param services those that name the address
 * @param pool the pool that the address is in
 * @param remembered see {@link rememberedIn}
 */
export function claim(
  eip: Ip,
  services: readonly Service[],
  gateway: Gateway,
  pool: Pool | undefined,
  remembered: ReadonlySet<string | undefined>,
): Claim {
  const [only, another] = services;
  // The usual case, and a fast path: a Service that is alone, and whose status has an address of a pool, holds it.
  if (only !== undefined && another === undefined && pool !== undefined) {
    if (claimedBy(eip, only, gateway) !== 'spec') return { holders: services, problems: none };
  }
  return contested(eip, services, gateway, pool, remembered);
}

/** As {@link claim}, of any number of Services. */
function contested(
  eip: Ip,
  services: readonly Service[],
  gateway: Gateway,
  pool: Pool | undefined,
  remembered: ReadonlySet<string | undefined>,
): Claim {
  const order = ({ service, by }: Claimant): number =>
    rank[by] + (remembered.has(service.cluster) ? behind : 0);
  const claimants = services
    .map(
      (service): Claimant => ({
        service,
        by: claimedBy(eip, service, gateway),
        sharing: sharingOf(service),
      }),
    )
    .sort((a, b) => order(a) - order(b) || compareAge(a.service, b.service));
  const holders: Claimant[] = [];
  const problems: Problem[] = [];
  for (const claimant of claimants) {
    const { service, by } = claimant;
    const barred = by === 'spec' && pool ? barredFrom(pool, service) : undefined;
    if (barred !== undefined) problems.push(notAllowed(eip, service, barred));
    else if (pool === undefined && holders.length === 0 && !(by === 'allocated' && isKept(service)))
      problems.push(outsidePools(eip, service));
    else {
      const [holder, why] = refusal(claimant, holders, gateway) ?? [];
      if (holder !== undefined) problems.push(heldByAnother(eip, claimant, holder, why ?? ''));
      else holders.push(claimant);
    }
  }
  if (holders.length > 1) problems.push(...portsTwice(eip, holders));
  return {
    holders: holders.map(({ service }) => service),
    problems,
  };
}

/**
 * Ports that several holders of an address have: where eiproute does not allocate, nothing keeps two Services apart.
 * Only one of them can get a connection. The same Services are one problem, whatever the number of their ports.
 */
function portsTwice(eip: Ip, holders: readonly Claimant[]): readonly Problem[] {
  const byPort = new Map<string, Claimant[]>();
  for (const holder of holders) {
    for (const port of holder.sharing.ports) {
      const same = byPort.get(port);
      if (same === undefined) byPort.set(port, [holder]);
      else same.push(holder);
    }
  }
  const twice = [...byPort].filter(([, claimants]) => claimants.length > 1);
  return [...Map.groupBy(twice, ([, claimants]) => namesOf(claimants))].map(([names, found]): Problem => {
    const ports = found.map(([port]) => port).sort();
    const bySpec = found.some(([, claimants]) => claimants.some(({ by }) => by === 'spec'));
    return {
      code: 'eip-port-twice',
      // Any user who may edit a Service can write its spec: that must not make the whole gateway look ill.
      severity: bySpec ? 'warn' : 'error',
      subject: `${eip} ${ports.join(', ')}`,
      message: `Services ${names} hold ${eip} with the same ${ports.length === 1 ? 'port' : 'ports'} ${ports.join(', ')}: kube-proxy serves one of them, and clients of the others reach the wrong one`,
      advice: 'give all but one of the Services another address or port',
      eip,
    };
  });
}

function namesOf(claimants: readonly Claimant[]): string {
  return claimants
    .map(({ service }) => service.key)
    .sort()
    .join(' and ');
}

function claimedBy(eip: Ip, service: Service, gateway: Gateway): Claimant['by'] {
  if (!statusAddresses(service, gateway).includes(eip)) return 'spec';
  return gateway.allocation !== undefined && allocatedTo(service)?.ips.includes(eip) ? 'allocated' : 'status';
}

/** The addresses that a Service's status gives it. */
function statusAddresses(service: Service, gateway: Gateway): readonly Ip[] {
  if (service.deleting || service.type !== 'LoadBalancer' || service.ingress.length === 0) return none;
  return hasNodeAddresses(service, gateway) ? none : service.ingress;
}

function specAddresses(service: Service): readonly Ip[] {
  return service.deleting || service.type === 'ExternalName' ? none : service.externalIps;
}

const none: readonly never[] = [];

/** The Service has addresses of nodes, which need no route of ours. */
function hasNodeAddresses(service: Service, { pools, allocation }: Gateway): boolean {
  if (allocation === undefined) return false;
  const nodePool = pools.find((pool) => termsOf(pool).nodeAddresses);
  return nodePool !== undefined && allocatedTo(service)?.pool === nodePool.name;
}

/** The address stays although its pool no longer covers it: the pool does not take addresses back. */
function isKept(service: Service): boolean {
  return allocatedTo(service)?.enforce === false;
}

/**
 * The holder that keeps a claimant from the address, and why.
 *
 * Without an allocation the program that fills in the status decides who shares an address there; and Services of
 * one namespace may share what they write into their specs, as kube-proxy tells them apart by port.
 */
function refusal(
  { service, by, sharing }: Claimant,
  holders: readonly Claimant[],
  { allocation }: Gateway,
): readonly [holder: Service, why: string] | undefined {
  for (const other of holders) {
    // An address leads to the nodes of one cluster, even if Services of two ask to share it.
    const isInside = service.cluster === other.service.cluster;
    if (isInside && by === 'status' && other.by === 'status') continue;
    if (isInside && allocation === undefined && service.namespace === other.service.namespace) continue;
    const why = cannotShare(sharing, other.sharing);
    if (why !== undefined) return [other.service, why];
  }
  return undefined;
}

function compareAge(a: Service, b: Service): number {
  return a.request.created - b.request.created || compareName(a, b);
}

function compareName(a: Service, b: Service): number {
  return a.key < b.key ? -1 : 1;
}

function notAllowed(eip: Ip, service: Service, barred: string): Problem {
  const name = service.key;
  return {
    code: 'eip-not-allowed',
    severity: 'warn',
    subject: `${eip} of Service ${name}`,
    message: `Service ${name} claims ${eip} in spec.externalIPs, but ${barred}; it gets no route`,
    advice: 'take the address from the Service, or let its namespace and labels into the pool',
    eip,
    service: name,
  };
}

function heldByAnother(eip: Ip, { service, by }: Claimant, holder: Service, why: string): Problem {
  const name = service.key;
  const isElsewhere = service.cluster !== holder.cluster;
  const field = by === 'spec' ? 'spec.externalIPs' : 'status.loadBalancer';
  return {
    code: 'eip-held-by-another',
    // Any user who may edit a Service can write its spec: that must not make the whole gateway look ill.
    severity: by === 'spec' ? 'warn' : 'error',
    subject: `${eip} of Service ${name}`,
    message: `Service ${name} claims ${eip} in ${field}, which ${holder.key} holds, and ${why}; it is not routed to it`,
    advice: isElsewhere
      ? `give one of the two another address; of equal claims that of the older Service counts, here ${holder.key}`
      : by === 'spec'
        ? 'take the address from the Service; kube-proxy on the nodes goes by spec.externalIPs all the same'
        : 'find the program that writes the status of the Service (loadBalancerClass), and take the address out of its range',
    eip,
    service: name,
  };
}

function outsidePools(eip: Ip, service: Service): Problem {
  const name = service.key;
  return {
    code: 'eip-outside-pools',
    severity: 'warn',
    subject: `${eip} of Service ${name}`,
    message: `Service ${name} asks for ${eip}, which is in none of the configured pools; it gets no route`,
    advice:
      'add the address to a pool, or take it from the Service (status.loadBalancer.ingress, spec.externalIPs)',
    eip,
    service: name,
  };
}
