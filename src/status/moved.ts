import type { Path } from '../desire/path.ts';
import type { Verdict } from '../desire/verdict.ts';
import { clusterOf, type Node } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { Standing } from '../model/probed.ts';

/** Whether the traffic of a node that is to drain has moved to others; the answer of the socket. */
export interface MovedStatus {
  readonly version: 1;
  /**
   * - unknown: this gateway knows no such node
   * - carries: it has no reason to drain yet
   * - moving: the kernel still has it in the groups
   * - moved: no group leads there but those of the kept EIPs
   */
  readonly state: 'unknown' | 'carries' | 'moving' | 'moved';
  /** EIPs that still lead there, since none of their nodes may get new flows. */
  readonly kept: number;
  /** Nodes that get new flows, and whose agents do not tell that they follow the gateways. */
  readonly deaf: readonly string[];
}

export interface MovedInputs {
  readonly nodes: readonly Node[];
  /** By the names of the nodes. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** The standings that the kernel has, as of the last round. */
  readonly applied: ReadonlyMap<Ip, Standing>;
  readonly paths: Iterable<Path>;
}

export function movedStatus(name: string, { nodes, verdicts, applied, paths }: MovedInputs): MovedStatus {
  const none = { version: 1, kept: 0, deaf: [] } as const;
  const node = nodes.find((one) => one.name === name);
  const verdict = verdicts.get(name);
  if (node === undefined || verdict === undefined) return { ...none, state: 'unknown' };
  if (verdict.kind === 'carries') return { ...none, state: 'carries' };
  const isOut = verdict.kind === 'left out' || node.addresses.every((ip) => applied.has(ip));
  if (!isOut) return { ...none, state: 'moving' };
  const own = new Set(node.addresses);
  let kept = 0;
  for (const { carriers } of paths)
    if (carriers.some(({ ip }) => own.has(ip)) && carriers.every(({ ip }) => applied.has(ip))) kept += 1;
  // Nodes of other clusters get none of its flows.
  const deaf = nodes
    .filter(({ name: other }) => clusterOf(other) === clusterOf(name))
    .filter((one) => one.agent === undefined && verdicts.get(one.name)?.kind === 'carries')
    .map((one) => one.name);
  return { version: 1, state: 'moved', kept, deaf };
}
