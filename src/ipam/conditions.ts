import { allocatedText, allocatedType, servingType } from '../model/allocated-condition.ts';
import type { Condition, Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { Decision } from './decision.ts';

/** A condition without its transition time. */
export type UndatedCondition = Omit<Condition, 'lastTransitionTime'>;

/** What a Service's conditions should say. */
export interface Conditions {
  readonly allocated: UndatedCondition;
  /** undefined: there is nothing to serve */
  readonly serving: UndatedCondition | undefined;
}

/** How traffic to a Service fares, as far as this gateway knows. */
export interface Traffic {
  /** Whether an address leads to the Service now. */
  readonly routed: (ip: Ip) => boolean;
  /** Some node's dataplane has said that it serves the Service, where it can say so at all. */
  readonly answered: boolean;
}

export function conditionsOf(decision: Decision, { routed, answered }: Traffic): Conditions {
  const { ips, pool, enforce, unsatisfied, warnings } = decision;
  if (ips.length === 0) {
    const { reason, message } = unsatisfied ?? { reason: 'NoFreeAddress', message: '' };
    return { allocated: { type: allocatedType, status: 'False', reason, message }, serving: undefined };
  }
  const words = [
    allocatedText({ ips, pool: pool ?? '', enforce }),
    ...(unsatisfied ? [unsatisfied.message] : []),
    ...warnings,
  ];
  const allocated: UndatedCondition = {
    type: allocatedType,
    status: 'True',
    reason: unsatisfied?.reason ?? (warnings.length > 0 ? 'KeptOutOfBounds' : 'Allocated'),
    message: words.join('; '),
  };
  const idle = decision.ofNodes ? [] : ips.filter((ip) => !routed(ip));
  return { allocated, serving: { type: servingType, ...servingOf(decision, idle, answered) } };
}

function servingOf(
  { ofNodes }: Decision,
  idle: readonly Ip[],
  answered: boolean,
): Omit<UndatedCondition, 'type'> {
  if (idle.length > 0)
    return { status: 'False', reason: 'NotRouted', message: `no route for ${idle.join(', ')}` };
  if (ofNodes) return { status: 'True', reason: 'OnNodes', message: '' };
  if (answered) return { status: 'True', reason: 'Routed', message: '' };
  const message = 'routed, but nodes that the route leads to do not answer for the Service yet';
  return { status: 'False', reason: 'NoAnswer', message };
}

/** Whether a Service's condition of this type says the same already. */
export function says({ request }: Service, type: string, claim: UndatedCondition | undefined): boolean {
  const said = request.conditions.find((condition) => condition.type === type);
  if (said === undefined || claim === undefined) return said === claim;
  return said.status === claim.status && said.reason === claim.reason && said.message === claim.message;
}

/** With the time of its last change of status. @param now ISO 8601, in whole seconds as Kubernetes keeps it */
export function dated({ request }: Service, claim: UndatedCondition, now: string): Condition {
  const said = request.conditions.find(({ type }) => type === claim.type);
  const same = said?.status === claim.status && said.lastTransitionTime !== '';
  return { ...claim, lastTransitionTime: same ? said.lastTransitionTime : now };
}
