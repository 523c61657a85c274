import type { Ip } from '../model/ip.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Carrier } from './carriers.ts';
import type { Path } from './path.ts';
import type { PathTable } from './path-table.ts';

/** The former path of an EIP. */
export interface FormerPath {
  readonly carriers: readonly Carrier[];
  readonly services: readonly string[];
}

/** EIPs whose nodes have changed. */
export interface Moved {
  readonly first: readonly Path[];
  /** All of them. */
  readonly count: number;
}

/** Former paths of EIPs, from before some updates of the table, and present ones. */
export class PathHistory {
  readonly #table: PathTable;
  readonly #paths: ReadonlyMap<Ip, FormerPath | undefined> | 'none';
  readonly #carriers: ReadonlyMap<CarrierSet, readonly Carrier[]>;

  /**
   * @param paths of the EIPs that changed individually; undefined: had no path; 'none': no EIP had one
   * @param carriers of the sets that changed under their EIPs
   */
  constructor(
    table: PathTable,
    paths: ReadonlyMap<Ip, FormerPath | undefined> | 'none',
    carriers: ReadonlyMap<CarrierSet, readonly Carrier[]>,
  ) {
    this.#table = table;
    this.#paths = paths;
    this.#carriers = carriers;
  }

  /** undefined: the EIP had no path. */
  before(eip: Ip): FormerPath | undefined {
    if (this.#paths === 'none') return undefined;
    if (this.#paths.has(eip)) return this.#paths.get(eip);
    const path = this.#table.path(eip);
    const set = this.#table.set(eip);
    const carriers = (set && this.#carriers.get(set)) ?? path?.carriers ?? [];
    return path === undefined || carriers.length === 0 ? undefined : { carriers, services: path.services };
  }

  /** undefined: the EIP has no path. */
  now(eip: Ip): Path | undefined {
    const path = this.#table.path(eip);
    return path !== undefined && path.carriers.length > 0 ? path : undefined;
  }

  /**
   * EIPs that had a path and go to other nodes now. Does not iterate over the EIPs of a changed set.
   *
   * @param others EIPs that are left out; called when some EIP has moved
   */
  moved(limit: number, others: () => ReadonlySet<Ip> = nobody): Moved {
    const paths = this.#paths;
    if (paths === 'none' || (paths.size === 0 && this.#carriers.size === 0)) return { first: [], count: 0 };
    const left = others();
    const first: Path[] = [];
    let count = 0;
    const add = (path: Path): void => {
      count += 1;
      if (first.length < limit) first.push(path);
    };
    for (const [eip, before] of paths) {
      if (before === undefined) continue;
      const path = this.now(eip);
      if (path !== undefined && !left.has(eip) && names(before) !== names(path)) add(path);
    }
    if (this.#carriers.size === 0) return { first, count };
    /** EIPs of a set that do not count with it. */
    const apart = new Map<CarrierSet | undefined, number>();
    for (const eip of left.union(paths)) {
      const set = this.#table.set(eip);
      apart.set(set, (apart.get(set) ?? 0) + 1);
    }
    for (const [set, before] of this.#carriers) {
      if (before.length === 0 || set.carriers.length === 0 || names({ carriers: before }) === names(set))
        continue;
      const rest = set.eips.size - (apart.get(set) ?? 0);
      let listed = 0;
      for (const { eip } of set.eips) {
        if (first.length >= limit || listed >= rest) break;
        const path = this.now(eip);
        if (paths.has(eip) || left.has(eip) || path === undefined) continue;
        first.push(path);
        listed += 1;
      }
      count += rest;
    }
    return { first, count };
  }
}

const none: ReadonlySet<Ip> = new Set();

function nobody(): ReadonlySet<Ip> {
  return none;
}

function names({ carriers }: Pick<Path, 'carriers'>): string {
  return carriers.map(({ node }) => node).join(' ');
}
