import type { Pool } from '../model/gateway.ts';
import { bits, type Family, family, type Ip, ipNumber, prefixIp, prefixLength } from '../model/ip.ts';
import { termsOf } from '../model/pool.ts';
import { cannotShare } from '../model/sharing.ts';
import { byAge, type Candidate } from './candidate.ts';
import { type Exceptions, PoolRange, type Unfit } from './pool-range.ts';

interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly pool: Pool;
}

/** How many addresses of a pool there are and how many are assigned, by family. */
export interface Use {
  readonly pool: string;
  readonly family: Family;
  /** Number.MAX_SAFE_INTEGER: more than can be counted */
  readonly size: number;
  readonly used: number;
}

/**
 * The precedence of a claim among those of Services that cannot share the address, the strongest first: given by us;
 * shown by its status alone; remembered of a cluster that is awaited; claimed by its spec alone; still shown by its
 * status, until a write clears it. Of equals the older one wins.
 */
export type Strength = 'given' | 'shown' | 'remembered' | 'claimed' | 'cleared';

export interface Claim {
  readonly ip: Ip;
  readonly strength: Strength;
}

interface Entry {
  readonly candidate: Candidate;
  readonly strength: Strength;
}

interface Address {
  /** In their order of precedence. */
  readonly entries: readonly Entry[];
  /** The entries that can share the address with all holders that precede them. */
  readonly holders: readonly Candidate[];
  /** The pool that covers it, if any does. */
  readonly pool: Pool | undefined;
}

const noCandidates: readonly Candidate[] = [];
const nothing: readonly Ip[] = [];
const ranks: Readonly<Record<Strength, number>> = {
  given: 0,
  shown: 1,
  remembered: 2,
  claimed: 3,
  cleared: 4,
};

/**
 * The assignments: the holders of each address, the addresses of each Service, and the free addresses of each pool.
 * Who holds an address follows from the claims on it alone, and never from the order in which they were made.
 */
export class Assignments {
  readonly #ranges = new Map<Pool, Map<Family, PoolRange>>();
  readonly #networks: ReadonlyMap<Family, readonly Range[]>;
  readonly #addresses = new Map<Ip, Address>();
  readonly #claims = new Map<string, readonly Claim[]>();
  /** Addresses with a holder of this sharing key. */
  readonly #shared = new Map<string, Set<Ip>>();
  readonly #used = new Map<PoolRange, number>();

  constructor(pools: readonly Pool[], { reserved, claimed }: Omit<Exceptions, 'buggy'>) {
    const networks = new Map<Family, Range[]>([
      [4, []],
      [6, []],
    ]);
    for (const pool of pools) {
      const ranges = new Map<Family, PoolRange>();
      for (const version of [4, 6] as const) {
        const own = pool.addresses.filter((network) => family(network) === version);
        if (own.length === 0) continue;
        ranges.set(
          version,
          new PoolRange(version, own, { buggy: termsOf(pool).avoidBuggyIps, reserved, claimed }),
        );
        for (const network of own) {
          const first = ipNumber(prefixIp(network));
          const last = first + (1n << BigInt(bits(version) - prefixLength(network))) - 1n;
          networks.get(version)?.push({ first, last, pool });
        }
      }
      this.#ranges.set(pool, ranges);
    }
    for (const list of networks.values()) list.sort((a, b) => (a.first < b.first ? -1 : 1));
    this.#networks = networks;
  }

  poolOf(ip: Ip): Pool | undefined {
    const claimed = this.#addresses.get(ip);
    return claimed === undefined ? this.#covering(ip) : claimed.pool;
  }

