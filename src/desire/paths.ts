import { type Service, type Snapshot, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { type Carrier, candidates, carriers, shared } from './carriers.ts';
import type { Path } from './path.ts';
import { poolFinder } from './pools.ts';

export interface Paths {
  readonly paths: readonly Path[];
  /** EIPs that are held by a Service but lead nowhere: no usable endpoint, or no node of the family. */
  readonly idle: readonly Ip[];
  readonly problems: readonly Problem[];
}

/** Which EIP goes to which nodes. */
export function paths(snapshot: Snapshot, gateway: Gateway): Paths {
  const nodes = candidates(snapshot.nodes);
  const weighing = gateway.weighByEndpoints ? 'endpoints' : 'equal';

  const poolOf = poolFinder(gateway);
  const problems: Problem[] = [];
  const holders = new Map<Ip, Service[]>();
  for (const service of snapshot.services) {
    for (const eip of claims(service)) {
      if (poolOf(eip) === undefined) problems.push(outsidePools(eip, service));
      else {
        const others = holders.get(eip);
        if (others) others.push(service);
        else holders.set(eip, [service]);
      }
    }
  }

  // Under Cluster every Service has the same carriers: one list for all keeps ten thousand EIPs cheap.
  const everywhere = new Map<number, readonly Carrier[]>();
  const of = (service: Service, eip: Ip): readonly Carrier[] => {
    const version = family(eip);
    if (service.externalTrafficPolicy === 'Local') return carriers(service, nodes, version, weighing);
    if (!service.endpoints.some((endpoint) => endpoint.ready || endpoint.serving)) return [];
    const known = everywhere.get(version) ?? carriers(service, nodes, version, weighing);
    everywhere.set(version, known);
    return known;
  };

  const result: Path[] = [];
  const idle: Ip[] = [];
  for (const [eip, services] of holders) {
    const [only] = services;
    const several = services.length > 1 ? [...services].sort(byName) : services;
    const names = several.map(serviceName);
    // A Service that nobody can serve must not take the EIP away from the one beside it.
    const lists = several.map((service) => of(service, eip)).filter((list) => list.length > 0);
    const [first] = lists;
    if (first === undefined || only === undefined) {
      idle.push(eip);
      continue;
    }
    const common = lists.length === 1 ? first : shared(lists);
    if (common === undefined) problems.push(noCommonNode(eip, names));
    result.push({ eip, services: names, carriers: common ?? first });
  }
  return { paths: result, idle, problems };
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
