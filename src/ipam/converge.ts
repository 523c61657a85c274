import type { Pool } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import type { Assignments } from './assignments.ts';
import type { Book } from './book.ts';
import { type Candidate, statusOf } from './candidate.ts';
import type { Decision } from './decision.ts';
import { type Grant, type GrantInputs, grantAny, grantNamed } from './grant.ts';
import { type Kept, kept } from './keep.ts';
import type { NodePorts } from './nodes.ts';
import { poolTopic, type Topic } from './waiters.ts';

/** What decides beside the Service itself and the assignments. */
export interface Rules {
  /** In the order in which they are tried. */
  readonly pools: readonly Pool[];
  /** The pool that hands out addresses of the nodes, if there is one. */
  readonly nodes: NodePorts | undefined;
  /** Addresses that another Service asks for by name: left to it as long as there is another. */
  readonly avoid: (ip: Ip) => boolean;
  /** Clusters that may have any address that looks free; see `Book`. */
  readonly awaited: Book['awaited'];
}

/**
 * Decides which addresses a Service of ours has. Pure: the assignments are read, not changed.
 *
 * @param decided the last decision about it, which may be on its way to its status
 */
export function converge(
  candidate: Candidate,
  decided: Decision | undefined,
  assignments: Assignments,
  rules: Rules,
): Decision {
  const { key, request } = candidate;
  if (request === undefined) throw new Error(`${key} is not ours to serve`);
  const onNodes = rules.nodes?.holds(candidate) === true;

  // 1. The addresses that it may keep: of the last decision, else of its status.
  const status = onNodes ? nothing : kept(candidate, statusOf(candidate), assignments);
  const sent = onNodes ? undefined : keptOfDecided(candidate, decided, assignments);
  const { ips: own, warnings } = sent ?? status;
  const assigned = onNodes ? (decided?.ips ?? statusOf(candidate)) : own;

  // 2. What it asks for: it contradicts itself, it names addresses, or it takes any of a pool.
  const found: OfNodes =
    request.kind === 'invalid'
      ? { kind: 'refused', unsatisfied: request.unsatisfied, waitsFor: [] }
      : findFor({ candidate, request: request.request, assigned }, onNodes, assignments, rules);

  // 3. It has that, else it keeps what it has, or waits.
  const ofNodes = found.kind === 'granted' ? found.ofNodes === true : onNodes;
  const ips = found.kind === 'granted' ? found.ips : assigned;
  const pool = ofNodes ? rules.nodes?.pool : ips[0] && assignments.poolOf(ips[0]);
  const lost = status.lost.length === 0 ? status.lost : status.lost.filter(({ ip }) => !ips.includes(ip));
  return {
    ips,
    pool: ips.length === 0 ? undefined : (pool?.name ?? candidate.allocated?.pool),
    enforce: pool === undefined ? candidate.allocated?.enforce === true : termsOf(pool).enforce,
    ofNodes,
    unsatisfied: found.kind === 'refused' ? found.unsatisfied : undefined,
    waitsFor: found.kind === 'refused' ? found.waitsFor : furtherFamily(candidate, ips, ofNodes, pool),
    warnings,
    lost,
  };
}

const nothing: Kept = { ips: [], warnings: [], lost: [] };

/** undefined: nothing was decided for it that it may keep */
function keptOfDecided(
  candidate: Candidate,
  decided: Decision | undefined,
  assignments: Assignments,
): Kept | undefined {
  if (decided === undefined || decided.ofNodes || decided.ips.length === 0) return undefined;
  const result = kept(candidate, decided.ips, assignments);
  return result.ips.length === 0 ? undefined : result;
}

function findFor(inputs: GrantInputs, onNodes: boolean, assignments: Assignments, rules: Rules): OfNodes {
  const { candidate, request, assigned } = inputs;
  const { pools, nodes, avoid, awaited } = rules;
  const supply = { assignments, avoid, awaited };
  if (request.addresses.length > 0)
    return grantNamed({ ...inputs, assigned: onNodes ? [] : assigned }, supply);
  if (nodes === undefined || barredFrom(nodes.pool, candidate.service) !== undefined) {
    return grantAny(inputs, pools, supply);
  }
  const given = (): OfNodes => ({ ...nodes.grant(candidate, onNodes ? assigned : []), ofNodes: true });
  if (request.pool === nodes.pool.name || (onNodes && request.pool === undefined)) return given();
  const elsewhere = { ...inputs, assigned: onNodes ? [] : assigned };
  if (request.pool !== undefined || assigned.length > 0 || !termsOf(nodes.pool).autoAssign) {
    return grantAny(elsewhere, pools, supply);
  }
  // The nodes are tried in their place among the pools.
  const place = pools.indexOf(nodes.pool);
  const before = grantAny(inputs, pools.slice(0, place), supply);
  // What one of these has for it will be known.
  if (before.kind === 'granted' || before.unsatisfied.reason === 'ClusterAwaited') return before;
  const there = given();
  if (there.kind === 'granted') return there;
  const after = grantAny(inputs, pools.slice(place + 1), supply);
  if (after.kind === 'granted') return after;
  return { ...there, waitsFor: [...before.waitsFor, ...there.waitsFor, ...after.waitsFor] };
}

type OfNodes = Grant & { readonly ofNodes?: boolean };

/** What it waits for that has one address and would like one of each family: its pool has the other one. */
function furtherFamily(
  { request }: Candidate,
  ips: readonly Ip[],
  ofNodes: boolean,
  home: Pool | undefined,
): readonly Topic[] {
  if (ips.length === 0 || ofNodes || home === undefined || request?.kind !== 'request') return [];
  const missing = request.request.families.filter((of) => !ips.some((ip) => family(ip) === of));
  const has = home.addresses.some((prefix) => missing.includes(family(prefix)));
  return has ? [poolTopic(home.name)] : [];
}
