import { type Family, family, type Ip } from '../model/ip.ts';
import type { Carrier } from './carriers.ts';

/**
 * EIPs with the same carriers. The one of all Services under Cluster is the same set whatever its nodes are, so that
 * a node that comes or goes changes one set and no EIP.
 */
export interface CarrierSet {
  readonly eips: Set<Ip>;
  /** Sorted by node name. */
  carriers: readonly Carrier[];
}

/** EIPs that go somewhere, EIPs that no node can serve, and nodes that take traffic. */
export interface PathCounts {
  readonly routed: number;
  readonly idle: number;
  readonly nodes: number;
}

/** The sets that EIPs are in: the two of every node, by family, and one for each choice of nodes. */
export class CarrierSets {
  readonly every: Readonly<Record<Family, CarrierSet>> = { 4: newSet([]), 6: newSet([]) };
  readonly #chosen = new Map<string, CarrierSet>();
  /** In how many sets with EIPs a node is. */
  readonly #setsOfNode = new Map<string, number>();
  #routed = 0;
  #idle = 0;

  get counts(): PathCounts {
    return { routed: this.#routed, idle: this.#idle, nodes: this.#setsOfNode.size };
  }

  /** The set of some carriers of a family. It is kept once an EIP joins it. */
  of(carriers: readonly Carrier[], version: Family): CarrierSet {
    return this.#chosen.get(keyOf(carriers, version)) ?? newSet(carriers);
  }

  /** Gives the set of every node of a family other carriers. */
  refill(version: Family, carriers: readonly Carrier[]): void {
    const set = this.every[version];
    if (set.eips.size > 0) this.#countNodes(set, -1);
    this.#countEips(set, -set.eips.size);
    set.carriers = carriers;
    this.#countEips(set, set.eips.size);
    if (set.eips.size > 0) this.#countNodes(set, 1);
  }

  join(eip: Ip, set: CarrierSet): void {
    this.#countEips(set, 1);
    set.eips.add(eip);
    if (set.eips.size > 1) return;
    this.#countNodes(set, 1);
    const version = family(eip);
    if (set !== this.every[version]) this.#chosen.set(keyOf(set.carriers, version), set);
  }

  leave(eip: Ip, set: CarrierSet): void {
    this.#countEips(set, -1);
    set.eips.delete(eip);
    if (set.eips.size > 0) return;
    this.#countNodes(set, -1);
    const version = family(eip);
    if (set !== this.every[version]) this.#chosen.delete(keyOf(set.carriers, version));
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
  return { eips: new Set(), carriers };
}

function keyOf(carriers: readonly Carrier[], version: Family): string {
  return `${version} ${carriers.map(({ node, ip, weight }) => `${node}=${ip}*${weight}`).join(' ')}`;
}
