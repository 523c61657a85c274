import { type AllocatedAddresses, allocatedTo } from '../model/allocated-condition.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import { type Sharing, sharingOf } from '../model/sharing.ts';
import type { OwnWrite } from './own-writes.ts';
import { type RequestOrInvalid, requestOf } from './request.ts';
import { waitingSince } from './waiting.ts';

/** A Service as the allocation sees it. */
export interface Candidate {
  /** `namespace/name` */
  readonly key: string;
  readonly service: Service;
  /**
   * ours: it is given addresses. leaving: it was ours, and keeps its addresses until its routes are gone.
   * former: it is no LoadBalancer any more, and keeps what we wrote until we have cleared it.
   * bystander: another implementation gave it addresses, or it claims them in its spec.
   */
  readonly role: 'ours' | 'leaving' | 'former' | 'bystander';
  /** What we wrote to it; undefined: nothing yet, and its status is believed. */
  readonly own: OwnWrite | undefined;
  /** What we said that we gave it. */
  readonly allocated: AllocatedAddresses | undefined;
  /** Of what is ours. */
  readonly request: RequestOrInvalid | undefined;
  readonly sharing: Sharing;
  /** ms since the epoch since when it waits; Infinity: its condition does not say so yet. */
  readonly since: number;
}

/** @returns undefined when the Service has nothing to do with addresses */
export function candidateOf(
  service: Service,
  allocation: Allocation,
  own: OwnWrite | undefined,
): Candidate | undefined {
  const role = roleOf(service, allocation, own);
  if (role === undefined) return undefined;
  const known = role !== 'bystander';
  return {
    key: service.key,
    service,
    role,
    own: known ? own : undefined,
    allocated: !known ? undefined : own === undefined ? allocatedTo(service) : own.allocated,
    request: role === 'ours' ? requestOf(service) : undefined,
    sharing: sharingOf(service),
    since: own?.since ?? waitingSince(service),
  };
}

/** Whether addresses for this Service are our business. */
export function isOurs({ type, loadBalancerClass }: Service, allocation: Allocation): boolean {
  if (type !== 'LoadBalancer') return false;
  return loadBalancerClass === undefined ? allocation.classless : loadBalancerClass === allocation.class;
}

function roleOf(
  service: Service,
  allocation: Allocation,
  own: OwnWrite | undefined,
): Candidate['role'] | undefined {
  const { deleting, request, type, ingress, externalIps } = service;
  if (isOurs(service, allocation)) {
    if (!deleting) return 'ours';
    return request.finalizer ? 'leaving' : undefined;
  }
  if (type !== 'LoadBalancer' && own !== undefined && own.ips.length + own.unconfirmed.length > 0) {
    return 'former';
  }
  if (deleting || type === 'ExternalName') return undefined;
  const shows = externalIps.length > 0 || (type === 'LoadBalancer' && ingress.length > 0);
  return shows ? 'bystander' : undefined;
}

/** The addresses that the API shows as this Service's, as far as we know; in the order of its status. */
export function statusOf({ own, service }: Candidate): readonly Ip[] {
  return own?.ips ?? service.ingress;
}

/** The addresses that it asks for by name. */
export function namedBy({ request }: Candidate): readonly Ip[] {
  return request?.kind === 'request' ? request.request.addresses : none;
}

const none: readonly Ip[] = [];

/** Whether all inputs of the allocation are the same. Compared by reference: an unchanged Service is one object. */
export function isSame(a: Candidate, b: Candidate): boolean {
  const one = a.service;
  const two = b.service;
  return (
    a.role === b.role &&
    a.own === b.own &&
    one.uid === two.uid &&
    one.request === two.request &&
    one.ingress === two.ingress &&
    one.proxied === two.proxied &&
    one.externalIps === two.externalIps &&
    one.ports === two.ports &&
    one.externalTrafficPolicy === two.externalTrafficPolicy
  );
}

/** The longest waiting first; after them those whose condition does not say yet that they wait, the oldest first. */
export function byWaiting(a: Candidate, b: Candidate): number {
  if (a.since !== b.since) return a.since < b.since ? -1 : 1;
  return byAge(a, b);
}

export function byAge(a: Candidate, b: Candidate): number {
  const { created: one } = a.service.request;
  const { created: two } = b.service.request;
  if (one !== two) return one - two;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
