import type { Pool } from '../model/gateway.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import type { Assignments } from './assignments.ts';
import type { Book } from './book.ts';
import type { Candidate } from './candidate.ts';
import type { Unsatisfied } from './decision.ts';
import type { Request } from './request.ts';
import { poolTopic, type Topic } from './waiters.ts';

/** What a Service can have now. */
export type Grant =
  | { readonly kind: 'granted'; readonly ips: readonly Ip[] }
  /** It is not to be had; what the Service has, it keeps. */
  | {
      readonly kind: 'refused';
      readonly unsatisfied: Unsatisfied;
      /** What would have to come free. */
      readonly waitsFor: readonly Topic[];
    };

/** What there is to give from. */
export interface Supply {
  readonly assignments: Assignments;
  /** Addresses that other Services ask for by name: left to them as long as there is another. */
  readonly avoid: (ip: Ip) => boolean;
  /** Clusters that may have any address that looks free; see `Book`. */
  readonly awaited: Book['awaited'];
}

/** A Service, what it asks for, and what it has and may keep. */
export interface GrantInputs {
  readonly candidate: Candidate;
  readonly request: Request;
  readonly assigned: readonly Ip[];
}

/** The addresses that a Service names. */
export function grantNamed(inputs: GrantInputs, supply: Supply): Grant {
  const { candidate, request, assigned } = inputs;
  const { assignments, awaited } = supply;
  const { addresses, by } = request;
  let home: Pool | undefined;
  for (const ip of addresses) {
    const words = `asks for ${ip} (${by})`;
    const pool = assignments.poolOf(ip);
    if (pool === undefined) {
      // What it has had since before the pool was made smaller, it may well name.
      if (assigned.includes(ip)) continue;
      return refused({ reason: 'OutsidePools', message: `${words}, which is in no pool`, about: ip });
    }
    const barred = barredFrom(pool, candidate.service);
    if (barred !== undefined)
      return refused({ reason: 'NotAllowed', message: `${words}, but ${barred}`, about: ip });
    if (request.pool !== undefined && request.pool !== pool.name) {
      const message = `${words}, which is of pool ${pool.name}, and for pool ${request.pool}`;
      return refused({ reason: 'Contradiction', message });
    }
    if (home !== undefined && home !== pool) {
      const message = `asks for ${addresses.join(' and ')} (${by}), which are of the pools ${home.name} and ${pool.name}`;
      return refused({ reason: 'TwoPools', message });
    }
    home = pool;
    const unfit = assigned.includes(ip) ? undefined : assignments.unfit(ip, pool);
    if (unfit !== undefined)
      return refused({ reason: 'AddressUnfit', message: `${words}, but ${unfit.why}` });
    const taken = assignments.refusal(ip, candidate);
    if (taken !== undefined)
      return refused({ reason: 'AddressInUse', message: `${words}, but ${taken}`, about: ip }, [ip]);
    const isCertain = assigned.includes(ip) || assignments.isHeldBeside(ip, candidate);
    if (!isCertain && awaited.length > 0)
      return refused({ ...waits(awaited), message: `${words}; ${waits(awaited).message}`, about: ip });
  }
  return completed(inputs, addresses, home, supply);
}

/**
 * Addresses for a Service that names none: those that it has, else of the first pool that has enough.
 *
 * @param pools in the order in which they are tried
 */
export function grantAny(inputs: GrantInputs, pools: readonly Pool[], supply: Supply): Grant {
  const { candidate, request, assigned } = inputs;
  const { assignments } = supply;
  const home = assigned[0] && assignments.poolOf(assigned[0]);
  const chosen = request.pool === undefined ? undefined : theOne(request.pool, candidate, pools);
  if (chosen !== undefined && 'reason' in chosen) return refused(chosen);
  // What the pool that gave it no longer covers is of that pool all the same.
  const homeName = home?.name ?? candidate.allocated?.pool;
  if (assigned.length > 0 && (chosen === undefined || chosen.name === homeName)) {
    return completed(inputs, assigned, home, supply);
  }
  const able = chosen
    ? [chosen]
    : pools.filter((pool) => isAutomatic(pool) && !barredFrom(pool, candidate.service));
  if (able.length === 0) {
    return refused({
      reason: 'NoPool',
      message: 'no pool gives its addresses to this Service unless it asks',
    });
  }
  return anyOf(inputs, able, supply);
}