  #covering(ip: Ip): Pool | undefined {
    const list = this.#networks.get(family(ip)) ?? [];
    const number = ipNumber(ip);
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { last = 0n } = list[middle] ?? {};
      if (last < number) low = middle + 1;
      else high = middle;
    }
    const found = list[low];
    return found !== undefined && found.first <= number ? found.pool : undefined;
  }

  /** Why an address of a pool can be given to no Service; undefined: it can. */
  unfit(ip: Ip, pool: Pool): Unfit | undefined {
    return this.#range(pool, family(ip))?.unfit(ip);
  }

  holders(ip: Ip): readonly Candidate[] {
    return this.#addresses.get(ip)?.holders ?? noCandidates;
  }

  /** The holders, and the Services that show the address or claim it in vain. */
  claimants(ip: Ip): readonly Candidate[] {
    const { entries = [], holders = noCandidates } = this.#addresses.get(ip) ?? {};
    return entries.length === holders.length ? holders : entries.map(({ candidate }) => candidate);
  }

  isFree(ip: Ip): boolean {
    return !this.#addresses.has(ip);
  }

  /** Whether another Service holds an address. */
  isHeldBeside(ip: Ip, { key }: Candidate): boolean {
    return this.holders(ip).some((holder) => holder.key !== key);
  }

  *entries(): Generator<readonly [ip: Ip, holders: readonly Candidate[]]> {
    for (const [ip, { holders }] of this.#addresses) yield [ip, holders];
  }

  /**
   * Why a Service cannot share an address with its holders, or with Services whose status still shows it; undefined: it
   * can, or is one of the holders.
   */
  refusal(ip: Ip, { key, sharing }: Candidate): string | undefined {
    const { entries = [], holders = noCandidates } = this.#addresses.get(ip) ?? {};
    if (holders.some((holder) => holder.key === key)) return undefined;
    for (const { candidate: other, strength } of entries) {
      if (other.key === key || (strength === 'claimed' && !holders.includes(other))) continue;
      const why = cannotShare(sharing, other.sharing);
      if (why !== undefined) return `${ip} is held by ${other.key}, and ${why}`;
    }
    return undefined;
  }

  /**
   * Replaces what a Service claims.
   *
   * @returns the addresses that others hold or show now
   */
  assign(candidate: Candidate, claims: readonly Claim[]): readonly Ip[] {
    const { key } = candidate;
    const before = this.#claims.get(key);
    if (before === undefined && claims.length === 0) return nothing;
    if (claims.length === 0) this.#claims.delete(key);
    else this.#claims.set(key, claims);
    const changed: Ip[] = [];
    const claimed = new Set(claims.map(({ ip }) => ip));
    for (const { ip } of before ?? []) {
      if (!claimed.has(ip) && this.#put(ip, key, undefined)) changed.push(ip);
    }
    for (const { ip, strength } of claims) {
      if (this.#put(ip, key, { candidate, strength })) changed.push(ip);
    }
    return changed;
  }

  /** @returns the addresses that others hold or show now; {@link isFree} says which of them are free */
  release(key: string): readonly Ip[] {
    const before = this.#claims.get(key);
    if (before === undefined) return nothing;
    this.#claims.delete(key);
    return before.map(({ ip }) => ip).filter((ip) => this.#put(ip, key, undefined));
  }

  /**
   * The lowest free address of a pool.
   *
   * @param avoid addresses that are given only when no other is free
   */
  free(pool: Pool, of: Family, avoid: (ip: Ip) => boolean): Ip | undefined {
    return this.#range(pool, of)?.lowest((ip) => this.#addresses.has(ip), avoid);
  }

  /** The lowest address of a pool that a Service can share with others. */
  toShare(pool: Pool, of: Family, candidate: Candidate): Ip | undefined {
    const { key } = candidate.sharing;
    if (key === undefined) return undefined;
    let best: Ip | undefined;
    for (const ip of this.#shared.get(key) ?? []) {
      if (family(ip) !== of || this.refusal(ip, candidate) !== undefined || this.poolOf(ip) !== pool)
        continue;
      if (this.unfit(ip, pool) !== undefined) continue;
      if (best === undefined || ipNumber(ip) < ipNumber(best)) best = ip;
    }
    return best;
  }

  use(): readonly Use[] {
    return [...this.#ranges].flatMap(([pool, ranges]) =>
      [...ranges].map(([of, range]) => ({
        pool: pool.name,
        family: of,
        size: range.size,
        used: this.#used.get(range) ?? 0,
      })),
    );
  }

  /** @returns whether others hold or show the address now, or share it in another way */
  #put(ip: Ip, key: string, entry: Entry | undefined): boolean {
    const before = this.#addresses.get(ip);
    const others = before?.entries.filter(({ candidate }) => candidate.key !== key) ?? [];
    const entries = entry === undefined ? others : [...others, entry];
    if (entries.length > 1) entries.sort(byPrecedence);
    const holders = holdersAmong(entries);
    if (entries.length === 0) {
      this.#addresses.delete(ip);
      if (before !== undefined) this.#count(ip, before.pool, -1);
      if (before?.pool) this.#range(before.pool, family(ip))?.released(ip);
    } else {
      const pool = before === undefined ? this.#covering(ip) : before.pool;
      this.#addresses.set(ip, { entries, holders, pool });
      if (before === undefined) this.#count(ip, pool, 1);
    }
    const former = before?.holders ?? noCandidates;
    this.#index(ip, former, holders);
    return (
      before?.entries.length !== entries.length ||
      former.length !== holders.length ||
      holders.some((one, i) => one !== former[i] && !isAlike(one, former[i]))
    );
  }

  /** Keeps the index of sharing keys. */
  #index(ip: Ip, before: readonly Candidate[], after: readonly Candidate[]): void {
    for (const { sharing } of before) {
      if (sharing.key === undefined || after.some((one) => one.sharing.key === sharing.key)) continue;
      const ips = this.#shared.get(sharing.key);
      if (ips?.delete(ip) && ips.size === 0) this.#shared.delete(sharing.key);
    }
    for (const { sharing } of after) {
      if (sharing.key === undefined) continue;
      const ips = this.#shared.get(sharing.key);
      if (ips) ips.add(ip);
      else this.#shared.set(sharing.key, new Set([ip]));
    }
  }

  #range(pool: Pool, of: Family): PoolRange | undefined {
    return this.#ranges.get(pool)?.get(of);
  }

  #count(ip: Ip, pool: Pool | undefined, step: 1 | -1): void {
    const range = pool && this.#range(pool, family(ip));
    // An address that no pool covers any more counts for none.
    if (range && this.unfit(ip, pool) === undefined)
      this.#used.set(range, (this.#used.get(range) ?? 0) + step);
  }
}

