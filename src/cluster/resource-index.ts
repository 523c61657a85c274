import { isDeepStrictEqual } from 'node:util';
import type { Origin } from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import type { Decode, Decoded } from './object-decoder.ts';
import { type OwnWrites, uidOf, versionOf } from './versions.ts';

/**
 * Where the objects of a resource are kept, by key. It tells its readers of a change, and keeps an object that changes
 * in no field we use.
 *
 * @typeParam D an object that was just decoded, which the table may complete
 */
export interface ObjectTable<T, D extends T = T> {
  get(key: string): T | undefined;
  keys(): Iterable<string>;
  /**
   * @param decoded undefined: the object is there and cannot be read; what was read of it before stays
   * @param version its resourceVersion; undefined: unknown
   */
  set(key: string, decoded: D | undefined, version: string | undefined, origin: Origin): void;
  /** An object that is in the table was deleted, or a list lacks it. */
  delete(key: string, origin: Origin): void;
}

/** How an index handles its resource. */
export interface IndexOptions<T, D extends T = T> {
  readonly decode: Decode<D>;
  readonly table: ObjectTable<T, D>;
  /** Called with all problems of an object whenever they change; with an empty list when they are solved. */
  readonly report: (key: string, problems: readonly Problem[]) => void;
  /** For a resource that we write. */
  readonly writes?: OwnWrites;
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

/** The objects of one resource. Takes API objects. */
export interface ResourceIndex {
  set(raw: unknown): void;
  delete(raw: unknown): void;
  replacement(): Replacement;
}

const nameless = '?';
const portion = 500;

/** Decodes the objects of a resource into a table. */
export class DecodedIndex<T extends { readonly uid: string }, D extends T = T> implements ResourceIndex {
  readonly #decode: Decode<D>;
  readonly #table: ObjectTable<T, D>;
  readonly #report: IndexOptions<T>['report'];
  readonly #writes: OwnWrites | undefined;
  readonly #faulty = new Set<string>();

  constructor({ decode, table, report, writes }: IndexOptions<T, D>) {
    this.#decode = decode;
    this.#table = table;
    this.#report = report;
    this.#writes = writes;
  }

  set(raw: unknown): void {
    const decoded = this.#decode(raw);
    const { key } = decoded;
    const version = versionOf(raw);
    if (key !== undefined && version !== undefined) {
      if (this.#writes?.isStale(key, version)) return;
      this.#writes?.reached(key);
    }
    this.#take(decoded, version);
  }

  /** Applies the API's answer to a write of ours that named the version `from`. */
  answer(raw: unknown, from: string): void {
    const decoded = this.#decode(raw);
    const { key } = decoded;
    const version = versionOf(raw);
    if (key === undefined || version === undefined) return;
    if (this.#writes?.answer(key, version, from)) this.#take(decoded, version);
  }

  #take(decoded: Decoded<D>, version: string | undefined): void {
    this.#note(decoded);
    const { key, object } = decoded;
    if (key !== undefined) this.#table.set(key, object, version, 'event');
  }

  delete(raw: unknown): void {
    const decoded = this.#decode(raw);
    const { key } = decoded;
    if (key === undefined) {
      this.#note(decoded);
      return;
    }
    const before = this.#table.get(key);
    if (before !== undefined && isAnother(before, raw)) return;
    this.#clear(key);
    this.#writes?.reached(key);
    if (before !== undefined) this.#table.delete(key, 'event');
  }

  replacement(): Replacement {
    // One array for each field: an object for each item would be kept until the list is complete.
    const keys: string[] = [];
    const objects: (D | undefined)[] = [];
    const versions: (string | undefined)[] = [];
    const troubled: Decoded<D>[] = [];
    return {
      add: (raw) => {
        const decoded = this.#decode(raw);
        if (decoded.problems.length > 0) troubled.push(decoded);
        if (decoded.key === undefined) return;
        keys.push(decoded.key);
        objects.push(decoded.object);
        if (this.#writes) versions.push(versionOf(raw));
      },
      commit: (version) => this.#replace({ keys, objects, versions, troubled, version }),
    };
  }

  *#replace({ keys, objects, versions, troubled, version }: NewList<D>): Generator<void> {
    const stillFaulty = new Set(troubled.map(({ key }) => key ?? nameless));
    for (const key of this.#faulty) if (!stillFaulty.has(key)) this.#clear(key);
    for (const decoded of troubled) this.#note(decoded);
    const missing = new Set(this.#table.keys());
    for (const key of keys) missing.delete(key);
    let touched = 0;
    for (const key of missing) {
      if (!this.#outlives(key, undefined, version)) this.#table.delete(key, 'list');
      touched += 1;
      if (touched % portion === 0) yield;
    }
    let at = 0;
    for (const key of keys) {
      const listed = versions[at];
      if (!this.#outlives(key, listed, version)) this.#table.set(key, objects[at], listed, 'list');
      at += 1;
      if ((touched + at) % portion === 0) yield;
    }
  }

  /** Whether our own last write of the object is newer than the list. */
  #outlives(key: string, listed: string | undefined, list: string | undefined): boolean {
    if (this.#writes === undefined) return false;
    if (this.#writes.outlives(key, listed, list)) return true;
    this.#writes.reached(key);
    return false;
  }

  #note({ key = nameless, problems }: Decoded<T>): void {
    if (problems.length === 0) {
      this.#clear(key);
      return;
    }
    this.#faulty.add(key);
    this.#report(key, problems);
  }

  #clear(key: string): void {
    if (this.#faulty.delete(key)) this.#report(key, []);
  }
}

/** What a list has; the first three by its order. */
interface NewList<D> {
  readonly keys: readonly string[];
  readonly objects: readonly (D | undefined)[];
  /** Empty where they do not count. */
  readonly versions: readonly (string | undefined)[];
  readonly troubled: readonly Decoded<D>[];
  /** Of the list itself. */
  readonly version: string | undefined;
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
