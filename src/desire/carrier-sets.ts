import { clusterOf } from '../model/cluster.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import type { Carrier } from './carriers.ts';
import { LinkedList } from './linked-list.ts';
import type { NamedEip } from './named-eip.ts';

/**
 * EIPs with the same carriers. The one of all Services under Cluster is the same set whatever its nodes are, so that
 * a node that comes or goes changes one set and no EIP. Another set stays the same one as long as its EIPs change alike.
 */
export interface CarrierSet {
  readonly eips: LinkedList<NamedEip>;
  /** Sorted by node name. */
  carriers: readonly Carrier[];
}

/** EIPs that go somewhere, EIPs that no node can serve, and nodes that take traffic. */
export interface PathCounts {
  readonly routed: number;
  readonly idle: number;
  readonly nodes: number;
}

/** The sets that EIPs are in: those of every node of a cluster, by family, and one for each choice of nodes. */
export class CarrierSets {
  readonly #every = new Map<string | undefined, Readonly<Record<Family, CarrierSet>>>();
  readonly #everySets = new Set<CarrierSet>();
  readonly #chosen = new Map<string, CarrierSet>();
  /** In how many sets with EIPs a node is. */
  readonly #setsOfNode = new Map<string, number>();
  #routed = 0;
  #idle = 0;

  get counts(): PathCounts {
    return { routed: this.#routed, idle: this.#idle, nodes: this.#setsOfNode.size };
  }

  /** The clusters that have been asked for. */
  get clusters(): Iterable<string | undefined> {
    return this.#every.keys();
  }

  /**
   * The set of every node of a cluster: the same one, whatever its nodes are.
   *
   * @param cluster undefined: there is one, without a name
   */
  every(cluster: string | undefined, version: Family): CarrierSet {
    let sets = this.#every.get(cluster);
    if (sets === undefined) {
      sets = { 4: newSet([]), 6: newSet([]) };
      this.#every.set(cluster, sets);
      this.#everySets.add(sets[4]).add(sets[6]);
    }
    return sets[version];
  }

  /** Whether it is the set of every node of some cluster. */
  isEvery(set: CarrierSet | undefined): boolean {
    return set !== undefined && this.#everySets.has(set);
  }

  /** The set of some carriers of a family. It is kept once an EIP joins it. */
  of(carriers: readonly Carrier[], version: Family): CarrierSet {
    return this.#chosen.get(keyOf(carriers, version)) ?? newSet(carriers);
  }

  /** Whether EIPs are in the set of these carriers of a family. */
  has(carriers: readonly Carrier[], version: Family): boolean {
    return this.#chosen.has(keyOf(carriers, version));
  }

  /**
   * Gives a set other carriers, under its EIPs.
   *
   * @param carriers of no other set
   */
  refill(set: CarrierSet, carriers: readonly Carrier[]): void {
    const { first } = set.eips;
    const version = first === undefined || this.isEvery(set) ? undefined : family(first.eip);
    if (version !== undefined) this.#chosen.delete(keyOf(set.carriers, version));
    if (set.eips.size > 0) this.#countNodes(set, -1);
    this.#countEips(set, -set.eips.size);
    set.carriers = carriers;
    this.#countEips(set, set.eips.size);
    if (set.eips.size > 0) this.#countNodes(set, 1);
    if (version !== undefined) this.#chosen.set(keyOf(carriers, version), set);
  }

  join(named: NamedEip, set: CarrierSet): void {
    this.#countEips(set, 1);
    set.eips.add(named);
    if (set.eips.size > 1) return;
    this.#countNodes(set, 1);
    if (!this.isEvery(set)) this.#chosen.set(keyOf(set.carriers, family(named.eip)), set);
  }

  leave(named: NamedEip, set: CarrierSet): void {
    this.#countEips(set, -1);
    set.eips.delete(named);
    if (set.eips.size > 0) return;
    this.#countNodes(set, -1);
    if (!this.isEvery(set)) this.#chosen.delete(keyOf(set.carriers, family(named.eip)));
  }

  /** EIPs whose carriers are all among these. */
  *eipsWithin(ips: ReadonlySet<Ip>): Generator<Ip> {
    if (ips.size === 0) return;
    for (const { carriers, eips } of [...this.#everySets, ...this.#chosen.values()])
      if (carriers.length > 0 && carriers.every(({ ip }) => ips.has(ip)))
        for (const { eip } of eips) yield eip;
  }

  /** How many EIPs go to nodes of this cluster; costs the sets that there are, and not their EIPs. */
  routedIn(cluster: string): number {
    let count = 0;
    for (const {
      carriers: [first],
      eips,
    } of [...this.#everySets, ...this.#chosen.values()])
      if (first !== undefined && clusterOf(first.node) === cluster) count += eips.size;
    return count;
  }

  #countEips({ carriers }: CarrierSet, step: number): void {
    if (carriers.length > 0) this.#routed += step;
    else this.#idle += step;
  }

  #countNodes({ carriers }: CarrierSet, step: 1 | -1): void {
    for (const { node } of carriers) {
      const count = (this.#setsOfNode.get(node) ?? 0) + step;
      if (count === 0) this.#setsOfNode.delete(node);
      else this.#setsOfNode.set(node, count);
    }
  }
}

function newSet(carriers: readonly Carrier[]): CarrierSet {
  return { eips: new LinkedList(), carriers };
}

function keyOf(carriers: readonly Carrier[], version: Family): string {
  return `${version} ${carriers.map(({ node, ip, weight, place }) => `${node}=${ip}*${weight}${place === undefined ? '' : `@${place}`}`).join(' ')}`;
}
