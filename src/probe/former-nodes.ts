import { isDeepStrictEqual } from 'node:util';
import type { Node } from '../model/cluster.ts';
import type { Family, Ip } from '../model/ip.ts';
import { type ByFamily, type FormerNodes, noFormerNodes } from '../model/probed.ts';
import { FormerCarriers } from './former-carriers.ts';
import type { Kept } from './kept.ts';

/**
 * Which nodes carried until lately. The others cover for one that was deleted or left out, under Cluster until another
 * node comes to them, so that no flow of theirs moves when a node is taken away for a moment.
 */
export class FormerNodeTable {
  readonly #covered = new FormerCarriers();
  /** The addresses of the nodes that there are. */
  #known: ReadonlyMap<string, readonly Ip[]> = new Map();
  readonly #deleted = new Map<string, { readonly addresses: readonly Ip[]; readonly since: number }>();
  /** Names of those that carry under Cluster, by cluster. */
  #carrying: ReadonlyMap<string | undefined, ByFamily> = new Map();
  #current = noFormerNodes;
  #changes = 0;

  /** The same object as long as nothing in it changes. */
  get current(): FormerNodes {
    return this.#current;
  }

  /** Those that the others cover for under Cluster, by name, with the time since when they carry no more, in ms. */
  since(cluster: string | undefined, of: Family): ReadonlyMap<string, number> {
    return this.#covered.since(keyOf(cluster), of);
  }

  /** When a node was deleted, in ms; undefined: it was not, or too long ago. */
  deletedAt(node: string): number | undefined {
    return this.#deleted.get(node)?.since;
  }

  /** Another number whenever {@link kept} returns something else than that time has passed. */
  get changes(): number {
    return this.#changes + this.#covered.changes;
  }

  /** What a restart must not lose. */
  kept(now: number): Pick<Kept, 'clusters' | 'deleted'> {
    const deleted = [...this.#deleted].map(
      ([name, { addresses, since }]) => [name, { addresses, ms: Math.round(now - since) }] as const,
    );
    return { clusters: this.#covered.kept(now), deleted: new Map(deleted) };
  }

  /** Goes on with what was {@link kept} before a restart. */
  recall({ clusters, deleted }: Pick<Kept, 'clusters' | 'deleted'>, now: number): void {
    this.#covered.recall(clusters, now);
    for (const [name, { addresses, ms }] of deleted) this.#deleted.set(name, { addresses, since: now - ms });
    this.#note(deleted.size > 0);
  }

  /** Whether time alone changes nothing. */
  get isIdle(): boolean {
    return this.#deleted.size === 0 && this.#covered.isIdle;
  }

  /**
   * Notes the nodes that there are now.
   *
   * @param carrying names of those that carry under Cluster, by cluster
   * @param now ms
   */
  read(nodes: readonly Node[], carrying: ReadonlyMap<string | undefined, ByFamily>, now: number): void {
    const known = new Map(nodes.map(({ name, addresses }) => [name, addresses]));
    let isOther = false;
    for (const [name, addresses] of this.#known) {
      if (known.has(name)) continue;
      // Its place is still that of the addresses which it had first.
      this.#deleted.set(name, { addresses: this.#deleted.get(name)?.addresses ?? addresses, since: now });
      isOther = true;
    }
    // One that is made anew with other addresses keeps its place.
    for (const [name, addresses] of known)
      if (isDeepStrictEqual(this.#deleted.get(name)?.addresses, addresses))
        isOther = this.#deleted.delete(name) || isOther;
    this.#known = known;
    const before = this.#carrying;
    this.#carrying = carrying;
    for (const cluster of new Set([...before.keys(), ...carrying.keys()]))
      this.#covered.read(keyOf(cluster), before.get(cluster), carrying.get(cluster), now);
    this.#note(isOther);
  }

  /**
   * Forgets those that went too long ago.
   *
   * @param limit ms
   * @returns whether there were any
   */
  expire(now: number, limit: number): boolean {
    let isOther = false;
    for (const [name, { since }] of this.#deleted)
      if (now - since >= limit) isOther = this.#deleted.delete(name) || isOther;
    this.#covered.expire(now, limit);
    return this.#note(isOther);
  }

  /**
   * @param isOther the deleted nodes are others than before
   * @returns whether something has changed
   */
  #note(isOther: boolean): boolean {
    const covered = new Map<string | undefined, ByFamily>();
    for (const cluster of this.#carrying.keys()) {
      const names = this.#covered.of(keyOf(cluster));
      if (names[4].size + names[6].size > 0) covered.set(cluster, names);
    }
    const before = this.#current.covered;
    const isSame = covered.size === before.size && [...covered].every(([key, to]) => before.get(key) === to);
    if (isSame && !isOther) return false;
    if (isOther) this.#changes += 1;
    const deleted = [...this.#deleted].map(([name, { addresses }]) => [name, addresses] as const);
    this.#current = { deleted: new Map(deleted), covered };
    return true;
  }
}

/** A name of a cluster is not empty. */
function keyOf(cluster: string | undefined): string {
  return cluster ?? '';
}
