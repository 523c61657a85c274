import type { Ip } from '../model/ip.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Carrier } from './carriers.ts';
import { contentOf, type Group } from './group.ts';
import type { NexthopTable } from './nexthop-table.ts';

/** A set of carriers without the ones that the kernel refuses, or that are to get no traffic. */
export interface UsableSet {
  readonly set: CarrierSet;
  /** In the order of the addresses; empty: none is left, or none is tried yet. */
  readonly carriers: readonly Carrier[];
  /** Equal for the same carriers. */
  readonly content: string;
  /** The groups with EIPs of the set. */
  readonly groups: Set<Group>;
}

/** The state of one set. */
interface Entry extends UsableSet {
  carriers: readonly Carrier[];
  content: string;
  /** EIPs of the set that are routed. */
  eips: number;
  /** The carriers that the table of nexthops knows. */
  named: readonly Carrier[];
}

/** What is usable of each set of carriers that an EIP is routed to. Has a nexthop tried for every carrier. */
export class UsableSets {
  readonly #nexthops: NexthopTable;
  readonly #entries = new Map<CarrierSet, Entry>();

  constructor(nexthops: NexthopTable) {
    this.#nexthops = nexthops;
  }

  get(set: CarrierSet): UsableSet | undefined {
    return this.#entries.get(set);
  }

  /** One more EIP of the set is routed. */
  join(set: CarrierSet): UsableSet {
    let entry = this.#entries.get(set);
    if (entry === undefined) {
      this.#nexthops.name(set.carriers);
      const carriers = this.#nexthops.usable(set.carriers) ?? [];
      const content = contentOf(carriers);
      entry = { set, eips: 0, named: set.carriers, carriers, content, groups: new Set() };
      this.#entries.set(set, entry);
      this.#rename(carriers);
    }
    entry.eips += 1;
    return entry;
  }

  /** One EIP of the set is routed no more, or belongs to another set. */
  leave(set: CarrierSet): void {
    const entry = this.#entries.get(set);
    if (entry === undefined) return;
    entry.eips -= 1;
    if (entry.eips > 0) return;
    this.#entries.delete(set);
    this.#nexthops.unname(entry.named);
  }

  /**
   * The carriers of the set have changed, or those of them that the kernel accepts.
   *
   * @returns undefined when the same carriers are usable as before
   */
  read(set: CarrierSet): UsableSet | undefined {
    const entry = this.#entries.get(set);
    if (entry === undefined) return undefined;
    if (entry.named !== set.carriers) {
      this.#nexthops.name(set.carriers);
      this.#nexthops.unname(entry.named);
      entry.named = set.carriers;
    }
    const carriers = this.#nexthops.usable(set.carriers);
    // The set stays unchanged until the kernel has answered for all new carriers: it must not lead to half of them.
    if (carriers === undefined) return undefined;
    const content = contentOf(carriers);
    entry.carriers = carriers;
    this.#rename(carriers);
    if (content === entry.content) return undefined;
    entry.content = content;
    return entry;
  }

  /** The sets with one of these nodes. */
  *with(ips: ReadonlySet<Ip>): Generator<CarrierSet> {
    for (const [set, { named }] of this.#entries) if (named.some(({ ip }) => ips.has(ip))) yield set;
  }

  #rename(carriers: readonly Carrier[]): void {
    for (const { ip, node } of carriers) this.#nexthops.rename(ip, node);
  }
}
