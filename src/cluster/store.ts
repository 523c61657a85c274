import type {
  Delta,
  Endpoint,
  Feed,
  Node,
  Origin,
  Overview,
  Resource,
  Service,
  Snapshot,
} from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import type { Cluster } from './cluster.ts';
import { decodeNode, decodeService } from './decode.ts';
import { decodeSlice, oncePerIp, type Slice } from './decode-slice.ts';
import { GrowingDelta, mergeDelta } from './delta.ts';
import { feedFailure } from './failure.ts';
import { exact, none } from './raw.ts';
import type { ReflectorStore } from './reflector.ts';
import {
  DecodedIndex,
  type IndexChange,
  type Replacement,
  type ResourceIndex,
  same,
} from './resource-index.ts';
import { Signal } from './signal.ts';
import { SortedMap } from './sorted-map.ts';
import { Versions } from './versions.ts';

export const resources: readonly Resource[] = ['services', 'endpointslices', 'nodes'];

/**
 * The state of the cluster, as an informer keeps it: a source fills one index per resource, the store joins Services
 * with their EndpointSlices, and listeners get the keys that changed.
 *
 * An event costs the join of one Service. An event that changes no field we use causes no new object and no delta.
 */
export class ClusterStore implements Omit<Cluster, typeof Symbol.asyncDispose> {
  readonly signal = new Signal(mergeDelta);
  readonly indexes: Readonly<Record<Resource, ResourceIndex>>;
  readonly #versions = new Versions();
  readonly #serviceIndex: DecodedIndex<Service>;
  /** The slices of each Service; none: the last one was deleted. */
  readonly #slices = new Map<string, readonly Slice[]>();
  /** Keys of the slices that a list lacked, by Service. */
  readonly #lacked = new Map<string, Set<string>>();
  readonly #services = new SortedMap<Service>();
  readonly #nodes = new SortedMap<Node>();
  readonly #problems = new SortedMap<readonly Problem[]>();
  readonly #feeds = new Map<Resource, Feed>();
  /** The problems as one list, and the list of lists it was made from. */
  #flat: { readonly of: readonly (readonly Problem[])[]; readonly problems: readonly Problem[] } | undefined;
  #overview: Overview | undefined;
  #snapshot: Snapshot | undefined;
  /** Changes since the last {@link notify}. */
  #delta: GrowingDelta | undefined;
  /** What readers see while lists are being committed. */
  #before: Before | undefined;
  #committing = 0;

