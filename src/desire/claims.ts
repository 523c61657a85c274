import { type Service, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
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
  const holders = new Map<Ip, { eip: Ip; first: number; others: number[] | undefined }>();
  for (const [place, service] of services.entries()) {
    for (const eip of addressesOf(service)) {
      const holding = holders.get(eip);
      if (holding) holding.others = [...(holding.others ?? []), place];
      else if (poolOf(eip)) holders.set(eip, { eip, first: place, others: undefined });
      else problems.push(outsidePools(eip, service));
    }
  }
  return { holdings: [...holders.values()], problems };
}

/** The addresses that a Service holds, each once. */
function addressesOf(service: Service): readonly Ip[] {
  if (service.deleting || service.type === 'ExternalName') return [];
  const ingress = service.type === 'LoadBalancer' ? service.ingress : [];
  const all = service.externalIps.length === 0 ? ingress : [...ingress, ...service.externalIps];
  return all.length < 2 ? all : [...new Set(all)];
}

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
    a.externalIps === b.externalIps
  );
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
