import { ownPrefix, type Service } from './cluster.ts';
import { type Ip, parseIp } from './ip.ts';

/** Whether a Service has its addresses. */
export const allocatedType = `${ownPrefix}Allocated`;

/** Whether they are routed. */
export const servingType = `${ownPrefix}Serving`;

/** The addresses that our Allocated condition records. They outlive the pool that they came from. */
export interface AllocatedAddresses {
  readonly ips: readonly Ip[];
  readonly pool: string;
  /** The pool takes addresses back that it no longer covers. */
  readonly enforce: boolean;
}

/** The message of the condition: `198.51.100.3, 2001:db8:e::3 from pool public (enforced)`. */
export function allocatedText({ ips, pool, enforce }: AllocatedAddresses): string {
  return `${ips.join(', ')} from pool ${pool}${enforce ? ' (enforced)' : ''}`;
}

const words = /^([0-9a-f.:, ]+) from pool ([a-z0-9.-]+)( \(enforced\))?(?:;|$)/;

/** Parses the message of the Allocated condition. undefined: the Service has no addresses of ours. */
export function allocatedTo({ request: { conditions } }: Service): AllocatedAddresses | undefined {
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
