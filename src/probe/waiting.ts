import type { Service } from '../model/cluster.ts';
import { type Family, family } from '../model/ip.ts';
import { nobody } from '../model/probed.ts';

/** Why and for whom a Service may wait. */
export interface Wait {
  /** The Service as it was last read; undefined: it is new. */
  readonly before: Service | undefined;
  readonly after: Service;
  /** Nodes that wait already. */
  readonly waiting: ReadonlySet<string>;
  /** An EIP of the Service has a route. */
  readonly isRouted: boolean;
}

/**
 * The nodes that are to get no traffic of a Service of one family yet: their endpoints are new, and no kube-proxy has
 * said that it has rules for them. The old nodes stay meanwhile. When none of these can serve any more while the EIP
 * has a route, nobody waits: nothing better is known, and a route that goes and comes is worse than one that leads to a
 * node too early.
 */
export function waitingNodes({ before, after, waiting, isRouted }: Wait, of: Family): ReadonlySet<string> {
  if (after.externalTrafficPolicy !== 'Local' || after.healthCheckNodePort === undefined) return nobody;
  const able = ableNodes(after, of);
  const known = before === undefined ? nobody : ableNodes(before, of);
  const fresh = [...able].filter((node) => waiting.has(node) || !known.has(node));
  const isLast = fresh.length === able.size;
  return fresh.length === 0 || (isLast && isRouted) ? nobody : new Set(fresh);
}

/** Nodes with an endpoint that serves, be it one that is shutting down. */
export function ableNodes({ endpoints }: Service, of: Family): ReadonlySet<string> {
  const nodes = new Set<string>();
  for (const { ip, node, ready, serving } of endpoints)
    if (node !== undefined && (ready || serving) && family(ip) === of) nodes.add(node);
  return nodes;
}
