import { type Family, family, type Ip } from '../model/ip.ts';
import { mostProbePaths, noProbePaths, type ProbePaths } from '../model/probe-path.ts';

/** ms for which the paths stay after the last question: the next Service comes soon, and making them takes 30 ms */
const linger = 5000;

/**
 * The ways by which single nodes are asked: wanted while there is a question, and open once the kernel has them. A node keeps
 * its number as long as this program runs, so no packet goes by the table of another set of nodes to the wrong one.
 */
export class CurrentProbePaths {
  readonly #numbers = new Map<Ip, number>();
  #nodes: readonly Ip[] = [];
  #all: ProbePaths | undefined;
  #wantedUntil = Number.NEGATIVE_INFINITY;
  #isWanted = false;
  #isRefused = false;
  /** What the present round acts on, and what the kernel has. */
  #acting = noProbePaths;
  #applied = noProbePaths;

  /** What is to be in the kernel; the same object as long as nothing in it changes. */
  get wanted(): ProbePaths {
    if (!this.#isWanted || this.#isRefused) return noProbePaths;
    this.#all ??= { 4: this.#of(4), 6: this.#of(6) };
    return this.#all;
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** @param nodes addresses on the LAN */
  follow(nodes: readonly Ip[]): void {
    this.#nodes = nodes;
    const all = this.#all;
    // Nobody is asked by way of a node that is gone, and a round in which one goes must not wait for tables of nftables.
    if (all !== undefined && nodes.every((ip) => all[family(ip)].has(ip))) return;
    this.#all = undefined;
  }

  /**
   * Says whether there are questions. @param now ms
   *
   * @returns whether other paths are wanted than before
   */
  want(any: boolean, now: number): boolean {
    if (any) this.#wantedUntil = now + linger;
    const isWanted = now < this.#wantedUntil;
    const isOther = isWanted !== this.#isWanted;
    this.#isWanted = isWanted;
    if (!isWanted) this.#all = undefined;
    return isOther;
  }

  /** A round begins. */
  act(): void {
    this.#acting = this.wanted;
  }

  /** The kernel takes no such table: it is not asked again, since nothing depends on it but what is known. */
  refused(): void {
    this.#isRefused = true;
    this.#applied = noProbePaths;
  }

  /** It is over, and the kernel has what it was to have. */
  applied(): void {
    this.#applied = this.#acting;
  }

  /** The number of a node; undefined: the kernel has no path by way of it. */
  number(via: Ip): number | undefined {
    return this.#applied[family(via)].get(via);
  }

  #of(of: Family): ReadonlyMap<Ip, number> {
    const found = new Map<Ip, number>();
    for (const ip of this.#nodes) {
      if (family(ip) !== of) continue;
      const number = this.#numbers.get(ip) ?? this.#numbers.size + 1;
      if (number > mostProbePaths) continue;
      this.#numbers.set(ip, number);
      found.set(ip, number);
    }
    return found;
  }
}
