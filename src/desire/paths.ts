import { type Node, type Service, type Snapshot, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { type Candidates, candidates, carriers, shared, type Weighing } from './carriers.ts';
import { type Claims, claimsOf, type Holding } from './claims.ts';
import type { Path } from './path.ts';

export interface Paths {
  readonly paths: readonly Path[];
  /** Held by Services, but leading nowhere: no usable endpoint, or no node of the family. */
  readonly idle: readonly Idle[];
  readonly problems: readonly Problem[];
}

/** An EIP that nobody can serve. */
type Idle = Pick<Path, 'eip' | 'services'>;

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
  const last = memory.get(claims);
  const before = last?.nodes === nodes ? last : undefined;

  const problems: Problem[] = [...claims.problems];
  const answers: Answer[] = [];
  const result: Path[] = [];
  const idle: Idle[] = [];
  for (const holding of claims.holdings) {
    const known = before?.answers[answers.length];
    const answer =
      known !== undefined && before !== undefined && sameHolders(holding, before.services, services)
        ? known
        : find(holding, services, nodes, weighing);
    answers.push(answer);
    if (answer.path === undefined) idle.push(answer.idle);
    else result.push(answer.path);
    if (answer.problem !== undefined) problems.push(answer.problem);
  }
  memory.set(claims, { nodes, services, answers });
  return { paths: result, idle, problems };
}
type Answer =
  | { readonly path: Path; readonly problem: Problem | undefined }
  | { readonly path: undefined; readonly idle: Idle; readonly problem: undefined };

/** The last answers for these claims of this gateway, place by place, and what they were made from. */
interface Memory {
  readonly nodes: Candidates;
  readonly services: readonly Service[];
  readonly answers: readonly Answer[];
}

const memory = new WeakMap<Claims, Memory>();

function sameHolders({ first, others }: Holding, a: readonly Service[], b: readonly Service[]): boolean {
  return a[first] === b[first] && (others === undefined || others.every((place) => a[place] === b[place]));
}

function find(
  { eip, first, others }: Holding,
  services: readonly Service[],
  nodes: Candidates,
  weighing: Weighing,
): Answer {
  const holders = [first, ...(others ?? [])].flatMap((place) => services[place] ?? []).sort(byName);
  const names = holders.map(serviceName);
  // A Service that nobody can serve must not take the EIP away from the one beside it.
  const able = holders
    .map((service) => ({ service, list: carriers(service, nodes, family(eip), weighing) }))
    .filter(({ list }) => list.length > 0);
  const [best] = able;
  if (best === undefined) return { path: undefined, idle: { eip, services: names }, problem: undefined };
  const lists = able.map(({ list }) => list);
  const common = shared(lists, weighing);
  const path: Path = { eip, services: names, carriers: common ?? best.list };
  const lonely = able.map(({ service }) => serviceName(service));
  return { path, problem: common === undefined ? noCommonNode(eip, lonely) : undefined };
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
