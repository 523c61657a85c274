import type { Endpoint, Origin, Service } from '../model/cluster.ts';
import type { DecodedService } from './decode.ts';
import { oncePerIp, type Slice } from './decode-slice.ts';
import { exact, none } from './raw.ts';
import { type ObjectTable, same } from './resource-index.ts';

/** What is known of one Service. */
interface Entry {
  /** The same string as the key of the Service, and the one in its slices. */
  readonly key: string;
  /** Joined with its slices. undefined: there is none of this name; what is left are slices that came first, or stay. */
  service: DecodedService | undefined;
  /** What readers see while lists are being committed; undefined: the same. */
  former: Service | 'none' | undefined;
  /** resourceVersion of the Service; undefined: unknown. */
  version: string | undefined;
  /** The first of its slices, in no order; undefined: it has none. */
  slice: Slice | undefined;
  /** It has one, or had. */
  hadSlice: boolean;
  /** While lists are being committed: its slices have changed, and how that was learned; undefined: it is joined with them. */
  unjoined: Origin | undefined;
}

/** Endpoints that are joined in one go. */
const portion = 5000;

/** The Services of a cluster, each joined with its EndpointSlices; one entry for all that is known of a Service. */
export class JoinedServices {
  readonly services: ObjectTable<Service, DecodedService>;
  readonly slices: ObjectTable<Slice>;
  readonly #entries = new Map<string, Entry>();
  readonly #slices = new Map<string, Slice>();
  /** Keys of the slices that a list lacked, by Service. */
  readonly #lacked = new Map<string, Set<string>>();
  readonly #changed: (key: string, origin: Origin) => void;
  /** The entries that have changed since {@link hold}; undefined: readers see every change. */
  #held: Entry[] | undefined;
  /** The entries that are to be joined with their slices. */
  readonly #unjoined: Entry[] = [];
  /** Made on demand. */
  #array: readonly Service[] | undefined;

  /** @param changed called when a Service was added, changed or deleted */
  constructor(changed: (key: string, origin: Origin) => void) {
    this.#changed = changed;
    this.services = {
      get: (key) => this.#entries.get(key)?.service,
      keys: () => this.#keys(),
      set: (key, decoded, version, origin) => this.#setService(key, decoded, version, origin),
      delete: (key, origin) => this.#deleteService(key, origin),
    };
    this.slices = {
      get: (key) => this.#slices.get(key),
      keys: () => this.#slices.keys(),
      set: (key, slice, _version, origin) => this.#setSlice(key, slice, origin),
      delete: (key, origin) => this.#deleteSlice(key, origin),
    };
  }

  get(key: string): Service | undefined {
    const entry = this.#entries.get(key);
    return entry && shown(entry);
  }

  /** In no order. */
  *values(): Iterable<Service> {
    for (const entry of this.#entries.values()) {
      const service = shown(entry);
      if (service !== undefined) yield service;
    }
  }

  /** Sorted by key; the same array as long as readers see the same Services. */
  array(): readonly Service[] {
    this.#array ??= [...this.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return this.#array;
  }

  /** The resourceVersion of the Service of this name; undefined: it is unknown, or there is none. */
  version(key: string): string | undefined {
    return this.#entries.get(key)?.version;
  }

  /** The resourceVersion of this Service; undefined: it is unknown, or the Service has changed since. */
  versionOf(service: Service): string | undefined {
    const entry = this.#entries.get(service.key);
    return entry?.service === service ? entry.version : undefined;
  }

  /** Readers see the present state until {@link release}. */
  hold(): void {
    this.#held ??= [];
  }

  /**
   * Joins what lists have changed since {@link hold}, each Service once: it may have a hundred slices. Each `next()` does
   * a portion of a few milliseconds.
   */
  *join(): Generator<void> {
    let joined = 0;
    for (let entry = this.#unjoined.pop(); entry !== undefined; entry = this.#unjoined.pop()) {
      const origin = entry.unjoined;
      entry.unjoined = undefined;
      if (origin !== undefined) this.#join(entry, origin);
      joined += 1 + (entry.service?.endpoints.length ?? 0);
      if (joined < portion) continue;
      joined = 0;
      yield;
    }
  }

  release(): void {
    // What is left of it, in one go.
    Array.from(this.join());
    const held = this.#held ?? [];
    this.#held = undefined;
    if (held.length > 0) this.#array = undefined;
    for (const entry of held) {
      entry.former = undefined;
      this.#tidy(entry);
    }
  }

  *#keys(): Iterable<string> {
    for (const { key, service } of this.#entries.values()) if (service !== undefined) yield key;
  }