  /** @param name of the cluster, which qualifies the names of its objects; absent: there is one, without a name */
  constructor(name?: string) {
    const of = name === undefined ? {} : { cluster: name };
    for (const resource of resources) {
      this.#feeds.set(resource, { ...of, resource, synced: false, heard: undefined, trouble: undefined });
    }
    const report = (resource: Resource) => (key: string, problems: readonly Problem[]) => {
      const at = `${resource} ${key}`;
      if (same(this.#problems.get(at) ?? [], problems)) return;
      if (problems.length === 0) this.#problems.delete(at);
      else this.#problems.set(at, problems);
      this.#overviewChanged();
    };
    this.#serviceIndex = new DecodedIndex({
      decode: (raw) => decodeService(raw, name),
      complete: (key, service) => {
        const slices = this.#slices.get(key);
        if (slices === undefined && !service.slicesKnown) return service;
        return { ...service, endpoints: endpointsOf(slices), slicesKnown: this.#areKnown(key, slices) };
      },
      changed: ({ key, after, origin }) => this.#join(key, after, origin),
      report: report('services'),
      versions: this.#versions,
    });
    this.indexes = {
      nodes: new DecodedIndex({
        decode: (raw) => decodeNode(raw, name),
        changed: ({ key, after, origin }) => {
          if (after === undefined) this.#nodes.delete(key);
          else this.#nodes.set(key, after);
          this.#overviewChanged().node(origin);
        },
        report: report('nodes'),
      }),
      services: this.#serviceIndex,
      endpointslices: new DecodedIndex({
        decode: (raw) => decodeSlice(raw, name),
        changed: (change) => this.#move(change),
        report: report('endpointslices'),
      }),
    };
  }

  /** The same object while nothing has changed. A change of `heard` alone gives a new object with the same arrays. */
  snapshot(): Snapshot {
    if (this.#before !== undefined) {
      this.#before.snapshot ??= { ...this.#before.overview, services: [...this.services()].sort(byName) };
      return this.#before.snapshot;
    }
    this.#snapshot ??= { ...this.overview(), services: this.#services.array() };
    return this.#snapshot;
  }

  service(key: string): Service | undefined {
    const before = this.#before?.services;
    if (before === 'none') return undefined;
    return before?.has(key) ? before.get(key) : this.#services.get(key);
  }

  *services(): Iterable<Service> {
    if (this.#before === undefined) {
      yield* this.#services.values();
      return;
    }
    const { services } = this.#before;
    if (services === 'none') return;
    for (const [key, service] of this.#services.entries()) if (!services.has(key)) yield service;
    for (const service of services.values()) if (service !== undefined) yield service;
  }

  overview(): Overview {
    if (this.#before !== undefined) return this.#before.overview;
    const problems = this.#problems.array();
    if (this.#flat?.of !== problems) this.#flat = { of: problems, problems: problems.flat() };
    this.#overview ??= {
      complete: !this.#isListing(),
      nodes: this.#nodes.array(),
      feeds: [...this.#feeds.values()],
      problems: this.#flat.problems,
    };
    return this.#overview;
  }

  changes(signal: AbortSignal): AsyncIterable<Delta> {
    return this.signal.listen(signal);
  }

  /**
   * The resourceVersion of this Service; undefined: it has changed since, or comes from a file. It is also kept up to
   * date by events that change no field we use.
   */
  version(service: Service): string | undefined {
    const name = service.key;
    return this.#services.get(name) === service ? this.#versions.of(name) : undefined;
  }

  /** Applies the API's answer to a write of ours that named the version `from`, ahead of the watch. */
  answer(service: unknown, from: string): void {
    this.#serviceIndex.answer(service, from);
    this.notify();
  }

  feed(resource: Resource): Feed {
    const feed = this.#feeds.get(resource);
    if (feed === undefined) throw new Error(`no feed of ${resource}`);
    return feed;
  }

  /** Notes that the source was heard at `now`, in ms since the epoch. */
  heard(resource: Resource, now: number): void {
    const feed = this.feed(resource);
    if (feed.heard === now) return;
    this.#feeds.set(resource, { ...feed, heard: now });
    this.#overview = undefined;
    this.#snapshot = undefined;
    if (this.#before === undefined) return;
    // Also while a list is applied, which takes seconds where it is long and the machine busy.
    const { overview, snapshot, services } = this.#before;
    const feeds = [...this.#feeds.values()];
    this.#before = {
      overview: { ...overview, feeds },
      snapshot: snapshot && { ...snapshot, feeds },
      services,
    };
  }

  /** Sets whether the first list is complete, and what is wrong with the source. */
  state(resource: Resource, state: Partial<Pick<Feed, 'synced' | 'trouble'>>): void {
    const feed = this.feed(resource);
    const next = { ...feed, ...state };
    if (next.synced === feed.synced && next.trouble === feed.trouble) return;
    this.#feeds.set(resource, next);
    this.#overviewChanged();
  }

  /** One resource, for its reflector. */
  of(resource: Resource): ReflectorStore {
    const index = this.indexes[resource];
    return {
      of: resource,
      isSynced: () => this.feed(resource).synced,
      set: (object) => index.set(object),
      delete: (object) => index.delete(object),
      replacement: () => index.replacement(),
      commit: async (...list) => {
        await this.commit(...list);
        this.state(resource, { synced: true });
      },
      heard: (now) => this.heard(resource, now),
      works: () => this.state(resource, { trouble: undefined }),
      fails: (error, readiness) => this.state(resource, { trouble: feedFailure(error, resource, readiness) }),
      notify: () => this.notify(),
    };
  }

  /**
   * Applies a new list in portions, so that ten thousand objects do not block the event loop. Readers see the former
   * state until all of it is applied.
   *
   * @param turn yields to the event loop
   * @param version resourceVersion of the list; undefined: unknown
   */
  async commit(replacement: Replacement, turn: () => Promise<void>, version?: string): Promise<void> {
    this.#before ??= {
      overview: this.overview(),
      snapshot: this.#snapshot,
      services: this.#services.size === 0 ? 'none' : new Map(),
    };
    this.#committing += 1;
    try {
      const steps = replacement.commit(version);
      while (!steps.next().done) await turn();
    } finally {
      this.#committing -= 1;
      if (this.#committing === 0) this.#before = undefined;
    }
  }

  /** Sends the changes since the last call to the listeners. To be called after each batch of events. */
  notify(): void {
    const delta = this.#delta;
    if (delta === undefined || this.#committing > 0) return;
    this.#delta = undefined;
    this.signal.notify(delta);
  }

  /** Some resource was never listed. */
  #isListing(): boolean {
    for (const { synced } of this.#feeds.values()) if (!synced) return true;
    return false;
  }

  #changed(): GrowingDelta {
    this.#snapshot = undefined;
    this.#delta ??= new GrowingDelta();
    return this.#delta;
  }

  #overviewChanged(): GrowingDelta {
    this.#overview = undefined;
    return this.#changed();
  }

  #setService(key: string, after: Service | undefined, origin: Origin): void {
    const before = this.#before?.services;
    if (before !== undefined && before !== 'none' && !before.has(key))
      before.set(key, this.#services.get(key));
    if (after === undefined) this.#services.delete(key);
    else this.#services.set(key, after);
    const delta = this.#changed();
    // During the first lists no listener has read much: 'all' saves each of them a copy of a hundred thousand keys.
    if (origin === 'list' && delta.services !== 'all' && this.#isListing()) delta.allServices();
    else delta.service(key, origin);
  }

  #move({ key, before, after, origin }: IndexChange<Slice>): void {
    const [former, next] = [before?.service, after?.service];
    if (before !== undefined && former !== undefined) {
      this.#putSlice(former, before, undefined);
      if (after === undefined && origin === 'list') this.#lack(former, key);
    }
    if (after !== undefined && next !== undefined) {
      this.#putSlice(next, undefined, after);
      this.#show(next, key);
    }
    if (former !== undefined && former !== next) this.#join(former, this.#serviceIndex.get(former), origin);
    if (next !== undefined) this.#join(next, this.#serviceIndex.get(next), origin);
  }

  #putSlice(service: string, before: Slice | undefined, after: Slice | undefined): void {
    const held = this.#slices.get(service);
    if (held === undefined && after !== undefined) {
      this.#slices.set(service, [after]);
      return;
    }
    const others = (held ?? none).filter((slice) => slice !== before);
    this.#slices.set(service, after === undefined ? others : exact([...others, after]));
  }

  /** A list lacks a slice of the Service. */
  #lack(service: string, slice: string): void {
    const lacked = this.#lacked.get(service);
    if (lacked) lacked.add(slice);
    else this.#lacked.set(service, new Set([slice]));
  }

  /** A slice of the Service is there. */
  #show(service: string, slice: string): void {
    const lacked = this.#lacked.get(service);
    lacked?.delete(slice);
    if (lacked?.size === 0) this.#lacked.delete(service);
  }

  /**
   * Joins a Service with its slices, and keeps the result in the index and among the shown Services.
   *
   * @param indexed as the index has it; undefined: it has none
   */
  #join(key: string, indexed: Service | undefined, origin: Origin): void {
    const slices = this.#slices.get(key);
    const shown = this.#services.get(key);
    if (indexed === undefined) {
      // The slices of a Service go before it or after it. While one is left, the list of Services may be the incomplete
      // one.
      if (slices === undefined || slices.length === 0) {
        this.#slices.delete(key);
        this.#lacked.delete(key);
      }
      if (shown !== undefined) this.#setService(key, undefined, origin);
      return;
    }
    const endpoints = endpointsOf(slices);
    const slicesKnown = this.#areKnown(key, slices);
    const isSame = indexed.slicesKnown === slicesKnown && same(indexed.endpoints, endpoints);
    const joined = isSame ? indexed : { ...indexed, endpoints, slicesKnown };
    // Where the shown Service was the indexed one, only the endpoints can differ, and they do.
    const service = shown !== undefined && shown !== indexed && same(shown, joined) ? shown : joined;
    // A slice may have changed after the list's object was completed.
    if (service !== indexed) this.#serviceIndex.put(key, service);
    if (service !== shown) this.#setService(key, service, origin);
  }

