import type { Pool } from '../model/gateway.ts';
import { bits, type Family, family, type Ip, ipNumber, prefixIp, prefixLength } from '../model/ip.ts';
import { termsOf } from '../model/pool.ts';
import { cannotShare } from '../model/sharing.ts';
import type { Candidate } from './candidate.ts';
import { PoolRange, type Unfit } from './pool-range.ts';

interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly pool: Pool;
}

/** How many addresses of a pool there are and how many are held, by family. */
export interface Use {
  readonly pool: string;
  readonly family: Family;
  /** Number.MAX_SAFE_INTEGER: more than anybody can count */
  readonly size: number;
  readonly used: number;
}

const nobody: readonly Candidate[] = [];
const nothing: readonly Ip[] = [];

/** Who holds which address. Nobody gets one here that another holds, unless both share it. */
export class Assignments {
  readonly #poolRanges = new Map<Pool, Map<Family, PoolRange>>();
  readonly #ranges: ReadonlyMap<Family, readonly Range[]>;
  readonly #holders = new Map<Ip, Candidate[]>();
  readonly #held = new Map<string, readonly Ip[]>();
  /** Held addresses by sharing key. */
  readonly #shared = new Map<string, Set<Ip>>();
  readonly #used = new Map<PoolRange, number>();

  /** @param reserved addresses that belong to somebody, with whom: `node n1` */
  constructor(pools: readonly Pool[], reserved: ReadonlyMap<Ip, string>) {
    const ranges = new Map<Family, Range[]>([
      [4, []],
      [6, []],
    ]);
    for (const pool of pools) {
      const poolRanges = new Map<Family, PoolRange>();
      for (const version of [4, 6] as const) {
        const networks = pool.addresses.filter((network) => family(network) === version);
        if (networks.length === 0) continue;
        poolRanges.set(
          version,
          new PoolRange(version, networks, { buggy: termsOf(pool).avoidBuggyIps, reserved }),
        );
        for (const network of networks) {
          const first = ipNumber(prefixIp(network));
          const last = first + (1n << BigInt(bits(version) - prefixLength(network))) - 1n;
          ranges.get(version)?.push({ first, last, pool });
        }
      }
      this.#poolRanges.set(pool, poolRanges);
    }
    for (const list of ranges.values()) list.sort((a, b) => (a.first < b.first ? -1 : 1));
    this.#ranges = ranges;
  }

  poolOf(ip: Ip): Pool | undefined {
    const list = this.#ranges.get(family(ip)) ?? [];
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

  /** Why an address of a pool can be nobody's. */
  unfit(ip: Ip, pool: Pool): Unfit | undefined {
    return this.#poolRange(pool, family(ip))?.unfit(ip);
  }

  holders(ip: Ip): readonly Candidate[] {
    return this.#holders.get(ip) ?? nobody;
  }

  entries(): IterableIterator<[Ip, readonly Candidate[]]> {
    return this.#holders.entries();
  }

  heldBy(key: string): readonly Ip[] {
    return this.#held.get(key) ?? nothing;
  }

  /** Why somebody cannot have an address beside those who hold it; undefined: it can. */
  refusal(ip: Ip, { key, sharing }: Candidate): string | undefined {
    for (const holder of this.#holders.get(ip) ?? []) {
      if (holder.key === key) continue;
      const why = cannotShare(sharing, holder.sharing);
      if (why !== undefined) return `${ip} is held by ${holder.key}, and ${why}`;
    }
    return undefined;
  }

  /** Gives addresses, and takes those back that it had and that are not among them. */
  hold(candidate: Candidate, ips: readonly Ip[]): void {
    this.release(candidate.key);
    if (ips.length === 0) return;
    this.#held.set(candidate.key, ips);
    for (const ip of ips) {
      const holders = this.#holders.get(ip);
      if (holders !== undefined) {
        holders.push(candidate);
      } else {
        this.#holders.set(ip, [candidate]);
        this.#count(ip, 1);
      }
      const { key } = candidate.sharing;
      if (key === undefined) continue;
      const shared = this.#shared.get(key);
      if (shared) shared.add(ip);
      else this.#shared.set(key, new Set([ip]));
    }
  }

  release(key: string): void {
    const ips = this.#held.get(key);
    if (ips === undefined) return;
    this.#held.delete(key);
    for (const ip of ips) {
      const holders = this.#holders.get(ip) ?? [];
      const sharing = holders.find((holder) => holder.key === key)?.sharing.key;
      const rest = holders.filter((holder) => holder.key !== key);
      if (rest.length > 0) {
        this.#holders.set(ip, rest);
      } else {
        this.#holders.delete(ip);
        this.#count(ip, -1);
        const pool = this.poolOf(ip);
        if (pool) this.#poolRange(pool, family(ip))?.released(ip);
      }
      if (sharing !== undefined && !rest.some((holder) => holder.sharing.key === sharing)) {
        this.#shared.get(sharing)?.delete(ip);
      }
    }
  }

  /**
   * The address that somebody would get from a pool: one that it can share with others, else the lowest free one.
   *
   * @param avoid those that should be left to others as long as there is another
   */
  free(pool: Pool, of: Family, candidate: Candidate, avoid: (ip: Ip) => boolean): Ip | undefined {
    const poolRange = this.#poolRange(pool, of);
    if (poolRange === undefined) return undefined;
    return this.#toShare(pool, of, candidate) ?? poolRange.lowest((ip) => this.#holders.has(ip), avoid);
  }

  use(): readonly Use[] {
    return [...this.#poolRanges].flatMap(([pool, poolRanges]) =>
      [...poolRanges].map(([of, poolRange]) => ({
        pool: pool.name,
        family: of,
        size: poolRange.size,
        used: this.#used.get(poolRange) ?? 0,
      })),
    );
  }

  #toShare(pool: Pool, of: Family, candidate: Candidate): Ip | undefined {
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

  #poolRange(pool: Pool, of: Family): PoolRange | undefined {
    return this.#poolRanges.get(pool)?.get(of);
  }

  #count(ip: Ip, step: 1 | -1): void {
    const pool = this.poolOf(ip);
    const poolRange = pool && this.#poolRange(pool, family(ip));
    // What a pool no longer covers counts for none.
    if (poolRange && this.unfit(ip, pool) === undefined)
      this.#used.set(poolRange, (this.#used.get(poolRange) ?? 0) + step);
  }
}
