import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Failure } from './failure.ts';
import { at, clean, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import { apiVersion, type Kind } from './kinds.ts';

/** A step of history. */
export interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kind: Kind;
  readonly object: JsonObject;
  /** undefined for ADDED */
  readonly before: JsonObject | undefined;
}

export interface Listing {
  readonly items: readonly JsonObject[];
  readonly version: number;
}

/** What etcd is to an API server: objects, one counter for all versions, and a history that can be compacted. */
export class Objects {
  #version = 1;
  #compacted = 0;
  readonly #objects = new Map<Kind, Map<string, JsonObject>>();
  #history: Change[] = [];
  readonly #listeners = new Set<(change: Change) => void>();
  /** All objects of a kind by namespace and name, of the kinds that have not changed since they were listed. */
  readonly #inOrder = new Map<Kind, readonly JsonObject[]>();
  /** Listings that somebody reads page by page, by their id. */
  readonly #paged = new Map<string, Listing>();

  get version(): number {
    return this.#version;
  }

  get(kind: Kind, namespace: string, name: string): JsonObject {
    const found = this.#of(kind).get(keyOf(namespace, name));
    if (found === undefined) throw missing(kind, name);
    return found;
  }

  has(kind: Kind, namespace: string, name: string): boolean {
    return this.#of(kind).has(keyOf(namespace, name));
  }

