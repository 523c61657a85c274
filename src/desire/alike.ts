import type { Endpoint, Service } from '../model/cluster.ts';
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
  const hasSameEndpoints = sameEndpointsAs(service);
  return (other) =>
    hasSameEndpoints(other) &&
    sameSet(waiting, probed.waiting(other.key)[of]) &&
    sameSet(leaving, probed.leaving(other.key)[of]) &&
    sameSet(former, probed.formerCarriers(other.key)[of]);
}

/** On the same nodes, in the same condition, in any order. Their own addresses decide nothing. */
function sameEndpointsAs({ endpoints }: Service): (other: Service) => boolean {
  let known: string | undefined;
  return ({ endpoints: others }) => {
    if (endpoints.length !== others.length) return false;
    if (areSame(endpoints, others)) return true;
    // Each Service has its pods in an order of its own. The order decides nothing, see `carriers`.
    known ??= signatureOf(endpoints);
    return known === signatureOf(others);
  };
}

function areSame(endpoints: readonly Endpoint[], others: readonly Endpoint[]): boolean {
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

/** Equal for endpoints that are the same but for their order and their own addresses. */
function signatureOf(endpoints: readonly Endpoint[]): string {
  const each = endpoints.map(
    ({ node, ready, serving, ip }) => `${node ?? ''} ${ready} ${serving} ${family(ip)}`,
  );
  return each.sort().join('\n');
}
