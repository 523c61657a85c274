import {
  bits,
  type Family,
  type Ip,
  ipBytes,
  ipFromNumber,
  ipNumber,
  type Prefix,
  prefixIp,
  prefixLength,
} from '../model/ip.ts';
import { Heap } from './heap.ts';

/** A network as a range of places; the networks of a pool follow one another. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
  /** The place of `first`. */
  readonly start: number;
  readonly size: number;
}

/** What may not be given although it is in the networks. */
export interface Exceptions {
  /** .0 and .255 of IPv4 */
  readonly buggy: boolean;
  /** Addresses in other use, and by what: `node n1` */
  readonly reserved: ReadonlyMap<Ip, string>;
  /** Those of them that an object of the cluster claims. */
  readonly claimed?: ReadonlySet<Ip> | undefined;
}

export interface Unfit {
  readonly kind: 'reserved' | 'claimed' | 'buggy';
  /** As the end of a sentence. */
  readonly why: string;
}

/**
 * The addresses of one family of a pool, numbered. Finds the lowest free one without a search: addresses from the
 * frontier on were never assigned, and released ones below it are in a heap.
 */
export class PoolRange {
  /** How many can be assigned; Number.MAX_SAFE_INTEGER: at least as many. */
  readonly size: number;
  readonly #family: Family;
  readonly #ranges: readonly Range[];
  readonly #total: number;
  readonly #exceptions: Exceptions;
  /** Released numbers below the frontier, the lowest first; each once. */
  readonly #returned = new Heap<number>((a, b) => a < b);
  readonly #known = new Set<number>();
  #frontier = 0;

  /** @param networks sorted, disjoint, all of this family */
  constructor(family: Family, networks: readonly Prefix[], exceptions: Exceptions) {
    this.#family = family;
    this.#exceptions = exceptions;
    const ranges: Range[] = [];
    let total = 0;
    let unfit = 0;
    for (const network of networks) {
      const free = bits(family) - prefixLength(network);
      const count = 1n << BigInt(free);
      const size = Math.min(Number(count), Number.MAX_SAFE_INTEGER - total);
      const first = ipNumber(prefixIp(network));
      ranges.push({ first, last: first + count - 1n, start: total, size });
      total += size;
      if (exceptions.buggy && family === 4) unfit += buggyIn(first, first + count - 1n);
    }
    this.#ranges = ranges;
    this.#total = total;
    for (const ip of exceptions.reserved.keys()) {
      if (this.#place(ip) !== undefined && !this.#isBuggy(ip)) unfit += 1;
    }
    this.size = total === Number.MAX_SAFE_INTEGER ? total : total - unfit;
  }

  /** Why an address of the range cannot be given; undefined: it can be. */
  unfit(ip: Ip): Unfit | undefined {
    const holder = this.#exceptions.reserved.get(ip);
    if (holder !== undefined) {
      const kind = this.#exceptions.claimed?.has(ip) ? 'claimed' : 'reserved';
      return { kind, why: `${ip} belongs to ${holder}` };
    }
    if (!this.#isBuggy(ip)) return undefined;
    return { kind: 'buggy', why: `${ip} ends in .0 or .255, which the pool avoids (avoidBuggyIPs)` };
  }

  /**
   * The lowest address that is fit and not assigned. The first one of an IPv6 /64 is the subnet-router anycast address
   * (RFC 4291, 2.6.1): every router of that network would answer for it, so it is given when there is no other.
   *
   * @param avoid those that should be left to others as long as there is another
   */
  lowest(isAssigned: (ip: Ip) => boolean, avoid: (ip: Ip) => boolean): Ip | undefined {
    const aside: number[] = [];
    const isSecond = (ip: Ip): boolean => avoid(ip) || this.#isAnycast(ip);
    let second: Ip | undefined;
    let found: Ip | undefined;
    for (let place = this.#returned.first; place !== undefined; place = this.#returned.first) {
      const ip = this.#at(place);
      if (!isAssigned(ip) && !isSecond(ip)) {
        found = ip;
        break;
      }
      this.#returned.drop();
      this.#known.delete(place);
      if (isAssigned(ip)) continue;
      second ??= ip;
      aside.push(place);
    }
    while (found === undefined && this.#frontier < this.#total) {
      const ip = this.#at(this.#frontier);
      if (this.unfit(ip) === undefined && !isAssigned(ip)) {
        if (!isSecond(ip)) {
          found = ip;
          break;
        }
        second ??= ip;
        aside.push(this.#frontier);
      }
      this.#frontier += 1;
    }
    for (const place of aside) this.#return(place);
    return found ?? second;
  }

  /** The address is free again. */
  released(ip: Ip): void {
    const place = this.#place(ip);
    if (place !== undefined && place < this.#frontier && this.unfit(ip) === undefined) this.#return(place);
  }

  #return(place: number): void {
    if (this.#known.has(place)) return;
    this.#known.add(place);
    this.#returned.add(place);
  }

  #at(place: number): Ip {
    const range = this.#ranges.find(({ start, size }) => place < start + size);
    if (range === undefined) throw new Error(`no place ${place} in a pool range of ${this.#total}`);
    return ipFromNumber(range.first + BigInt(place - range.start), this.#family);
  }

  #place(ip: Ip): number | undefined {
    const number = ipNumber(ip);
    const range = this.#ranges.find(({ first, last }) => number >= first && number <= last);
    return range && range.start + Number(number - range.first);
  }

  #isAnycast(ip: Ip): boolean {
    return this.#family === 6 && (ipNumber(ip) & 0xffff_ffff_ffff_ffffn) === 0n;
  }

  #isBuggy(ip: Ip): boolean {
    if (!this.#exceptions.buggy || this.#family !== 4) return false;
    const last = ipBytes(ip)[3];
    return last === 0 || last === 255;
  }
}

/** How many addresses from `first` to `last` end in .0 or .255. */
function buggyIn(first: bigint, last: bigint): number {
  const upTo = (end: bigint): bigint => (end < 0n ? 0n : end / 256n + 1n + (end + 1n) / 256n);
  return Number(upTo(last) - upTo(first - 1n));
}