  /** @param namespace empty: all */
  list(kind: Kind, namespace: string): Listing {
    const items = this.#allOf(kind);
    const here = namespace === '' ? items : items.filter((item) => namespaceOf(item) === namespace);
    return { items: here, version: this.#version };
  }

  /** Keeps a listing, so that its pages fit together. */
  keep(listing: Listing): string {
    const id = randomUUID();
    this.#paged.set(id, listing);
    return id;
  }

  /** @throws Failure 410 when the listing has been compacted away */
  kept(id: string): Listing {
    const listing = this.#paged.get(id);
    if (listing !== undefined) return listing;
    throw new Failure(410, 'The provided continue parameter is too old to display a consistent list result.');
  }

  release(id: string): void {
    this.#paged.delete(id);
  }

  create(kind: Kind, object: JsonObject): JsonObject {
    const metadata = objectAt(object, 'metadata');
    const key = keyOf(namespaceOf(object), nameOf(object));
    if (this.#of(kind).has(key)) {
      throw new Failure(409, `${kind.plural} "${nameOf(object)}" already exists`, 'AlreadyExists');
    }
    const made = {
      apiVersion: apiVersion(kind),
      kind: kind.kind,
      ...object,
      metadata: clean({
        ...metadata,
        uid: randomUUID(),
        creationTimestamp: new Date().toISOString().replace(/\.\d+/, ''),
        deletionTimestamp: undefined,
      }),
    };
    return this.#store('ADDED', kind, key, made, undefined);
  }

  /** @throws Failure 409 when the object names another version than the present one */
  update(kind: Kind, object: JsonObject): JsonObject {
    const key = keyOf(namespaceOf(object), nameOf(object));
    const before = this.get(kind, namespaceOf(object), nameOf(object));
    const claimed = textAt(object, 'metadata', 'resourceVersion');
    if (claimed !== '' && claimed !== textAt(before, 'metadata', 'resourceVersion')) {
      throw new Failure(
        409,
        `Operation cannot be fulfilled on ${kind.plural} "${nameOf(object)}": the object has been modified; please apply your changes to the latest version and try again`,
      );
    }
    const { uid, creationTimestamp, deletionTimestamp, resourceVersion } = objectAt(before, 'metadata');
    const fixed = { uid, creationTimestamp, deletionTimestamp, resourceVersion };
    const after = { ...object, metadata: clean({ ...objectAt(object, 'metadata'), ...fixed }) };
    // What changes nothing makes no new version.
    if (isDeepStrictEqual(after, before)) return before;
    if (deletionTimestamp !== undefined && listAt(after, 'metadata', 'finalizers').length === 0) {
      return this.#store('DELETED', kind, key, after, before);
    }
    return this.#store('MODIFIED', kind, key, after, before);
  }

  /** An object with finalizers only gets its deletionTimestamp; it goes when they are gone. */
  delete(kind: Kind, namespace: string, name: string): JsonObject {
    const before = this.get(kind, namespace, name);
    const key = keyOf(namespace, name);
    if (listAt(before, 'metadata', 'finalizers').length === 0) {
      return this.#store('DELETED', kind, key, before, before);
    }
    if (at(before, 'metadata', 'deletionTimestamp') !== undefined) return before;
    const metadata = {
      ...objectAt(before, 'metadata'),
      deletionTimestamp: new Date().toISOString().replace(/\.\d+/, ''),
      deletionGracePeriodSeconds: 0,
    };
    return this.#store('MODIFIED', kind, key, { ...before, metadata }, before);
  }

  /** Puts an object in as it is, whatever it is. */
  put(kind: Kind, key: string, object: JsonObject): void {
    const before = this.#of(kind).get(key);
    this.#store(before === undefined ? 'ADDED' : 'MODIFIED', kind, key, object, before);
  }

  /** Takes all objects of a kind away without a word to the watches, as a restored backup would. */
  forget(kind: Kind): void {
    this.#of(kind).clear();
    this.#inOrder.delete(kind);
    this.compact();
  }

  /**
   * What happened after a version, in order.
   *
   * @throws Failure 410 when that is no longer known
   */
  since(version: number): readonly Change[] {
    if (version < this.#compacted) {
      throw new Failure(410, `too old resource version: ${version} (${this.#compacted})`);
    }
    const first = this.#history.findIndex((change) => change.version > version);
    return first < 0 ? [] : this.#history.slice(first);
  }

  /** Forgets all history: whoever is not up to date has to list again. */
  compact(): void {
    this.#version += 1;
    this.#compacted = this.#version;
    this.#history = [];
    this.#paged.clear();
  }

  /** @returns a function that stops listening */
  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** In order as etcd has them; to sort a hundred thousand for each list would be seconds that no API server takes. */
  #allOf(kind: Kind): readonly JsonObject[] {
    const known = this.#inOrder.get(kind);
    if (known !== undefined) return known;
    const entries = [...this.#of(kind)].sort(([a], [b]) => (a < b ? -1 : 1));
    const items = entries.map(([, object]) => object);
    this.#inOrder.set(kind, items);
    return items;
  }

  #of(kind: Kind): Map<string, JsonObject> {
    const held = this.#objects.get(kind);
    if (held !== undefined) return held;
    const made = new Map<string, JsonObject>();
    this.#objects.set(kind, made);
    return made;
  }

  #store(
    type: Change['type'],
    kind: Kind,
    key: string,
    object: JsonObject,
    before: JsonObject | undefined,
  ): JsonObject {
    this.#version += 1;
    const metadata = { ...objectAt(object, 'metadata'), resourceVersion: String(this.#version) };
    const stamped = { ...object, metadata };
    if (type === 'DELETED') this.#of(kind).delete(key);
    else this.#of(kind).set(key, stamped);
    this.#inOrder.delete(kind);
    const change: Change = { version: this.#version, type, kind, object: stamped, before };
    this.#history.push(change);
    // An API server remembers minutes, not days.
    if (this.#history.length > 50_000) {
      this.#compacted = this.#history[10_000]?.version ?? this.#version;
      this.#history = this.#history.slice(10_001);
    }
    for (const listener of this.#listeners) listener(change);
    return stamped;
  }
}

export function nameOf(object: JsonObject): string {
  return textAt(object, 'metadata', 'name');
}

export function namespaceOf(object: JsonObject): string {
  return textAt(object, 'metadata', 'namespace');
}

export function missing(kind: Kind, name: string): Failure {
  const group = kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
  return new Failure(404, `${group} "${name}" not found`);
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
