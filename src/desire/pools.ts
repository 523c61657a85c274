import type { Gateway, Pool } from '../model/gateway.ts';
import { type Family, family, type Ip, membership, type Prefix } from '../model/ip.ts';

/** Finds the pool that an address is in. */
export type PoolFinder = (ip: Ip) => Pool | undefined;

export function poolFinder(pools: readonly Pool[]): PoolFinder {
  const networks = pools.flatMap((pool) =>
    pool.addresses.map((prefix) => ({ pool, holds: membership(prefix) })),
  );
  return (ip) => networks.find(({ holds }) => holds(ip))?.pool;
}

/**
 * Finds the pool by settings that may be others later. The finder is made once for each: an event must not pay for it.
 *
 * @param gateway the same object as long as nothing in it changes
 */
export function currentPoolFinder(gateway: () => Gateway): PoolFinder {
  let known: { readonly of: Gateway; readonly find: PoolFinder } | undefined;
  return (ip) => {
    const settings = gateway();
    if (known?.of !== settings) known = { of: settings, find: poolFinder(settings.pools) };
    return known.find(ip);
  };
}

/** All networks of all pools. */
export function poolPrefixes({ pools }: Gateway): readonly Prefix[] {
  return pools.flatMap(({ addresses }) => addresses);
}

export function servesFamily(gateway: Gateway, of: Family): boolean {
  return poolPrefixes(gateway).some((prefix) => family(prefix) === of);
}

/** A pool that layer 2 announces, or nobody, is no business of a routing daemon. */
export function isToldRouters({ announce = 'bgp' }: Pool): boolean {
  return announce === 'bgp';
}
