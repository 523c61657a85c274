import type { Allocation } from '../model/allocation.ts';
import { type Service, serviceName } from '../model/cluster.ts';
import { allocatedType, type Given, givenTo } from '../model/given.ts';
import type { Ip } from '../model/ip.ts';
import { type Sharing, sharingOf } from '../model/sharing.ts';
import { type RequestOrInvalid, requestOf } from './request.ts';

/** A Service as the assignments see it. */
export interface Candidate {
  /** `namespace/name` */
  readonly key: string;
  readonly service: Service;
  /**
   * ours: it is given addresses. leaving: it was ours, and keeps its addresses until its routes are gone.
   * bystander: it shows addresses that somebody else gave it, or claims them in its spec.
   */
  readonly role: 'ours' | 'leaving' | 'bystander';
  /** The addresses that it shows as its own. */
  readonly shown: readonly Ip[];
  /** What we said that we gave it. */
  readonly given: Given | undefined;
  /** Of what is ours. */
  readonly asked: RequestOrInvalid | undefined;
  readonly sharing: Sharing;
  /** ms since the epoch since when it waits; Infinity: we have not said so yet. */
  readonly since: number;
}

/** undefined: the Service has nothing to do with addresses */
export function candidate(service: Service, allocation: Allocation): Candidate | undefined {
  const role = roleOf(service, allocation);
  if (role === undefined) return undefined;
  const { ingress } = service;
  return {
    key: serviceName(service),
    service,
    role,
    shown: role === 'bystander' ? shownBy(service) : ingress,
    given: role === 'bystander' ? undefined : givenTo(service),
    asked: role === 'ours' ? requestOf(service) : undefined,
    sharing: sharingOf(service),
    since: waitingSince(service),
  };
}

/** Whether addresses for this Service are our business. */
export function isOurs({ type, loadBalancerClass }: Service, allocation: Allocation): boolean {
  if (type !== 'LoadBalancer') return false;
  return loadBalancerClass === undefined ? allocation.classless : loadBalancerClass === allocation.class;
}

function roleOf(service: Service, allocation: Allocation): Candidate['role'] | undefined {
  const { deleting, asks } = service;
  if (isOurs(service, allocation)) {
    if (!deleting) return 'ours';
    return asks.finalizer ? 'leaving' : undefined;
  }
  return !deleting && shownBy(service).length > 0 ? 'bystander' : undefined;
}

function shownBy({ type, ingress, externalIps }: Service): readonly Ip[] {
  if (type === 'ExternalName') return [];
  const own = type === 'LoadBalancer' ? ingress : [];
  return externalIps.length === 0 ? own : [...new Set([...own, ...externalIps])];
}

function waitingSince({ asks }: Service): number {
  if (asks.conditions.length === 0) return Number.POSITIVE_INFINITY;
  const found = asks.conditions.find(({ type, status }) => type === allocatedType && status === 'False');
  const since = Date.parse(found?.lastTransitionTime ?? '');
  return Number.isNaN(since) ? Number.POSITIVE_INFINITY : since;
}

/** The longest-waiting first; who has not been told yet to wait comes after, the oldest first. */
export function byWaiting(a: Candidate, b: Candidate): number {
  if (a.since !== b.since) return a.since < b.since ? -1 : 1;
  return byAge(a, b);
}

export function byAge(a: Candidate, b: Candidate): number {
  const { created: one } = a.service.asks;
  const { created: two } = b.service.asks;
  if (one !== two) return one - two;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
