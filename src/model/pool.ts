import type { Service, Texts } from './cluster.ts';
import type { Pool } from './gateway.ts';

/** Which Services may use the addresses of a pool, and how. */
export interface PoolTerms {
  /** Services without a request for a pool or address may get its addresses. */
  readonly autoAssign: boolean;
  /** Leave out IPv4 addresses that end in .0 or .255: old equipment takes them for network or broadcast addresses. */
  readonly avoidBuggyIps: boolean;
  /** Pools with a smaller number are tried first; undefined: after all that have one. */
  readonly priority: number | undefined;
  /** Namespaces that may use it; empty: all. Sorted. */
  readonly namespaces: readonly string[];
  /** Labels that a Service must have to use it; empty: none. */
  readonly serviceSelector: Texts;
  /** Take assigned addresses back that the pool no longer covers. Otherwise they stay with their Services. */
  readonly enforce: boolean;
  /** The pool has no addresses of its own: Services get those of the nodes that serve them. */
  readonly nodeAddresses: boolean;
}

export const openTerms: PoolTerms = {
  autoAssign: true,
  avoidBuggyIps: false,
  priority: undefined,
  namespaces: [],
  serviceSelector: {},
  enforce: false,
  nodeAddresses: false,
};

export function termsOf({ terms }: Pool): PoolTerms {
  return terms ?? openTerms;
}

/** Why a Service may not have addresses of a pool, as the end of a sentence; undefined: it may. */
export function barredFrom(pool: Pool, service: Service): string | undefined {
  const { namespaces, serviceSelector } = termsOf(pool);
  if (namespaces.length > 0 && !namespaces.includes(service.namespace)) {
    return `pool ${pool.name} is not for namespace ${service.namespace}`;
  }
  for (const [label, value] of Object.entries(serviceSelector)) {
    if (service.request.labels[label] !== value) {
      return `pool ${pool.name} is for Services with label ${label}=${value}`;
    }
  }
  return undefined;
}