function byPrecedence(a: Entry, b: Entry): number {
  return ranks[a.strength] - ranks[b.strength] || byAge(a.candidate, b.candidate);
}

/**
 * Those that can share the address with all before them. The holders have one sharing key and one backend, so the first
 * of them stands for all but their ports.
 */
function holdersAmong(entries: readonly Entry[]): readonly Candidate[] {
  const [first, ...others] = entries;
  if (first === undefined) return noCandidates;
  const holders = [first.candidate];
  if (others.length === 0) return holders;
  const { sharing } = first.candidate;
  const ports = new Set(sharing.ports);
  for (const { candidate } of others) {
    const own = candidate.sharing.ports;
    if (cannotShare({ ...candidate.sharing, ports: [] }, sharing) !== undefined) continue;
    if (own.some((port) => ports.has(port))) continue;
    holders.push(candidate);
    for (const port of own) ports.add(port);
  }
  return holders;
}

/** It is the same Service, and others can share with it as before. */
function isAlike(one: Candidate, other: Candidate | undefined): boolean {
  return (
    one.key === other?.key &&
    one.sharing.cluster === other.sharing.cluster &&
    one.sharing.key === other.sharing.key &&
    one.sharing.backend === other.sharing.backend &&
    one.sharing.ports.join() === other.sharing.ports.join()
  );
}
