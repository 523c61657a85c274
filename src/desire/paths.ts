import { type Node, type Service, type Snapshot, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { type Candidates, candidates, carriers, shared } from './carriers.ts';
import type { Path } from './path.ts';
import { poolFinder } from './pools.ts';

export interface Paths {
  readonly paths: readonly Path[];
  /** EIPs that are held by a Service but lead nowhere: no usable endpoint, or no node of the family. */
  readonly idle: readonly Ip[];
  readonly problems: readonly Problem[];
}

/**
 * Which EIP goes to which nodes.
 *
 * A Service that has not changed since the last call, over nodes that have not, gets the very same Path: at ten
 * thousand Services, one that changes then costs a hundredth of them all.
 */
export function paths(snapshot: Snapshot, gateway: Gateway): Paths {
  const nodes = candidatesOf(snapshot.nodes);
  const poolOf = poolFinder(gateway);
  const weighing = gateway.weighByEndpoints ? 'endpoints' : 'equal';
  const problems: Problem[] = [];
  const holders = new Map<Ip, Service>();
  const sharers = new Map<Ip, Service[]>();
  for (const service of snapshot.services) {
    for (const eip of claims(service)) {
      const first = holders.get(eip);
      if (poolOf(eip) === undefined) problems.push(outsidePools(eip, service));
      else if (first === undefined) holders.set(eip, service);
      else {
        const list = sharers.get(eip);
        if (list) list.push(service);
        else sharers.set(eip, [first, service]);
      }
    }
  }

  const result: Path[] = [];
  const idle: Ip[] = [];
  for (const [eip, service] of holders) {
    const several = sharers.get(eip);
    const path = several
      ? sharedPath(eip, several, nodes, weighing, problems)
      : ownPath(eip, service, nodes, weighing);
    if (path === undefined) idle.push(eip);
    else result.push(path);
  }
  return { paths: result, idle, problems };
}

/** The path of an EIP that one Service holds alone. */
function ownPath(eip: Ip, service: Service, nodes: Candidates, weighing: Weighing): Path | undefined {
  const known = memory.get(service);
  if (known?.nodes === nodes && known.weighing === weighing && known.eip === eip) return known.path;
  const list = carriers(service, nodes, family(eip), weighing);
  const path = list.length === 0 ? undefined : { eip, services: [serviceName(service)], carriers: list };
  memory.set(service, { nodes, weighing, eip, path });
  return path;
}

/** The nodes that can serve all of the Services. */
function sharedPath(
  eip: Ip,
  sharers: readonly Service[],
  nodes: Candidates,
  weighing: Weighing,
  problems: Problem[],
): Path | undefined {
  const sorted = [...sharers].sort(byName);
  const services = sorted.map(serviceName);
  // A Service that nobody can serve must not take the EIP away from the one beside it.
  const lists = sorted
    .map((service) => carriers(service, nodes, family(eip), weighing))
    .filter((list) => list.length > 0);
  const [first] = lists;
  if (first === undefined) return undefined;
  const common = lists.length === 1 ? first : shared(lists);
  if (common === undefined) problems.push(noCommonNode(eip, services));
  return { eip, services, carriers: common ?? first };
}

type Weighing = 'equal' | 'endpoints';

/** The last path of each Service, and what it was made from. */
const memory = new WeakMap<
  Service,
  {
    readonly nodes: Candidates;
    readonly weighing: Weighing;
    readonly eip: Ip;
    readonly path: Path | undefined;
  }
>();

const candidateMemory = new WeakMap<readonly Node[], Candidates>();

function candidatesOf(nodes: readonly Node[]): Candidates {
  const known = candidateMemory.get(nodes) ?? candidates(nodes);
  candidateMemory.set(nodes, known);
  return known;
}

/** The addresses that a Service holds, each once. */
function claims(service: Service): readonly Ip[] {
  if (service.deleting || service.type === 'ExternalName') return [];
  const ingress = service.type === 'LoadBalancer' ? service.ingress : [];
  if (service.externalIps.length === 0) return ingress;
  return [...new Set([...ingress, ...service.externalIps])];
}

function byName(a: Service, b: Service): number {
  return serviceName(a) < serviceName(b) ? -1 : 1;
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

function noCommonNode(eip: Ip, names: readonly string[]): Problem {
  return {
    code: 'eip-no-common-node',
    severity: 'error',
    subject: eip,
    message: `no node can serve all of ${names.join(', ')}, which share ${eip}; it goes to the nodes of ${names[0]} alone`,
    advice: 'give the Services externalTrafficPolicy Cluster, or the same backends, or an EIP each',
    eip,
  };
}
