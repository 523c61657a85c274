import { isDeepStrictEqual } from 'node:util';
import type { Origin } from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import type { Decode, Decoded } from './object-decoder.ts';
import { uidOf, type Versions, versionOf } from './versions.ts';

/** How an index handles its resource. */
export interface IndexOptions<T> {
  readonly decode: Decode<T>;
  /** Called when an object is added, deleted, or changed in a field we use. */
  readonly changed: (change: IndexChange<T>) => void;
  /** Called with all problems of an object whenever they change; with an empty list when they are solved. */
  readonly report: (key: string, problems: readonly Problem[]) => void;
  /** Adds the fields that come from other objects. */
  readonly complete?: (key: string, decoded: T) => T;
  /** For a resource that we write. */
  readonly versions?: Versions;
}

/** A change of one object. */
export interface IndexChange<T> {
  readonly key: string;
  /** undefined: it was added. */
  readonly before: T | undefined;
  /** undefined: it was deleted, or a list lacks it. */
  readonly after: T | undefined;
  readonly origin: Origin;
}

/** A new list of a whole resource. It takes effect when the store commits it. */
export interface Replacement {
  add(raw: unknown): void;
  /**
   * Replaces the old objects; unchanged objects keep their identity. Each `next()` does a portion of about a
   * millisecond.
   *
   * @param version resourceVersion of the list; undefined: unknown
   */
  commit(version: string | undefined): Iterator<void>;
}

/** The objects of one resource, by key. Takes API objects. */
export interface ResourceIndex {
  set(raw: unknown): void;
  delete(raw: unknown): void;
  replacement(): Replacement;
}

const nameless = '?';
const portion = 500;

/** An index of decoded objects. */
export class DecodedIndex<T extends { readonly uid: string }> implements ResourceIndex {
  readonly #options: IndexOptions<T>;
  readonly #versions: Versions | undefined;
  #objects = new Map<string, T>();
  #faulty = new Set<string>();

  constructor(options: IndexOptions<T>) {
    this.#options = options;
    this.#versions = options.versions;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** Replaces an object without calling `changed`. */
  put(key: string, object: T): void {
    this.#objects.set(key, object);
  }

  set(raw: unknown): void {
    const decoded = this.#options.decode(raw);
    const { key } = decoded;
    const version = this.#versions && versionOf(raw);
    if (key !== undefined && version !== undefined) {
      if (this.#versions?.isStale(key, version)) return;
      this.#versions?.set(key, version);
    }
    this.#take(decoded);
  }

  /** Applies the API's answer to a write of ours that named the version `from`. */
  answer(raw: unknown, from: string): void {
    const decoded = this.#options.decode(raw);
    const { key } = decoded;
    const version = versionOf(raw);
    if (key === undefined || version === undefined) return;
    if (this.#versions?.answer(key, version, from)) this.#take(decoded);
  }

  #take(decoded: Decoded<T>): void {
    this.#note(decoded);
    const { key } = decoded;
    if (key === undefined) return;
    const before = this.#objects.get(key);
    const after = this.#keep(decoded);
    if (after === undefined || after === before) return;
    this.#objects.set(key, after);
    this.#options.changed({ key, before, after, origin: 'event' });
  }

  delete(raw: unknown): void {
    const decoded = this.#options.decode(raw);
    const { key } = decoded;
    if (key === undefined) {
      this.#note(decoded);
      return;
    }
    const before = this.#objects.get(key);
    if (before !== undefined && isAnother(before, raw)) return;
    this.#clear(key);
    this.#versions?.delete(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#options.changed({ key, before, after: undefined, origin: 'event' });
  }

  replacement(): Replacement {
    const next = new Map<string, T>();
    const versions = new Map<string, string>();
    const troubled: Decoded<T>[] = [];
    return {
      add: (raw) => {
        const decoded = this.#options.decode(raw);
        if (decoded.problems.length > 0) troubled.push(decoded);
        const { key } = decoded;
        const version = this.#versions && versionOf(raw);
        if (key !== undefined && version !== undefined) versions.set(key, version);
        const object = this.#keep(decoded);
        if (key !== undefined && object !== undefined) next.set(key, object);
      },
      commit: (version) => {
        for (const key of this.#versions?.replace(versions, version) ?? []) {
          const object = this.#objects.get(key);
          if (object !== undefined) next.set(key, object);
        }
        return this.#replace(next, troubled);
      },
    };
  }

  *#replace(next: Map<string, T>, troubled: readonly Decoded<T>[]): Generator<void> {
    const former = this.#objects;
    this.#objects = next;
    const stillFaulty = new Set(troubled.map(({ key }) => key ?? nameless));
    for (const key of this.#faulty) if (!stillFaulty.has(key)) this.#clear(key);
    for (const decoded of troubled) this.#note(decoded);
    let touched = 0;
    for (const [key, before] of former) {
      if (next.has(key)) continue;
      this.#options.changed({ key, before, after: undefined, origin: 'list' });
      touched += 1;
      if (touched % portion === 0) yield;
    }
    for (const [key, after] of next) {
      const before = former.get(key);
      if (before === after) continue;
      this.#options.changed({ key, before, after, origin: 'list' });
      touched += 1;
      if (touched % portion === 0) yield;
    }
  }

  /** The former object when nothing has changed or the new one cannot be decoded, else the new one. */
  #keep({ key, object }: Decoded<T>): T | undefined {
    if (key === undefined) return undefined;
    const before = this.#objects.get(key);
    if (object === undefined) return before;
    const whole = this.#options.complete?.(key, object) ?? object;
    return before !== undefined && same(before, whole) ? before : whole;
  }

  #note({ key = nameless, problems }: Decoded<T>): void {
    if (problems.length === 0) {
      this.#clear(key);
      return;
    }
    this.#faulty.add(key);
    this.#options.report(key, problems);
  }

  #clear(key: string): void {
    if (this.#faulty.delete(key)) this.#options.report(key, []);
  }
}

/** Whether the deleted object is an earlier one of the same name. */
function isAnother({ uid }: { readonly uid: string }, deleted: unknown): boolean {
  const gone = uidOf(deleted);
  return uid !== '' && gone !== undefined && gone !== uid;
}

/** Whether an update changes none of the fields we use. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b);
}
