import type { Refusal } from '../cluster/writer.ts';
import type { Problem } from '../model/problem.ts';
import type { Allocator } from './allocator.ts';
import type { Unsatisfied } from './decision.ts';

/** So many Services are named one by one. */
const named = 20;

export interface Troubles {
  readonly writing: readonly WriteTrouble[];
  /** What the API will not have of one Service. */
  readonly refused: ReadonlyMap<string, string>;
  /** Services whose status has another writer, and until when it is left alone, in ms. */
  readonly contested: Iterable<readonly [key: string, until: number]>;
}

/** Of one cluster. */
export interface WriteTrouble {
  /** Its name; undefined: it is the only one */
  readonly cluster: string | undefined;
  /** Why its API takes no writes at all. */
  readonly trouble: Refusal | undefined;
  readonly eventTrouble: Refusal | undefined;
}

export function problemsOf(allocator: Allocator | undefined, troubles: Troubles): readonly Problem[] {
  const problems: Problem[] = [];
  for (const { cluster, trouble, eventTrouble } of troubles.writing) {
    const where = cluster === undefined ? '' : ` in cluster ${cluster}`;
    const api = cluster === undefined ? 'the API' : `the API of cluster ${cluster}`;
    if (trouble !== undefined) {
      problems.push({
        code: 'allocation-refused',
        severity: 'error',
        subject: `allocation of EIPs${where}`,
        message: `${api} takes no writes: ${trouble.message}`,
        advice:
          'Services that wait for an address go on waiting; what is routed stays. It is tried again by itself',
        ...cause(trouble),
      });
    }
    if (eventTrouble !== undefined) {
      problems.push({
        code: 'events-refused',
        severity: 'warn',
        subject: `events${where}`,
        message: `${api} takes no events: ${eventTrouble.message}`,
        advice: 'see the conditions of the Services, and "eiproute pools"',
        ...cause(eventTrouble),
      });
    }
  }
  for (const [key, message] of troubles.refused) {
    problems.push({
      code: 'status-refused',
      severity: 'error',
      subject: `status of Service ${key}`,
      message: `the API rejects what is to be written to Service ${key}: ${message}`,
      advice: 'look for an admission webhook or policy that rejects it',
      service: key,
    });
  }
  for (const [key, until] of troubles.contested) {
    problems.push({
      code: 'status-contested',
      severity: 'error',
      subject: `status of Service ${key}`,
      message: `another program writes the addresses of Service ${key} as well; it is left alone until ${new Date(until).toISOString()}`,
      advice:
        'find the other load balancer (kubectl get service -o yaml --show-managed-fields), and give it or us a loadBalancerClass',
      service: key,
    });
  }
  if (allocator !== undefined) problems.push(...unsatisfiedProblems(allocator));
  return problems;
}

function cause({ answered }: Refusal): Pick<Problem, 'unanswered'> {
  return answered ? {} : { unanswered: true };
}

function unsatisfiedProblems(allocator: Allocator): readonly Problem[] {
  const problems: Problem[] = [];
  for (const key of allocator.unsatisfied) {
    const decision = allocator.decisions.get(key);
    if (decision?.unsatisfied === undefined || decision.unsatisfied.reason === 'NoClusterIP') continue;
    if (problems.length >= named) break;
    const { ips, unsatisfied } = decision;
    const what = ips.length === 0 ? 'waits for an address' : `keeps ${ips.join(', ')}, but not as it asks`;
    problems.push({
      code: ips.length === 0 ? 'service-waits' : 'service-asks-otherwise',
      severity: 'warn',
      subject: `Service ${key}`,
      message: `Service ${key} ${what}: ${unsatisfied.message}`,
      advice: adviceOn(unsatisfied),
      ...(unsatisfied.about && { eip: unsatisfied.about }),
      service: key,
    });
  }
  const more = allocator.unsatisfied.size - named;
  if (problems.length >= named && more > 0) {
    problems.push({
      code: 'services-wait',
      severity: 'warn',
      subject: 'further Services',
      message: `${more} more Services do not have what they ask for`,
      advice: 'see "eiproute pools"',
    });
  }
  return problems;
}

function adviceOn({ reason }: Unsatisfied): string {
  switch (reason) {
    case 'NoFreeAddress':
      return 'enlarge the pool, or delete a Service that holds one of its addresses: the first that waits gets it at once';
    case 'ClusterAwaited':
      return 'check the API of that cluster: the Service is served when it is read. One that is gone for good is taken out of "clusters", and the gateway restarted';
    case 'AddressInUse':
    case 'PortInUse':
      return 'ask for another address or port, or let both Services share it (eiproute.io/sharing-key)';
    case 'OutsidePools':
    case 'NotAllowed':
    case 'AddressUnfit':
      return 'ask for an address of a pool that the Service may use; "eiproute pools" shows them';
    case 'UnknownPool':
    case 'NoPool':
      return '"eiproute pools" shows the pools there are, and who may use them';
    case 'Contradiction':
    case 'InvalidAddress':
    case 'TooManyAddresses':
    case 'SameFamily':
    case 'WrongFamily':
    case 'TwoPools':
    case 'NotDualStack':
      return 'correct what the Service asks for (spec.loadBalancerIP, spec.externalIPs, its annotations)';
    case 'NoClusterIP':
      return 'it is served as soon as Kubernetes has given it a cluster IP';
    case 'NoNode':
      return 'check the endpoints of the Service, and the nodes';
    default:
      return reason satisfies never;
  }
}
