import type { Overview } from '../model/cluster.ts';
import { sameItems } from '../model/same-items.ts';

/** Of which clusters the addresses are known, by their names; undefined: the only one. */
export interface Book {
  /** We decide about their Services, and write to them. */
  readonly open: ReadonlySet<string | undefined>;
  /** The part of them that is known anew: what we decided and wrote there before, somebody else may have changed. */
  readonly taken: ReadonlySet<string | undefined>;
  /** Those that are not known: any address that looks free may be in use there. */
  readonly awaited: readonly (string | undefined)[];
}

export interface BookInputs {
  readonly overview: Pick<Overview, 'complete' | 'clusters' | 'feeds'>;
  /** See `ControllerOptions`. */
  readonly turn: (cluster: string | undefined) => number | undefined;
  /** Whether a write to a cluster is on its way. */
  readonly isBusy: (cluster: string | undefined) => boolean;
}

const empty: Book = { open: new Set(), taken: new Set(), awaited: [] };

/**
 * Keeps which clusters are known. A cluster becomes known when its lists are in while nobody but us writes there, and
 * stays so when it is away: from then on its addresses are those that we gave. What is remembered of it from before the
 * start says which addresses are in use, but not which are free: another gateway may have given them since.
 */
export class BookKeeper {
  readonly #turns = new Map<string | undefined, number>();
  #book = empty;

  /** As of the last look. */
  get book(): Book {
    return this.#book;
  }

  /** @returns the same object as long as nothing changes; undefined: nothing can be decided yet */
  look({ overview, turn, isBusy }: BookInputs): Book | undefined {
    const { complete, clusters = [{ name: undefined, complete }], feeds } = overview;
    const open = new Set<string | undefined>();
    const taken = new Set<string | undefined>();
    // Neither known nor in trouble: in a moment it is one of them, and nobody has to be told that it is waited for.
    let isUnsettled = false;
    for (const { name, complete } of clusters) {
      const now = turn(name);
      if (!complete) isUnsettled ||= !feeds.some(({ cluster, trouble }) => cluster === name && trouble);
      else if (now !== undefined && now === this.#turns.get(name)) open.add(name);
      else if (now !== undefined && isBusy(name)) {
        // A write of an earlier turn may still arrive.
        isUnsettled = true;
        this.#turns.delete(name);
      } else if (now !== undefined) {
        this.#turns.set(name, now);
        open.add(name);
        taken.add(name);
      }
    }
    if (this.#turns.size === 0 || (isUnsettled && this.#book === empty)) {
      this.#turns.clear();
      return undefined;
    }
    const awaited = clusters.map(({ name }) => name).filter((name) => !this.#turns.has(name));
    const { open: former, awaited: missed } = this.#book;
    const isSame = taken.size === 0 && sameItems([...open], [...former]) && sameItems(awaited, missed);
    if (!isSame) this.#book = { open, taken, awaited };
    return this.#book;
  }

  /** Whether we may write to a cluster now, as far as it is known. */
  isOpen(cluster: string | undefined, turn: BookInputs['turn']): boolean {
    return this.#book.open.has(cluster) && this.#turns.get(cluster) === turn(cluster);
  }

  /** Another gateway writes. */
  forget(): void {
    this.#turns.clear();
    this.#book = empty;
  }
}
