import { type Service, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { givenTo } from '../model/given.ts';
import type { Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import type { Problem } from '../model/problem.ts';
import { cannotShare, sharingOf } from '../model/sharing.ts';
import { poolFinder } from './pools.ts';

/** Which Services hold which EIPs of our pools. */
export interface Claims {
  readonly holdings: readonly Holding[];
  readonly problems: readonly Problem[];
}

/** One EIP; its holders as places in the list of Services. */
export interface Holding {
  readonly eip: Ip;
  readonly first: number;
  /** undefined: one Service holds it alone. */
  readonly others: readonly number[] | undefined;
}

/** The last answer per gateway: most events move endpoints, and few an address. */
const memory = new WeakMap<Gateway, { readonly services: readonly Service[]; readonly claims: Claims }>();

/** @returns the very same Claims as before while no Service changed what it holds */
export function claimsOf(services: readonly Service[], gateway: Gateway): Claims {
  const before = memory.get(gateway);
  const same = before !== undefined && sameClaims(before.services, services);
  const claims = same ? before.claims : gather(services, gateway);
  memory.set(gateway, { services, claims });
  return claims;
}

function gather(services: readonly Service[], gateway: Gateway): Claims {
  const poolOf = poolFinder(gateway);
  const problems: Problem[] = [];
  const holders = new Map<Ip, Gathered>();
  for (const [place, service] of services.entries()) {
    for (const eip of addressesOf(service, gateway)) {
      const holding = holders.get(eip);
      if (holding) addTo(holding, place);
      else if (poolOf(eip) || isKept(eip, service, gateway)) {
        holders.set(eip, { eip, first: place, others: undefined });
      } else problems.push(outsidePools(eip, service));
    }
  }
  for (const place of claimants(services, gateway)) {
    const service = services[place];
    if (service === undefined) continue;
    for (const eip of service.externalIps) {
      const holding = holders.get(eip);
      const pool = poolOf(eip);
      const barred = pool && barredFrom(pool, service);
      const [holder, why] =
        barred || !gateway.allocation ? [] : (refusal(service, place, holding, services) ?? []);
      if (barred !== undefined) problems.push(notAllowed(eip, service, barred));
      else if (holder !== undefined) problems.push(heldByAnother(eip, service, holder, why ?? ''));
      else if (holding) addTo(holding, place);
      else if (pool) holders.set(eip, { eip, first: place, others: undefined });
      else problems.push(outsidePools(eip, service));
    }
  }
  return { holdings: [...holders.values()], problems };
}

type Gathered = { readonly eip: Ip; readonly first: number; others: number[] | undefined };

function addTo(holding: Gathered, place: number): void {
  if (holding.first === place || holding.others?.includes(place)) return;
  holding.others = [...(holding.others ?? []), place];
}

/**
 * The places of the Services that claim addresses in their spec, which anybody may write there: they come after
 * those whose status shows it; with an allocation the oldest first, as there.
 */
function claimants(services: readonly Service[], gateway: Gateway): readonly number[] {
  const places: number[] = [];
  for (let place = 0; place < services.length; place += 1) {
    const service = services[place];
    if (service && service.externalIps.length > 0 && !service.deleting && service.type !== 'ExternalName') {
      places.push(place);
    }
  }
  if (gateway.allocation === undefined) return places;
  const age = (place: number): number => services[place]?.asks.created ?? 0;
  return places.sort((a, b) => age(a) - age(b));
}

/** Who holds the address already and would not share it, and why. */
function refusal(
  service: Service,
  place: number,
  holding: Gathered | undefined,
  services: readonly Service[],
): readonly [holder: Service, why: string] | undefined {
  if (holding === undefined) return undefined;
  const own = sharingOf(service);
  for (const other of [holding.first, ...(holding.others ?? [])]) {
    const holder = services[other];
    const why = holder && other !== place ? cannotShare(own, sharingOf(holder)) : undefined;
    if (holder && why !== undefined) return [holder, why];
  }
  return undefined;
}

/** We gave it out of a pool that has been made smaller since, and that lets such addresses be. */
function isKept(eip: Ip, service: Service, { allocation }: Gateway): boolean {
  if (allocation === undefined) return false;
  const given = givenTo(service);
  return given !== undefined && !given.enforce && given.ips.includes(eip);
}

/** Its addresses are those of nodes, which are there without a route of ours. */
function isOfNodes(service: Service, { pools, allocation }: Gateway): boolean {
  if (allocation === undefined) return false;
  const nodePool = pools.find((pool) => termsOf(pool).nodeAddresses);
  return nodePool !== undefined && givenTo(service)?.pool === nodePool.name;
}

/** The addresses that a Service's status gives it. */
function addressesOf(service: Service, gateway: Gateway): readonly Ip[] {
  if (service.deleting || service.type !== 'LoadBalancer' || service.ingress.length === 0) return none;
  return isOfNodes(service, gateway) ? none : service.ingress;
}

const none: readonly never[] = [];

function sameClaims(a: readonly Service[], b: readonly Service[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    const one = a[i];
    const two = b[i];
    if (one === two) continue;
    if (one === undefined || two === undefined || !sameAddresses(one, two)) return false;
  }
  return true;
}

/** By identity: a list of addresses that was read anew costs one gathering, no more. */
function sameAddresses(a: Service, b: Service): boolean {
  return (
    a.name === b.name &&
    a.namespace === b.namespace &&
    a.type === b.type &&
    a.deleting === b.deleting &&
    a.ingress === b.ingress &&
    a.externalIps === b.externalIps &&
    a.asks === b.asks
  );
}

function notAllowed(eip: Ip, service: Service, barred: string): Problem {
  const name = serviceName(service);
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

function heldByAnother(eip: Ip, service: Service, holder: Service, why: string): Problem {
  const name = serviceName(service);
  return {
    code: 'eip-held-by-another',
    severity: 'error',
    subject: `${eip} of Service ${name}`,
    message: `Service ${name} claims ${eip} in spec.externalIPs, which ${serviceName(holder)} holds, and ${why}; it is not routed to it`,
    advice:
      'take the address from the Service; kube-proxy on the nodes goes by spec.externalIPs all the same',
    eip,
    service: name,
  };
}

function outsidePools(eip: Ip, service: Service): Problem {
  const name = serviceName(service);
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
