import {
  type ApiPeer,
  clusterOf,
  type Delta,
  type Overview,
  type Service,
  type Snapshot,
} from '../model/cluster.ts';
import { sameItems } from '../model/same-items.ts';
import type { Cluster } from './cluster.ts';
import { mergeDelta } from './delta.ts';
import { Signal } from './signal.ts';

/**
 * Several clusters as one. Every name in them is qualified by the name of its cluster already, so nothing is renamed
 * here. One that cannot be read stays as it is last known, and delays no other.
 *
 * @param parts by name; disposed of together
 */
export function unionOf(parts: ReadonlyMap<string, Cluster>): Cluster {
  const union = new Union(parts);
  return {
    snapshot: () => union.snapshot(),
    service: (key) => parts.get(clusterOf(key) ?? '')?.service(key),
    services: () => union.services(),
    overview: () => union.overview(),
    changes: (signal) => union.changes(signal),
    async [Symbol.asyncDispose]() {
      await Promise.all([...parts.values()].map((part) => part[Symbol.asyncDispose]()));
    },
  };
}

/** The part of a delta that is about one of several clusters. Nodes may be those of another one. */
export function partOf({ services, nodes, byEvent }: Delta, name: string): Delta {
  const isInside = (key: string): boolean => clusterOf(key) === name;
  const inside = (keys: ReadonlySet<string>): ReadonlySet<string> => new Set([...keys].filter(isInside));
  return {
    services: services === 'all' ? 'all' : inside(services),
    nodes,
    byEvent: { services: inside(byEvent.services), nodes: byEvent.nodes },
  };
}

class Union {
  readonly #parts: ReadonlyMap<string, Cluster>;
  readonly #nodes = new Concatenation<Overview['nodes'][number]>();
  readonly #feeds = new Concatenation<Overview['feeds'][number]>();
  readonly #apiPeers = new Concatenation<ApiPeer>();
  readonly #problems = new Concatenation<Overview['problems'][number]>();
  readonly #services = new Concatenation<Service>();
  #overview: { readonly of: readonly Overview[]; readonly value: Overview } | undefined;
  #snapshot: { readonly of: readonly Snapshot[]; readonly value: Snapshot } | undefined;

  constructor(parts: ReadonlyMap<string, Cluster>) {
    this.#parts = parts;
  }

  snapshot(): Snapshot {
    const of = [...this.#parts.values()].map((part) => part.snapshot());
    if (this.#snapshot === undefined || !sameItems(of, this.#snapshot.of)) {
      const services = this.#services.of(of.map((one) => one.services));
      this.#snapshot = { of, value: { ...this.overview(), services } };
    }
    return this.#snapshot.value;
  }

  *services(): Iterable<Service> {
    for (const part of this.#parts.values()) yield* part.services();
  }

  overview(): Overview {
    const of = [...this.#parts.values()].map((part) => part.overview());
    if (this.#overview === undefined || !sameItems(of, this.#overview.of)) {
      const clusters = [...this.#parts.keys()].map((name, i) => ({
        name,
        complete: of[i]?.complete ?? false,
        remembered: of[i]?.remembered ?? false,
      }));
      const value = {
        complete: clusters.every(({ complete }) => complete),
        clusters,
        nodes: this.#nodes.of(of.map(({ nodes }) => nodes)),
        feeds: this.#feeds.of(of.map(({ feeds }) => feeds)),
        apiPeers: this.#apiPeers.of(of.flatMap(({ apiPeers }) => (apiPeers ? [apiPeers] : []))),
        problems: this.#problems.of(of.map(({ problems }) => problems)),
      };
      this.#overview = { of, value };
    }
    return this.#overview.value;
  }

  changes(signal: AbortSignal): AsyncIterable<Delta> {
    const end = new AbortController();
    const until = AbortSignal.any([signal, end.signal]);
    const merged = new Signal(mergeDelta);
    // Before anything is awaited: what changes from now on is yielded.
    const values = merged.listen(until);
    const passing = [...this.#parts.values()].map(async (part) => {
      for await (const delta of part.changes(until)) merged.notify(delta);
    });
    return ending(values, async () => {
      end.abort();
      await Promise.all(passing);
    });
  }
}

/** @param end called when the values are over, or the consumer breaks off */
async function* ending<T>(values: AsyncIterable<T>, end: () => Promise<void>): AsyncGenerator<T> {
  try {
    yield* values;
  } finally {
    await end();
  }
}

/** Lists of several clusters as one: the same array as long as none of them is another one. */
class Concatenation<T> {
  #of: readonly (readonly T[])[] = [];
  #whole: readonly T[] = [];

  of(lists: readonly (readonly T[])[]): readonly T[] {
    if (!sameItems(lists, this.#of)) {
      this.#of = lists;
      this.#whole = lists.flat();
    }
    return this.#whole;
  }
}
