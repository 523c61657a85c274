import type { Path } from '../desire/path.ts';
import { type PoolFinder, poolFinder } from '../desire/pools.ts';
import { type Allocator, allocate, type Terms } from '../ipam/allocator.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Service } from '../model/cluster.ts';
import { compareIp, type Family, type Ip } from '../model/ip.ts';
import { type PoolTerms, termsOf } from '../model/pool.ts';
import type { PoolUse } from '../status/status.ts';
import { type AllocationInputs, CurrentTerms } from './allocation.ts';

/** What `eiproute pools --json` prints. The version is raised when a field changes its meaning or is removed. */
export interface PoolsStatus {
  readonly version: 1;
  /** eiproute assigns the addresses; false: it only shows them. */
  readonly allocates: boolean;
  /** undefined: there is no Lease */
  readonly lease: { readonly leads: boolean; readonly holder: string | undefined } | undefined;
  readonly pools: readonly PoolStatus[];
  /** Services without an address, the longest-waiting first. */
  readonly waiting: readonly WaitingStatus[];
  /** Services that have an address, but not as they request. */
  readonly otherwise: readonly WaitingStatus[];
}

export interface PoolStatus {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly terms: PoolTerms;
  readonly use: readonly UseStatus[];
  readonly held: readonly AssignedStatus[];
}

export interface UseStatus {
  readonly family: Family;
  /** null: 2^53 or more */
  readonly size: number | null;
  readonly used: number;
}

export interface AssignedStatus {
  readonly eip: string;
  /** More than one: they share it. */
  readonly services: readonly string[];
}

export interface WaitingStatus {
  readonly service: string;
  readonly eips: readonly string[];
  /** ISO 8601; undefined: not in the Service's condition yet */
  readonly since: string | undefined;
  readonly reason: string;
  readonly message: string;
}

/** No allocation: the addresses in the statuses come from another program. */
const noAllocation: Allocation = { class: '', classless: false, finalizer: false, lease: undefined };

export interface PoolsInputs extends AllocationInputs {
  services(): readonly Service[];
  /** Who holds which EIP by the routes. Where eiproute does not allocate, several Services may hold one alike. */
  paths(): Iterable<Pick<Path, 'eip' | 'services'>>;
}

/** @param allocator holds the assignments; undefined: they are computed from the statuses */
export function poolsStatus(
  inputs: PoolsInputs,
  lease: PoolsStatus['lease'],
  allocator: Allocator | undefined,
): PoolsStatus {
  const { gateway } = inputs;
  const terms = new CurrentTerms().of(inputs, gateway.allocation ?? noAllocation);
  const assignments = allocator ?? allocate(terms, inputs.services());
  const assigned = heldByPool(assignments, inputs.paths(), poolFinder(gateway.pools));
  const use = assignments.assignments.use();
  const unsatisfied = [...assignments.unsatisfied].map((key) => wait(key, assignments)).sort(bySince);
  return {
    version: 1,
    allocates: gateway.allocation !== undefined,
    lease,
    pools: gateway.pools.map((pool) => ({
      name: pool.name,
      addresses: pool.addresses,
      terms: termsOf(pool),
      use: use
        .filter((one) => one.pool === pool.name)
        .map(({ family, size, used }) => ({
          family,
          size: size === Number.MAX_SAFE_INTEGER ? null : size,
          used,
        })),
      held: assigned.get(pool.name) ?? [],
    })),
    waiting: unsatisfied.filter(({ eips }) => eips.length === 0),
    otherwise: unsatisfied.filter(({ eips }) => eips.length > 0),
  };
}

function heldByPool(
  allocator: Allocator,
  paths: Iterable<Pick<Path, 'eip' | 'services'>>,
  poolOf: PoolFinder,
): ReadonlyMap<string, readonly AssignedStatus[]> {
  const byPool = new Map<string, Map<Ip, Set<string>>>();
  const hold = (pool: string, ip: Ip, services: Iterable<string>): void => {
    const ips = byPool.get(pool) ?? new Map<Ip, Set<string>>();
    ips.set(ip, new Set([...(ips.get(ip) ?? []), ...services]));
    byPool.set(pool, ips);
  };
  for (const [ip, services, pool] of allocator.assigned()) hold(pool, ip, services);
  for (const { eip, services } of paths) {
    const pool = poolOf(eip);
    if (pool !== undefined) hold(pool.name, eip, services);
  }
  return new Map(
    [...byPool].map(([pool, ips]) => [
      pool,
      [...ips]
        .sort(([a], [b]) => compareIp(a, b))
        .map(([eip, services]) => ({ eip, services: [...services].sort() })),
    ]),
  );
}

function wait(key: string, allocator: Allocator): WaitingStatus {
  const decision = allocator.decisions.get(key);
  const since = allocator.candidate(key)?.since ?? Number.POSITIVE_INFINITY;
  return {
    service: key,
    eips: decision?.ips ?? [],
    since: Number.isFinite(since) ? new Date(since).toISOString() : undefined,
    reason: decision?.unsatisfied?.reason ?? '',
    message: decision?.unsatisfied?.message ?? '',
  };
}

function bySince(a: WaitingStatus, b: WaitingStatus): number {
  const one = a.since ?? '~';
  const two = b.since ?? '~';
  return one < two ? -1 : one > two ? 1 : a.service < b.service ? -1 : 1;
}

/** How many addresses there are to give, by pool and family; counted when the terms of the allocation change. */
export class PoolSizes {
  readonly #terms = new CurrentTerms();
  #of: Terms | undefined;
  #sizes: readonly Omit<PoolUse, 'used'>[] = [];

  of(inputs: AllocationInputs): readonly Omit<PoolUse, 'used'>[] {
    const terms = this.#terms.of(inputs, inputs.gateway.allocation ?? noAllocation);
    if (terms !== this.#of) {
      this.#of = terms;
      this.#sizes = allocate(terms, [])
        .assignments.use()
        .map(({ pool: name, family, size }) => ({
          name,
          family,
          size: size === Number.MAX_SAFE_INTEGER ? null : size,
        }));
    }
    return this.#sizes;
  }
}