function isAutomatic(pool: Pool): boolean {
  return termsOf(pool).autoAssign;
}

function theOne(name: string, { service }: Candidate, pools: readonly Pool[]): Pool | Unsatisfied {
  const pool = pools.find((each) => each.name === name);
  if (pool === undefined)
    return { reason: 'UnknownPool', message: `asks for pool ${name}, which does not exist` };
  const barred = barredFrom(pool, service);
  return barred === undefined ? pool : { reason: 'NotAllowed', message: barred };
}

/** Adds the address of a missing family from the same pool; never from another one. */
function completed(inputs: GrantInputs, ips: readonly Ip[], home: Pool | undefined, supply: Supply): Grant {
  const { families, need } = inputs.request;
  const result: Ip[] = [];
  let missing: Family | undefined;
  for (const version of families) {
    const own = ips.find((ip) => family(ip) === version);
    const ip = own ?? (home && further(version, inputs, home, supply));
    if (ip === undefined) missing ??= version;
    else result.push(ip);
  }
  if (missing === undefined || (need === 'most' && result.length > 0))
    return { kind: 'granted', ips: result };
  if (supply.awaited.length > 0) return refused(waits(supply.awaited));
  const message = `pool ${home?.name ?? 'of its address'} has no IPv${missing} address for it, and a Service is never split between pools`;
  return refused({ reason: 'NoFreeAddress', message }, home && [poolTopic(home.name)]);
}

function further(
  of: Family,
  { candidate, assigned }: GrantInputs,
  home: Pool,
  supply: Supply,
): Ip | undefined {
  const { assignments } = supply;
  if (barredFrom(home, candidate.service) !== undefined) return undefined;
  const own = assigned.find((ip) => family(ip) === of && assignments.poolOf(ip) === home);
  return own ?? available(home, of, candidate, supply);
}

/** One that it can share, else a free one: as long as clusters are awaited, none is known to be free. */
function available(
  pool: Pool,
  of: Family,
  candidate: Candidate,
  { assignments, avoid, awaited }: Supply,
): Ip | undefined {
  const shared = assignments.toShare(pool, of, candidate);
  return shared ?? (awaited.length > 0 ? undefined : assignments.free(pool, of, avoid));
}

function waits(awaited: Supply['awaited']): Unsatisfied {
  const names = awaited.map((name) => `cluster ${name}`).join(' and ');
  const have = awaited.length === 1 ? 'has' : 'have';
  return {
    reason: 'ClusterAwaited',
    message: `an address that looks free may be in use in ${names}, which ${have} not been read since this gateway began to give addresses`,
  };
}

function anyOf({ candidate, request }: GrantInputs, pools: readonly Pool[], supply: Supply): Grant {
  const { families, need } = request;
  const free = (pool: Pool, of: Family): Ip | undefined => available(pool, of, candidate, supply);
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
  if (supply.awaited.length > 0) return refused(waits(supply.awaited));
  const kinds = families.map((of) => `IPv${of}`).join(need === 'most' ? ' or ' : ' and ');
  const names = pools.map(({ name }) => name);
  const message = `no free ${kinds} address in ${pools.length === 1 ? 'pool' : 'the pools'} ${names.join(', ')}`;
  return refused({ reason: 'NoFreeAddress', message }, names.map(poolTopic));
}

function refused(unsatisfied: Unsatisfied, waitsFor: readonly Topic[] = []): Grant {
  return { kind: 'refused', unsatisfied, waitsFor };
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
