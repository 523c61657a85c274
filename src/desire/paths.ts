import { type Node, type Service, type Snapshot, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { type Candidates, candidates, carriers, shared, type Weighing } from './carriers.ts';
import { type Claims, claimsOf } from './claims.ts';
import type { Path } from './path.ts';

export interface Paths {
  readonly paths: readonly Path[];
  /** EIPs that are held by a Service but lead nowhere: no usable endpoint, or no node of the family. */
  readonly idle: readonly Ip[];
  readonly problems: readonly Problem[];
}

/**
 * Which EIP goes to which nodes.
 *
 * A Service that has not changed since the last call, over nodes that have not, gets the very same Path, found
 * by its place in the list: at ten thousand Services, one that changes then costs a hundredth of them all.
 */
export function paths(snapshot: Snapshot, gateway: Gateway): Paths {
  const { services } = snapshot;
  const nodes = candidatesOf(snapshot.nodes);
  const weighing = gateway.weighByEndpoints ? 'endpoints' : 'equal';
  const claims = claimsOf(services, gateway);
  const before = memory.get(claims);
  const fresh = before === undefined || before.nodes !== nodes || before.weighing !== weighing;

  const problems: Problem[] = [...claims.problems];
  const found: (Path | undefined)[] = [];
  const result: Path[] = [];
  const idle: Ip[] = [];
  for (let i = 0; i < claims.holdings.length; i += 1) {
    const holding = claims.holdings[i];
    if (holding === undefined) continue;
    const { eip, first, others } = holding;
    const service = services[first];
    if (service === undefined) continue;
    let path: Path | undefined;
    if (others !== undefined) {
      path = sharedPath(eip, pick(services, [first, ...others]), nodes, weighing, problems);
    } else if (fresh || before.services[first] !== service) {
      path = ownPath(eip, service, nodes, weighing);
    } else {
      path = before.found[i];
    }
    found.push(path);
    if (path === undefined) idle.push(eip);
    else result.push(path);
  }
  memory.set(claims, { nodes, weighing, services, found });
  return { paths: result, idle, problems };
}

/** The last answer for these claims, place by place, and what it was made from. */
interface Memory {
  readonly nodes: Candidates;
  readonly weighing: Weighing;
  readonly services: readonly Service[];
  readonly found: readonly (Path | undefined)[];
}

const memory = new WeakMap<Claims, Memory>();

function ownPath(eip: Ip, service: Service, nodes: Candidates, weighing: Weighing): Path | undefined {
  const list = carriers(service, nodes, family(eip), weighing);
  return list.length === 0 ? undefined : { eip, services: [serviceName(service)], carriers: list };
}

function pick(services: readonly Service[], places: readonly number[]): readonly Service[] {
  return places.map((place) => services[place]).filter((service) => service !== undefined);
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
  // A Service that nobody can serve must not take the EIP away from the one beside it.
  const able = sorted
    .map((service) => ({ service, list: carriers(service, nodes, family(eip), weighing) }))
    .filter(({ list }) => list.length > 0);
  const [first] = able;
  if (first === undefined) return undefined;
  const common =
    able.length === 1
      ? first.list
      : shared(
          able.map(({ list }) => list),
          weighing,
        );
  if (common === undefined)
    problems.push(
      noCommonNode(
        eip,
        able.map(({ service }) => serviceName(service)),
      ),
    );
  return { eip, services: sorted.map(serviceName), carriers: common ?? first.list };
}

const candidateMemory = new WeakMap<readonly Node[], Candidates>();

function candidatesOf(nodes: readonly Node[]): Candidates {
  const known = candidateMemory.get(nodes) ?? candidates(nodes);
  candidateMemory.set(nodes, known);
  return known;
}

function byName(a: Service, b: Service): number {
  return serviceName(a) < serviceName(b) ? -1 : 1;
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
