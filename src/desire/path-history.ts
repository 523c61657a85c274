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
   * @param counts false: leaves the EIP out; called for those that changed individually
   */
  moved(limit: number, counts: (eip: Ip) => boolean = () => true): Moved {
    const paths = this.#paths;
    if (paths === 'none') return { first: [], count: 0 };
    const first: Path[] = [];
    let count = 0;
    const add = (path: Path): void => {
      count += 1;
      if (first.length < limit) first.push(path);
    };
    for (const [eip, before] of paths) {
      if (before === undefined) continue;
      const path = this.now(eip);
      if (path !== undefined && counts(eip) && names(before) !== names(path)) add(path);
    }
    for (const [set, before] of this.#carriers) {
      if (before.length === 0 || set.carriers.length === 0 || names({ carriers: before }) === names(set))
        continue;
      let others = set.eips.size;
      for (const eip of paths.keys()) if (this.#table.set(eip) === set) others -= 1;
      let listed = 0;
      for (const { eip } of set.eips) {
        if (first.length >= limit || listed >= others) break;
        const path = this.now(eip);
        if (paths.has(eip) || path === undefined) continue;
        first.push(path);
        listed += 1;
      }
      count += others;
    }
    return { first, count };
  }
}

function names({ carriers }: Pick<Path, 'carriers'>): string {
  return carriers.map(({ node }) => node).join(' ');
}
