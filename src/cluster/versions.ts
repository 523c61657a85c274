import { part, text } from './raw.ts';

/**
 * The resourceVersion of each object in an index. No object goes back to a state before our own last write of it.
 *
 * The answer to a write is applied at once, so the object is ahead of the watch. Until the watch or a list reaches the
 * version of that answer, older versions of the object are ignored, however many writes are outstanding.
 *
 * Kubernetes guarantees since 1.35 that resourceVersions of one resource are increasing decimal integers (KEP-5504);
 * with etcd they always were. For other servers the versions that our writes replaced are remembered one by one. That set is
 * complete, because each write names the version it replaces.
 */
export class Versions {
  #current = new Map<string, string>();
  /** For each object that is ahead of the watch: the versions that our writes replaced. */
  readonly #replaced = new Map<string, Set<string>>();

  of(key: string): string | undefined {
    return this.#current.get(key);
  }

  /** Whether the version is older than our own last write of the object. */
  isStale(key: string, version: string): boolean {
    const replaced = this.#replaced.get(key);
    const current = this.#current.get(key);
    if (replaced === undefined || current === undefined) return false;
    return (isOlder(version, current) ?? false) || replaced.has(version);
  }

  /** Sets the version that the watch shows; it must not be stale. */
  set(key: string, version: string): void {
    this.#current.set(key, version);
    this.#replaced.delete(key);
  }

  /**
   * Sets the version in the API's answer to a write of ours.
   *
   * @param from the version that the write named
   * @returns false when the answer is outdated: the object was deleted, or the watch has shown a newer version
   */
  answer(key: string, version: string, from: string): boolean {
    const current = this.#current.get(key);
    if (current === undefined || !(isOlder(current, version) ?? current === from)) return false;
    this.#current.set(key, version);
    const replaced = this.#replaced.get(key);
    if (replaced === undefined) this.#replaced.set(key, new Set([from]));
    else replaced.add(from);
    return true;
  }

  delete(key: string): void {
    this.#current.delete(key);
    this.#replaced.delete(key);
  }

  /**
   * Replaces all versions by those of a list.
   *
   * @param listed version by key; the versions of the returned keys are added
   * @param version resourceVersion of the list itself
   * @returns keys of the objects to keep, because our own last write is newer than the list
   */
  replace(listed: Map<string, string>, version: string | undefined): readonly string[] {
    const ahead: string[] = [];
    for (const [key, replaced] of this.#replaced) {
      const current = this.#current.get(key);
      if (current === undefined) continue;
      // A missing object was deleted when the list is newer than our write, or created after the list when it is older.
      const older = version === undefined ? undefined : isOlder(version, current);
      if (older ?? replaced.has(listed.get(key) ?? '')) {
        listed.set(key, current);
        ahead.push(key);
      } else {
        this.#replaced.delete(key);
      }
    }
    this.#current = listed;
    return ahead;
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
