import { isDeepStrictEqual } from 'node:util';
import type { ApiPeer, Delta, Feed, Node, Overview, Resource, Service, Snapshot } from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import type { Cluster } from './cluster.ts';
import { type DecodedService, decodeNode, decodeService } from './decode.ts';
import { decodeSlice } from './decode-slice.ts';
import { GrowingDelta, mergeDelta } from './delta.ts';
import { feedFailure } from './failure.ts';
import { JoinedServices } from './joined-services.ts';
import type { ReflectorStore } from './reflector.ts';
import { DecodedIndex, type Replacement, type ResourceIndex, same } from './resource-index.ts';
import { Signal } from './signal.ts';
import { SortedMap } from './sorted-map.ts';
import { OwnWrites } from './versions.ts';

export const resources: readonly Resource[] = ['services', 'endpointslices', 'nodes'];

/**
 * The state of the cluster, as an informer keeps it: a source fills one index per resource, the store joins Services
 * with their EndpointSlices ({@link JoinedServices}), and listeners get the keys that changed.
 *
 * An event costs the join of one Service. An event that changes no field we use causes no new object and no delta.
 */
export class ClusterStore implements Omit<Cluster, typeof Symbol.asyncDispose> {
  readonly signal = new Signal(mergeDelta);
  readonly indexes: Readonly<Record<Resource, ResourceIndex>>;
  readonly #services = new JoinedServices((key, origin) => {
    const delta = this.#changed();
    // During the first lists no listener has read much: 'all' saves each of them a copy of a hundred thousand keys.
    if (origin === 'list' && delta.services !== 'all' && this.#isListing()) delta.allServices();
    else delta.service(key, origin);
  });
  readonly #serviceIndex: DecodedIndex<Service, DecodedService>;
  readonly #nodes = new SortedMap<Node>();
  readonly #problems = new SortedMap<readonly Problem[]>();
  readonly #feeds = new Map<Resource, Feed>();
  readonly #name: string | undefined;
  #apiPeers: readonly ApiPeer[] | undefined;
  /** The problems as one list, and the list of lists it was made from. */
  #flat: { readonly of: readonly (readonly Problem[])[]; readonly problems: readonly Problem[] } | undefined;
  #overview: Overview | undefined;
  /** Made of these two. */
  #snapshot: { readonly overview: Overview; readonly snapshot: Snapshot } | undefined;
  /** Changes since the last {@link notify}. */
  #delta: GrowingDelta | undefined;
  /** What readers see while lists are being committed. */
  #before: Overview | undefined;
  #committing = 0;

  /** @param name of the cluster, which qualifies the names of its objects; absent: there is one, without a name */
  constructor(name?: string) {
    this.#name = name;
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
      table: this.#services.services,
      report: report('services'),
      writes: new OwnWrites((key) => this.#services.version(key)),
    });
    this.indexes = {
      nodes: new DecodedIndex({
        decode: (raw) => decodeNode(raw, name),
        table: {
          get: (key) => this.#nodes.get(key),
          keys: () => this.#nodes.keys(),
          set: (key, node, _version, origin) => {
            if (node === undefined || same(this.#nodes.get(key), node)) return;
            this.#nodes.set(key, node);
            this.#overviewChanged().node(origin);
          },
          delete: (key, origin) => {
            this.#nodes.delete(key);
            this.#overviewChanged().node(origin);
          },
        },
        report: report('nodes'),
      }),
      services: this.#serviceIndex,
      endpointslices: new DecodedIndex({
        decode: (raw) => decodeSlice(raw, name),
        table: this.#services.slices,
        report: report('endpointslices'),
      }),
    };
  }

  /** The same object while nothing has changed. A change of `heard` alone gives a new object with the same arrays. */
  snapshot(): Snapshot {
    const overview = this.overview();
    const services = this.#services.array();
    if (this.#snapshot?.overview !== overview || this.#snapshot.snapshot.services !== services)
      this.#snapshot = { overview, snapshot: { ...overview, services } };
    return this.#snapshot.snapshot;
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  services(): Iterable<Service> {
    return this.#services.values();
  }

  overview(): Overview {
    if (this.#before !== undefined) return this.#before;
    const problems = this.#problems.array();
    if (this.#flat?.of !== problems) this.#flat = { of: problems, problems: problems.flat() };
    this.#overview ??= {
      complete: !this.#isListing(),
      nodes: this.#nodes.array(),
      feeds: [...this.#feeds.values()],
      ...(this.#apiPeers === undefined ? {} : { apiPeers: this.#apiPeers }),
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
    return this.#services.versionOf(service);
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
    // Also while a list is applied, which takes seconds where it is long and the machine busy.
    if (this.#before !== undefined) this.#before = { ...this.#before, feeds: [...this.#feeds.values()] };
  }

  /** Sets whether the first list is complete, and what is wrong with the source. */
  state(resource: Resource, state: Partial<Pick<Feed, 'synced' | 'trouble'>>): void {
    const feed = this.feed(resource);
    const next = { ...feed, ...state };
    if (next.synced === feed.synced && next.trouble === feed.trouble) return;
    this.#feeds.set(resource, next);
    this.#overviewChanged();
  }

  /** Sets where the API server is; undefined: not known by its address. */
  apiAt(peer: ApiPeer | undefined): void {
    const cluster = this.#name;
    const peers = peer && [{ ...peer, ...(cluster === undefined ? {} : { cluster }) }];
    if (isDeepStrictEqual(peers, this.#apiPeers)) return;
    this.#apiPeers = peers;
    this.#overviewChanged();
    if (this.#before !== undefined) this.#before = { ...this.#before, apiPeers: peers ?? [] };
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
    this.#before ??= this.overview();
    this.#services.hold();
    this.#committing += 1;
    try {
      const steps = replacement.commit(version);
      while (!steps.next().done) await turn();
      const joins = this.#services.join();
      while (!joins.next().done) await turn();
    } finally {
      this.#committing -= 1;
      if (this.#committing === 0) {
        this.#before = undefined;
        this.#services.release();
      }
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
    this.#delta ??= new GrowingDelta();
    return this.#delta;
  }

  #overviewChanged(): GrowingDelta {
    this.#overview = undefined;
    return this.#changed();
  }
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