  #setService(
    key: string,
    decoded: DecodedService | undefined,
    version: string | undefined,
    origin: Origin,
  ): void {
    const entry = decoded === undefined ? this.#entries.get(key) : this.#entry(key);
    if (entry === undefined) return;
    entry.version = version;
    if (decoded === undefined) return;
    decoded.key = entry.key;
    decoded.endpoints = endpointsOf(entry.slice);
    decoded.slicesKnown = this.#areKnown(entry);
    if (!same(entry.service, decoded)) this.#show(entry, decoded, origin);
  }

  #deleteService(key: string, origin: Origin): void {
    const entry = this.#entries.get(key);
    if (entry?.service === undefined) return;
    entry.version = undefined;
    this.#show(entry, undefined, origin);
    this.#tidy(entry);
  }

  #setSlice(key: string, slice: Slice | undefined, origin: Origin): void {
    if (slice === undefined) return;
    const before = this.#slices.get(key);
    if (before !== undefined && isSame(before, slice)) return;
    this.#slices.set(key, slice);
    const former = this.#without(before);
    let next: Entry | undefined;
    if (slice.service !== undefined) {
      next = this.#entry(slice.service);
      slice.service = next.key;
      slice.next = next.slice;
      next.slice = slice;
      next.hadSlice = true;
      this.#lackNot(next.key, key);
    }
    if (former !== undefined && former !== next) this.#slicesChanged(former, origin);
    if (next !== undefined) this.#slicesChanged(next, origin);
  }

  #deleteSlice(key: string, origin: Origin): void {
    const before = this.#slices.get(key);
    this.#slices.delete(key);
    const former = this.#without(before);
    if (former === undefined) return;
    if (origin === 'list') this.#lack(former.key, key);
    this.#slicesChanged(former, origin);
  }

  /** Takes a slice from its Service. @returns the entry of that */
  #without(slice: Slice | undefined): Entry | undefined {
    if (slice?.service === undefined) return undefined;
    const entry = this.#entries.get(slice.service);
    if (entry === undefined) return undefined;
    if (entry.slice === slice) entry.slice = slice.next;
    for (let before = entry.slice; before !== undefined; before = before.next)
      if (before.next === slice) before.next = slice.next;
    return entry;
  }

  /** A list lacks a slice of the Service. */
  #lack(service: string, slice: string): void {
    const lacked = this.#lacked.get(service);
    if (lacked) lacked.add(slice);
    else this.#lacked.set(service, new Set([slice]));
  }

  /** A slice of the Service is there. */
  #lackNot(service: string, slice: string): void {
    const lacked = this.#lacked.get(service);
    lacked?.delete(slice);
    if (lacked?.size === 0) this.#lacked.delete(service);
  }

  /** The slices of a Service have changed. */
  #slicesChanged(entry: Entry, origin: Origin): void {
    if (this.#held === undefined || entry.service === undefined) {
      this.#join(entry, origin);
      return;
    }
    if (entry.unjoined === undefined) this.#unjoined.push(entry);
    if (entry.unjoined !== 'list') entry.unjoined = origin;
  }

  #join(entry: Entry, origin: Origin): void {
    const { service } = entry;
    if (service === undefined) {
      this.#tidy(entry);
      return;
    }
    const endpoints = endpointsOf(entry.slice);
    const slicesKnown = this.#areKnown(entry);
    if (service.slicesKnown === slicesKnown && same(service.endpoints, endpoints)) return;
    if (entry.former === undefined) {
      this.#show(entry, { ...service, endpoints, slicesKnown }, origin);
      return;
    }
    // Nobody has seen this one yet.
    service.endpoints = endpoints;
    service.slicesKnown = slicesKnown;
    this.#changed(entry.key, origin);
  }

  #show(entry: Entry, service: DecodedService | undefined, origin: Origin): void {
    if (this.#held === undefined) this.#array = undefined;
    else if (entry.former === undefined) {
      entry.former = entry.service ?? 'none';
      this.#held.push(entry);
    }
    entry.service = service;
    this.#changed(entry.key, origin);
  }

  /**
   * Removes an entry of which nothing is left. The slices of a Service go before it or after it. While one is left, the
   * list of Services may be the incomplete one.
   */
  #tidy(entry: Entry): void {
    const { key, service, former, slice } = entry;
    if (service !== undefined || slice !== undefined) return;
    this.#lacked.delete(key);
    entry.hadSlice = false;
    // One that is held goes when it is released: until then readers see what it was.
    if (former === undefined) this.#entries.delete(key);
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      key,
      service: undefined,
      former: undefined,
      version: undefined,
      slice: undefined,
      hadSlice: false,
      unjoined: undefined,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #areKnown({ key, hadSlice }: Entry): boolean {
    return hadSlice && !this.#lacked.has(key);
  }
}

function shown({ service, former }: Entry): Service | undefined {
  if (former === undefined) return service;
  return former === 'none' ? undefined : former;
}

function isSame(a: Slice, b: Slice): boolean {
  return a.uid === b.uid && a.service === b.service && same(a.endpoints, b.endpoints);
}

/** @param first of the slices of a Service */
function endpointsOf(first: Slice | undefined): readonly Endpoint[] {
  if (first === undefined) return none;
  // Nearly every Service has one slice, whose endpoints are sorted already.
  if (first.next === undefined) return first.endpoints;
  const all: Endpoint[] = [];
  for (let slice: Slice | undefined = first; slice !== undefined; slice = slice.next) {
    for (const endpoint of slice.endpoints) all.push(endpoint);
  }
  return exact(oncePerIp(all));
}