  /** @param slices of the Service; undefined: it has had none */
  #areKnown(key: string, slices: readonly Slice[] | undefined): boolean {
    return slices !== undefined && !this.#lacked.has(key);
  }
}

function endpointsOf(slices: readonly Slice[] = none): readonly Endpoint[] {
  // Nearly every Service has one slice, whose endpoints are sorted already.
  if (slices.length <= 1) return slices[0]?.endpoints ?? none;
  return exact(oncePerIp(slices.flatMap(({ endpoints }) => endpoints)));
}

/** The state before a commit, with the former values of the Services that the commit has changed so far. */
interface Before {
  readonly overview: Overview;
  /** Made on demand; a daemon never asks for it. */
  snapshot: Snapshot | undefined;
  /** 'none': there was no Service. */
  readonly services: Map<string, Service | undefined> | 'none';
}

/** The order of a {@link SortedMap}. */
function byName(a: Service, b: Service): number {
  return a.key < b.key ? -1 : 1;
}

/** Makes a store a cluster. */
export function storeCluster(store: ClusterStore, dispose: () => Promise<void>): Cluster {
  return {
    snapshot: () => store.snapshot(),
    service: (key) => store.service(key),
    services: () => store.services(),
    overview: () => store.overview(),
    changes: (signal) => store.changes(signal),
    [Symbol.asyncDispose]: dispose,
  };
}
