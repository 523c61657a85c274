import type { Service } from '../model/cluster.ts';
import { type Family, family } from '../model/ip.ts';
import type { ProbedServices } from '../model/probed.ts';
import { sameSet } from '../model/same-items.ts';

/**
 * Whether an EIP of another Service under Local goes to the same nodes as one of this Service, whatever the nodes are: their endpoints
 * are on the same ones, and the probe has seen the same of these. Two that differ may go to the same nodes by chance.
 *
 * @param service under Local; no other one has its EIP
 * @param of the family of both EIPs
 */
export function alikeTo(service: Service, of: Family, probed: ProbedServices): (other: Service) => boolean {
  const waiting = probed.waiting(service.key)[of];
  const leaving = probed.leaving(service.key)[of];
  const former = probed.formerCarriers(service.key)[of];
  return (other) =>
    hasSameEndpoints(service, other) &&
    sameSet(waiting, probed.waiting(other.key)[of]) &&
    sameSet(leaving, probed.leaving(other.key)[of]) &&
    sameSet(former, probed.formerCarriers(other.key)[of]);
}

/** On the same nodes, in the same order, and in the same condition. Their own addresses decide nothing. */
function hasSameEndpoints({ endpoints }: Service, { endpoints: others }: Service): boolean {
  if (endpoints.length !== others.length) return false;
  // By index: a node that goes has hundreds of EIPs compared, in code that V8 has hardly seen.
  for (let i = 0; i < endpoints.length; i += 1) {
    const one = endpoints[i];
    const other = others[i];
    if (one === undefined || other === undefined || one.node !== other.node) return false;
    if (one.ready !== other.ready || one.serving !== other.serving) return false;
    if (family(one.ip) !== family(other.ip)) return false;
  }
  return true;
}
