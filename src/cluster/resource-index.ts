import type { Problem } from '../model/problem.ts';
import { type Decode, type Decoded, same } from './decode.ts';
import { uidOf, type Versions, versionOf } from './versions.ts';

/** What an index does with the objects of its resource. */
export interface IndexOptions<T> {
  readonly decode: Decode<T>;
  /** Called when an object appears, changes in a field that we look at, or goes. */
  readonly changed: (key: string, before: T | undefined, after: T | undefined) => void;
  /** Called with the problems of an object whenever they change; an empty list takes them back. */
  readonly report: (key: string, problems: readonly Problem[]) => void;
  /** Adds to a decoded object what comes from other objects. */
  readonly complete?: (key: string, decoded: T) => T;
  /** Of objects that we write ourselves. */
  readonly versions?: Versions;
}

/** A new picture of a whole resource; nothing of it counts before it is committed (by the store). */
export interface Replacement {
  add(raw: unknown): void;
  /**
   * Puts the new picture in the place of the old one; objects that did not change keep their identity. Each `next()`
   * does a portion of about a millisecond.
   *
   * @param version of the list; undefined: it has none
   */
  commit(version: string | undefined): Iterator<void>;
}

/** Where the objects of one resource are kept; takes them as the API shows them. */
export interface ResourceIndex {
  set(raw: unknown): void;
  delete(raw: unknown): void;
  replacement(): Replacement;
}

const nameless = '?';
const portion = 500;

/** Keeps them decoded. */
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

  /** Puts an object in the place of the one of this key, which is known to the one who puts it. */
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

  /** The API's answer to a write that was made for the version `from`. */
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
    this.#options.changed(key, before, after);
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
    this.#options.changed(key, before, undefined);
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
      this.#options.changed(key, before, undefined);
      touched += 1;
      if (touched % portion === 0) yield;
    }
    for (const [key, after] of next) {
      const before = former.get(key);
      if (before === after) continue;
      this.#options.changed(key, before, after);
      touched += 1;
      if (touched % portion === 0) yield;
    }
  }

  /** The object as it is to stand: the old one when nothing changed, or when the new one can not be read. */
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

/** Whether a deletion is of an earlier object with the name of this one. */
function isAnother({ uid }: { readonly uid: string }, deleted: unknown): boolean {
  const gone = uidOf(deleted);
  return uid !== '' && gone !== undefined && gone !== uid;
}
