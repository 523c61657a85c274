import { ownPrefix, type Service } from './cluster.ts';
import { type Ip, parseIp } from './ip.ts';

/** The condition that tells whether a Service has its addresses. */
export const allocatedType = `${ownPrefix}Allocated`;

/** The condition that tells whether they are routed. */
export const servingType = `${ownPrefix}Serving`;

/** What our own condition says that we gave to a Service: all that has to outlive the pool it came from. */
export interface Given {
  readonly ips: readonly Ip[];
  readonly pool: string;
  /** The pool takes back what it no longer covers. */
  readonly enforce: boolean;
}

/** In words: `198.51.100.3, 2001:db8:e::3 from pool public (enforced)`; {@link givenTo} reads them back. */
export function givenText({ ips, pool, enforce }: Given): string {
  return `${ips.join(', ')} from pool ${pool}${enforce ? ' (enforced)' : ''}`;
}

const words = /^([0-9a-f.:, ]+) from pool ([a-z0-9.-]+)( \(enforced\))?(?:;|$)/;

/** undefined: we gave it nothing, or took it back. */
export function givenTo({ asks: { conditions } }: Service): Given | undefined {
  if (conditions.length === 0) return undefined;
  const found = conditions.find(({ type, status }) => type === allocatedType && status === 'True');
  const [, list, pool, enforce] = words.exec(found?.message ?? '') ?? [];
  if (list === undefined || pool === undefined) return undefined;
  try {
    return { ips: list.split(', ').map(parseIp), pool, enforce: enforce !== undefined };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}
