import type { Gateway, Pool } from '../model/gateway.ts';
import { contains, family, type Ip, type Prefix } from '../model/ip.ts';

/** Finds the pool that an address is in. */
export type PoolFinder = (ip: Ip) => Pool | undefined;

/** Answers are kept per gateway: an EIP is asked for again in every round. */
const finders = new WeakMap<Gateway, PoolFinder>();

export function poolFinder(gateway: Gateway): PoolFinder {
  const known = finders.get(gateway);
  if (known) return known;
  const answers = new Map<Ip, Pool | undefined>();
  const finder: PoolFinder = (ip) => {
    if (answers.has(ip)) return answers.get(ip);
    const pool = gateway.pools.find(({ addresses }) => addresses.some((prefix) => contains(prefix, ip)));
    // A cluster that changes its EIPs for years must not grow this for ever.
    if (answers.size >= 200_000) answers.clear();
    answers.set(ip, pool);
    return pool;
  };
  finders.set(gateway, finder);
  return finder;
}

/** All networks of all pools, of the families that occur. */
export function poolPrefixes(gateway: Gateway): readonly Prefix[] {
  return gateway.pools.flatMap((pool) => pool.addresses);
}

export function servesFamily(gateway: Gateway, of: 4 | 6): boolean {
  return poolPrefixes(gateway).some((prefix) => family(prefix) === of);
}
