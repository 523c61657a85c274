import {
  type Feed,
  type Node,
  type Resource,
  type Service,
  type Snapshot,
  serviceName,
} from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import { Pulse } from './pulse.ts';
import {
  oncePerIp,
  reduceNode,
  reduceService,
  reduceSlice,
  type ServicePart,
  type Slice,
  same,
} from './reduce.ts';
import { ReducedShelf, type Relist, type Shelf } from './shelf.ts';
import { Sorted } from './sorted.ts';
import { Versions } from './versions.ts';

export const resources: readonly Resource[] = ['services', 'endpointslices', 'nodes'];

/**
 * The picture of the cluster that the sources paint: Services joined with their EndpointSlices, and Nodes.
 *
 * One event costs the join of one Service. An event that changes none of the fields we look at changes nothing:
 * no new object, no new array, no pulse.
 */
export class Store {
  readonly pulse = new Pulse();
  readonly shelves: Readonly<Record<Resource, Shelf>>;
  readonly #versions = new Versions();
  readonly #serviceShelf: ReducedShelf<ServicePart>;
  readonly #parts = new Map<string, ServicePart>();
  readonly #slices = new Map<string, Map<string, Slice>>();
  readonly #services = new Sorted<Service>();
  /** The part that each joined Service was made of. */
  readonly #made = new Map<string, ServicePart>();
  readonly #nodes = new Sorted<Node>();
  readonly #problems = new Sorted<readonly Problem[]>();
  readonly #feeds = new Map<Resource, Feed>();
  #snapshot: Snapshot | undefined;
  #changed = false;
  /** Shown while lists are being committed, and how many of them. */
  #shown: Snapshot | undefined;
  #committing = 0;

  constructor() {
    for (const resource of resources) {
      this.#feeds.set(resource, { resource, synced: false, heard: undefined, trouble: undefined });
    }
    const report = (resource: Resource) => (key: string, problems: readonly Problem[]) => {
      const at = `${resource} ${key}`;
      if (same(this.#problems.get(at) ?? [], problems)) return;
      if (problems.length === 0) this.#problems.delete(at);
      else this.#problems.set(at, problems);
      this.#change();
    };
    this.#serviceShelf = new ReducedShelf(
      reduceService,
      (key, _before, after) => {
        if (after === undefined) this.#parts.delete(key);
        else this.#parts.set(key, after);
        this.#join(key);
      },
      report('services'),
      this.#versions,
    );
    this.shelves = {
      nodes: new ReducedShelf(
        reduceNode,
        (key, _before, after) => {
          if (after === undefined) this.#nodes.delete(key);
          else this.#nodes.set(key, after);
          this.#change();
        },
        report('nodes'),
      ),
      services: this.#serviceShelf,
      endpointslices: new ReducedShelf(
        reduceSlice,
        (key, before, after) => this.#move(key, before, after),
        report('endpointslices'),
      ),
    };
  }

  /** The same object while nothing has changed; when only `heard` moved, a new one around the same arrays. */
  snapshot(): Snapshot {
    if (this.#shown !== undefined) return this.#shown;
    this.#snapshot ??= {
      complete: [...this.#feeds.values()].every((feed) => feed.synced),
      nodes: this.#nodes.array(),
      services: this.#services.array(),
      feeds: [...this.#feeds.values()],
      problems: this.#problems.array().flat(),
    };
    return this.#snapshot;
  }

  /**
   * The resource version at which the API showed just this Service; undefined: it has changed since, or comes from
   * a file. A version that moves without a change that we look at makes no new Service, and is still known here.
   */
  version(service: Service): string | undefined {
    const name = serviceName(service);
    return this.#services.get(name) === service ? this.#versions.of(name) : undefined;
  }

  /** The API's answer to a write of the Service at the version `from`: what the watch will tell, but now. */
  answer(service: unknown, from: string): void {
    this.#serviceShelf.answer(service, from);
    this.tell();
  }

  feed(resource: Resource): Feed {
    const feed = this.#feeds.get(resource);
    if (feed === undefined) throw new Error(`no feed of ${resource}`);
    return feed;
  }

  /** The source said something, at `now` (ms since the epoch). */
  heard(resource: Resource, now: number): void {
    const feed = this.feed(resource);
    if (feed.heard === now) return;
    this.#feeds.set(resource, { ...feed, heard: now });
    this.#snapshot = undefined;
  }

  /** Whether the first complete list is in, and what is wrong with the source now. */
  state(resource: Resource, state: Partial<Pick<Feed, 'synced' | 'trouble'>>): void {
    const feed = this.feed(resource);
    const next = { ...feed, ...state };
    if (next.synced === feed.synced && next.trouble === feed.trouble) return;
    this.#feeds.set(resource, next);
    this.#change();
  }

  /**
   * Puts a new list in place, in portions, so that a list of ten thousand does not hold up everything else. Until it
   * is all in place the snapshot stays as it was.
   *
   * @param turn lets other work have its turn
   */
  async commit(relist: Relist, turn: () => Promise<void>): Promise<void> {
    this.#shown = this.snapshot();
    this.#committing += 1;
    try {
      const steps = relist.commit();
      while (!steps.next().done) await turn();
    } finally {
      this.#committing -= 1;
      if (this.#committing === 0) this.#shown = undefined;
    }
  }

  /** Tells the listeners if anything changed since the last call. To be called after each batch of events. */
  tell(): void {
    if (!this.#changed || this.#committing > 0) return;
    this.#changed = false;
    this.pulse.beat();
  }

  #change(): void {
    this.#changed = true;
    this.#snapshot = undefined;
  }

  #move(key: string, before: Slice | undefined, after: Slice | undefined): void {
    if (before?.service !== undefined && before.service !== after?.service) {
      const slices = this.#slices.get(before.service);
      slices?.delete(key);
      if (slices?.size === 0) this.#slices.delete(before.service);
      this.#join(before.service);
    }
    if (after?.service !== undefined) {
      const slices = this.#slices.get(after.service);
      if (slices === undefined) this.#slices.set(after.service, new Map([[key, after]]));
      else slices.set(key, after);
      this.#join(after.service);
    }
  }

  #join(key: string): void {
    const part = this.#parts.get(key);
    const held = this.#services.get(key);
    if (part === undefined) {
      if (held === undefined) return;
      this.#services.delete(key);
      this.#made.delete(key);
      this.#change();
      return;
    }
    const [first, ...others] = this.#slices.get(key)?.values() ?? [];
    // Nearly every Service has one slice, which is sorted already.
    const endpoints =
      others.length === 0
        ? (first?.endpoints ?? [])
        : oncePerIp([first, ...others].flatMap((slice) => slice?.endpoints ?? []));
    // A part that did not change is the same object, so that only the endpoints are to be compared.
    if (held !== undefined && this.#made.get(key) === part && same(held.endpoints, endpoints)) return;
    this.#services.set(key, { ...part, endpoints });
    this.#made.set(key, part);
    this.#change();
  }
}
