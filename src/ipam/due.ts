import { allocatedType, servingType } from '../model/allocated-condition.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Condition, Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import { isOurs } from './candidate.ts';
import { conditionsOf, dated, says } from './conditions.ts';
import type { Decision } from './decision.ts';
import { sameIps } from './same-ips.ts';

/** One write that is due for a Service. There is never more than one: the next follows from what it leaves. */
export type Task =
  | { readonly kind: 'finalizer'; readonly verb: 'add' | 'remove' }
  | {
      readonly kind: 'status';
      /** In this order; undefined: they stay as they are. */
      readonly ingress: readonly Ip[] | undefined;
      readonly conditions: readonly Condition[];
      /** Types of conditions of ours that are to go. */
      readonly without: readonly string[];
      /** Only the Serving condition changes: the write can wait. */
      readonly idle: boolean;
      readonly events: readonly EventDraft[];
    };

/** An event for the person who reads `kubectl describe`. */
export interface EventDraft {
  readonly type: 'Normal' | 'Warning';
  readonly reason: 'IPAllocated' | 'AllocationFailed' | 'ClearAssignment' | 'AddressConflict' | 'AddressKept';
  readonly message: string;
}

export interface Facts {
  readonly allocation: Allocation;
  /** Whether an address leads to its Service now. */
  readonly routed: (ip: Ip) => boolean;
  /** Whether a node's dataplane has said that it serves the Service, where it can say so. */
  readonly answered: (service: Service) => boolean;
  /** Whether an address is still routed for this Service alone. */
  readonly lingers: (service: Service) => boolean;
  /** Whether the status may hold addresses of ours that are not to stay there, as far as we know. */
  readonly unconfirmed: (service: Service) => boolean;
  /** ISO 8601, in whole seconds */
  readonly now: string;
}

/**
 * What is to be written next for a Service; undefined: all is as it should be.
 *
 * @param decision undefined: the Service is not ours, or is being deleted
 */
export function due(service: Service, decision: Decision | undefined, facts: Facts): Task | undefined {
  const { request, deleting, type } = service;
  if (decision !== undefined) return forOurs(service, decision, facts);
  if (isOurs(service, facts.allocation)) {
    if (!deleting || !request.finalizer || facts.lingers(service)) return undefined;
    return { kind: 'finalizer', verb: 'remove' };
  }
  // Of another class: never touched. Of another type: it may have been ours.
  return type === 'LoadBalancer' ? undefined : forFormer(service, facts);
}

function forOurs(service: Service, decision: Decision, facts: Facts): Task | undefined {
  const { ips } = decision;
  const { request, ingress } = service;
  if (ips.length > 0 && facts.allocation.finalizer && !request.finalizer) {
    return { kind: 'finalizer', verb: 'add' };
  }
  const { allocated, serving } = conditionsOf(decision, {
    routed: facts.routed,
    answered: facts.answered(service),
  });
  // What another implementation left as Proxy, kube-proxy takes no packet for: the write says VIP.
  const isAsDecided =
    sameIps(ips, ingress) && request.hostnames.length === 0 && service.proxied === undefined;
  const moves = !isAsDecided || facts.unconfirmed(service);
  const changesCondition = !says(service, allocatedType, allocated);
  if (!moves && !changesCondition && says(service, servingType, serving)) return undefined;
  const conditions = [allocated, ...(serving ? [serving] : [])].map((claim) =>
    dated(service, claim, facts.now),
  );
  return {
    kind: 'status',
    ingress: moves ? ips : undefined,
    conditions,
    without:
      serving === undefined && request.conditions.some(({ type }) => type === servingType)
        ? [servingType]
        : [],
    idle: !moves && !changesCondition,
    events: notes(service, decision, moves, changesCondition),
  };
}

/** Events accompany status writes only, so that none is recorded twice. */
function notes(
  service: Service,
  decision: Decision,
  moves: boolean,
  changesCondition: boolean,
): readonly EventDraft[] {
  const { ips, pool, unsatisfied, lost, warnings } = decision;
  const result: EventDraft[] = [];
  if (moves) {
    for (const { why, conflict } of lost) {
      if (conflict) result.push({ type: 'Warning', reason: 'AddressConflict', message: why });
    }
    const cleared = [...service.ingress.filter((ip) => !ips.includes(ip)), ...service.request.hostnames];
    if (cleared.length > 0) {
      const reasons = lost.map(({ why }) => why).join('; ') || 'the Service asks for another';
      result.push({
        type: 'Normal',
        reason: 'ClearAssignment',
        message: `${cleared.join(', ')}: ${reasons}`,
      });
    }
    if (ips.some((ip) => !service.ingress.includes(ip))) {
      result.push({
        type: 'Normal',
        reason: 'IPAllocated',
        message: `${ips.join(', ')} from pool ${pool ?? ''}`,
      });
    }
  }
  if (changesCondition && unsatisfied)
    result.push({ type: 'Warning', reason: 'AllocationFailed', message: unsatisfied.message });
  if (changesCondition && warnings.length > 0) {
    result.push({ type: 'Warning', reason: 'AddressKept', message: warnings.join('; ') });
  }
  return result;
}

function forFormer(service: Service, { allocation, lingers, unconfirmed }: Facts): Task | undefined {
  const { request, ingress } = service;
  const known = request.conditions.some(({ type }) => type === allocatedType);
  // A crash between finalizer and status leaves no other trace. Without a class, no other implementation sets the
  // finalizer. A written address that is not visible may be in a newer status: a write for this version confirms it.
  if (!known && !(request.finalizer && allocation.classless)) {
    return unconfirmed(service) ? leave(service, ingress.length > 0 ? [] : undefined) : undefined;
  }
  if (known && ingress.length > 0) return leave(service, []);
  if (request.finalizer) return lingers(service) ? undefined : { kind: 'finalizer', verb: 'remove' };
  return leave(service, undefined);
}

/** Takes back what we wrote; the conditions last, for they say that it was us. */
function leave({ request, ingress }: Service, now: readonly Ip[] | undefined): Task {
  const message = `${ingress.join(', ')}: the Service is no LoadBalancer any more`;
  return {
    kind: 'status',
    ingress: now,
    conditions: [],
    without: now === undefined ? request.conditions.map(({ type }) => type) : [servingType],
    idle: false,
    events: now === undefined ? [] : [{ type: 'Normal', reason: 'ClearAssignment', message }],
  };
}
