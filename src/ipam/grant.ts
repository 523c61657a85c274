import type { Pool } from '../model/gateway.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import type { Books } from './books.ts';
import type { Claimant } from './claimant.ts';
import type { Request } from './request.ts';
import type { Lack } from './verdict.ts';

/** What a Service can have now. */
export type Grant =
  | { readonly kind: 'granted'; readonly ips: readonly Ip[] }
  /** It is not to be had; what the Service has, it keeps. */
  | { readonly kind: 'lacking'; readonly lack: Lack };

/**
 * What the books have for a request. Nothing is given yet.
 *
 * @param pools in the order in which they are tried
 * @param avoid addresses that others ask for by name
 */
export function grant(
  claimant: Claimant,
  request: Request,
  pools: readonly Pool[],
  books: Books,
  avoid: (ip: Ip) => boolean,
): Grant {
  if (request.addresses.length > 0) return named(claimant, request, books, avoid);
  const held = books.heldBy(claimant.key);
  const home = held[0] && books.poolOf(held[0]);
  const chosen = request.pool === undefined ? undefined : theOne(request.pool, claimant, pools);
  if (chosen !== undefined && 'reason' in chosen) return lacking(chosen);
  if (held.length > 0 && (chosen === undefined || chosen === home)) {
    return completed(claimant, request, held, home, books, avoid);
  }
  const able = chosen
    ? [chosen]
    : pools.filter((pool) => isAutomatic(pool) && !barredFrom(pool, claimant.service));
  if (able.length === 0) {
    return lacking({
      reason: 'NoPool',
      message: 'no pool gives its addresses to this Service unless it asks',
    });
  }
  return anyOf(claimant, request, able, books, avoid);
}

function isAutomatic(pool: Pool): boolean {
  return termsOf(pool).autoAssign;
}

function theOne(name: string, { service }: Claimant, pools: readonly Pool[]): Pool | Lack {
  const pool = pools.find((each) => each.name === name);
  if (pool === undefined)
    return { reason: 'UnknownPool', message: `asks for pool ${name}, which there is not` };
  const barred = barredFrom(pool, service);
  return barred === undefined ? pool : { reason: 'NotAllowed', message: barred };
}

/** Just the addresses that it names. */
function named(claimant: Claimant, request: Request, books: Books, avoid: (ip: Ip) => boolean): Grant {
  const { addresses, by } = request;
  const held = books.heldBy(claimant.key);
  let home: Pool | undefined;
  for (const ip of addresses) {
    const asks = `asks for ${ip} (${by})`;
    const pool = books.poolOf(ip);
    if (pool === undefined) {
      // What it has had since before the pool was made smaller, it may well name.
      if (held.includes(ip)) continue;
      return lacking({ reason: 'OutsidePools', message: `${asks}, which is in no pool` });
    }
    const barred = barredFrom(pool, claimant.service);
    if (barred !== undefined) return lacking({ reason: 'NotAllowed', message: `${asks}, but ${barred}` });
    if (request.pool !== undefined && request.pool !== pool.name) {
      const message = `${asks}, which is of pool ${pool.name}, and for pool ${request.pool}`;
      return lacking({ reason: 'Contradiction', message });
    }
    if (home !== undefined && home !== pool) {
      const message = `asks for ${addresses.join(' and ')} (${by}), which are of the pools ${home.name} and ${pool.name}`;
      return lacking({ reason: 'TwoPools', message });
    }
    home = pool;
    const unfit = held.includes(ip) ? undefined : books.unfit(ip, pool);
    if (unfit !== undefined) return lacking({ reason: 'AddressUnfit', message: `${asks}, but ${unfit.why}` });
    const taken = books.refusal(ip, claimant);
    if (taken !== undefined) return lacking({ reason: 'AddressInUse', message: `${asks}, but ${taken}` });
  }
  return completed(claimant, request, addresses, home, books, avoid);
}

/** What it has or names, and what is missing of the other family from the same pool; never from another one. */
function completed(
  claimant: Claimant,
  request: Request,
  ips: readonly Ip[],
  home: Pool | undefined,
  books: Books,
  avoid: (ip: Ip) => boolean,
): Grant {
  const result: Ip[] = [];
  let missing: Family | undefined;
  for (const version of request.families) {
    const own = ips.find((ip) => family(ip) === version);
    const ip = own ?? (home && further(version, claimant, home, books, avoid));
    if (ip === undefined) missing ??= version;
    else result.push(ip);
  }
  if (missing === undefined || (request.need === 'most' && result.length > 0)) {
    return { kind: 'granted', ips: result };
  }
  const message = `pool ${home?.name ?? 'of its address'} has no IPv${missing} address for it, and a Service is never split between pools`;
  return lacking({ reason: 'NoFreeAddress', message });
}

function further(
  of: Family,
  claimant: Claimant,
  home: Pool,
  books: Books,
  avoid: (ip: Ip) => boolean,
): Ip | undefined {
  if (barredFrom(home, claimant.service) !== undefined) return undefined;
  const kept = books.heldBy(claimant.key).find((ip) => family(ip) === of && books.poolOf(ip) === home);
  return kept ?? books.free(home, of, claimant, avoid);
}

function anyOf(
  claimant: Claimant,
  request: Request,
  pools: readonly Pool[],
  books: Books,
  avoid: (ip: Ip) => boolean,
): Grant {
  const { families, need } = request;
  const free = (pool: Pool, of: Family): Ip | undefined => books.free(pool, of, claimant, avoid);
  for (const pool of pools) {
    const ips = families.map((of) => free(pool, of)).filter((ip) => ip !== undefined);
    if (ips.length === families.length) return { kind: 'granted', ips };
  }
  if (need === 'most') {
    for (const version of families) {
      for (const pool of pools) {
        const ip = free(pool, version);
        if (ip !== undefined) return { kind: 'granted', ips: [ip] };
      }
    }
  }
  const kinds = families.map((of) => `IPv${of}`).join(need === 'most' ? ' or ' : ' and ');
  const where = pools.map(({ name }) => name).join(', ');
  const message = `no free ${kinds} address in ${pools.length === 1 ? 'pool' : 'the pools'} ${where}`;
  return lacking({ reason: 'NoFreeAddress', message });
}

function lacking(lack: Lack): Grant {
  return { kind: 'lacking', lack };
}

/** Pools in the order in which they are tried for a Service that asks for nothing special. */
export function inOrder(pools: readonly Pool[]): readonly Pool[] {
  const rank = (pool: Pool): number => termsOf(pool).priority ?? Number.POSITIVE_INFINITY;
  const choosy = (pool: Pool): number => {
    const { namespaces, serviceSelector } = termsOf(pool);
    return namespaces.length > 0 || Object.keys(serviceSelector).length > 0 ? 0 : 1;
  };
  // Infinity minus itself is no number.
  const order = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
  return [...pools].sort((a, b) => order(rank(a), rank(b)) || choosy(a) - choosy(b));
}
