import { part, text } from './raw.ts';

/**
 * Our own writes of objects, as far as the watch has not reached them. No object goes back to a state before our own last
 * write of it.
 *
 * The answer to a write is applied at once, so the object is ahead of the watch. Until the watch or a list reaches the
 * version of that answer, older versions of the object are ignored, however many writes are outstanding.
 *
 * Kubernetes guarantees since 1.35 that resourceVersions of one resource are increasing decimal integers (KEP-5504);
 * with etcd they always were. For other servers the versions that our writes replaced are remembered one by one. That set is
 * complete, because each write names the version it replaces.
 */
export class OwnWrites {
  readonly #versionOf: (key: string) => string | undefined;
  /** For each object that is ahead of the watch: the versions that our writes replaced. */
  readonly #replaced = new Map<string, Set<string>>();

  /** @param versionOf the present version of an object; undefined: it is unknown, or there is none */
  constructor(versionOf: (key: string) => string | undefined) {
    this.#versionOf = versionOf;
  }

  /** Whether the version is older than our own last write of the object. */
  isStale(key: string, version: string): boolean {
    const replaced = this.#replaced.get(key);
    if (replaced === undefined) return false;
    const current = this.#versionOf(key);
    if (current === undefined) return false;
    return (isOlder(version, current) ?? false) || replaced.has(version);
  }

  /** The watch or a list has reached our last write of the object, or the object is gone. */
  reached(key: string): void {
    this.#replaced.delete(key);
  }

  /**
   * Notes the API's answer to a write of ours.
   *
   * @param version of the object in the answer
   * @param from the version that the write named
   * @returns false when the answer is outdated: the object was deleted, or the watch has shown a newer version
   */
  answer(key: string, version: string, from: string): boolean {
    const current = this.#versionOf(key);
    if (current === undefined || !(isOlder(current, version) ?? current === from)) return false;
    const replaced = this.#replaced.get(key);
    if (replaced === undefined) this.#replaced.set(key, new Set([from]));
    else replaced.add(from);
    return true;
  }

  /**
   * Whether our own last write of the object is newer than a list.
   *
   * @param listed version of the object in the list; undefined: the list lacks it
   * @param list resourceVersion of the list itself; undefined: unknown
   */
  outlives(key: string, listed: string | undefined, list: string | undefined): boolean {
    const replaced = this.#replaced.get(key);
    if (replaced === undefined) return false;
    const current = this.#versionOf(key);
    if (current === undefined) return false;
    // A missing object was deleted when the list is newer than our write, or created after the list when it is older.
    const older = list === undefined ? undefined : isOlder(list, current);
    return older ?? replaced.has(listed ?? '');
  }
}

/** undefined: not comparable */
function isOlder(version: string, than: string): boolean | undefined {
  if (!isComparable(version) || !isComparable(than)) return undefined;
  // As text, since a number loses digits beyond 2^53.
  return version.length === than.length ? version < than : version.length < than.length;
}

function isComparable(version: string): boolean {
  return /^[1-9][0-9]*$/.test(version);
}

/** `metadata.resourceVersion`; undefined when there is none, as in a file. */
export function versionOf(raw: unknown): string | undefined {
  return text(part(part(raw).metadata).resourceVersion);
}

/** `metadata.uid` */
export function uidOf(raw: unknown): string | undefined {
  return text(part(part(raw).metadata).uid);
}
