import type { Gateway, Pool } from '../model/gateway.ts';
import { family, type Ip, ipBytes, type Prefix, prefixIp, prefixLength } from '../model/ip.ts';

/** Finds the pool that an address is in. */
export type PoolFinder = (ip: Ip) => Pool | undefined;

export function poolFinder(pools: readonly Pool[]): PoolFinder {
  const networks = pools.flatMap((pool) =>
    pool.addresses.map((prefix) => ({
      pool,
      network: ipBytes(prefixIp(prefix)),
      length: prefixLength(prefix),
    })),
  );
  return (ip) => {
    const bytes = ipBytes(ip);
    return networks.find(({ network, length }) => startsWith(bytes, network, length))?.pool;
  };
}

/** @param length bits of the network that count */
function startsWith(bytes: Uint8Array, network: Uint8Array, length: number): boolean {
  if (bytes.length !== network.length) return false;
  let rest = length;
  for (let i = 0; rest > 0; i += 1, rest -= 8) {
    const mask = rest >= 8 ? 0xff : (0xff00 >> rest) & 0xff;
    if ((((network[i] ?? 0) ^ (bytes[i] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}

/** All networks of all pools. */
export function poolPrefixes({ pools }: Gateway): readonly Prefix[] {
  return pools.flatMap(({ addresses }) => addresses);
}

export function servesFamily(gateway: Gateway, of: 4 | 6): boolean {
  return poolPrefixes(gateway).some((prefix) => family(prefix) === of);
}
