import { part, text } from './raw.ts';

/**
 * The resourceVersion of each object in the index, so that nothing older than our own last write of an object is taken.
 *
 * The API's answer to a write is applied at once, which puts the object ahead of the watch. Until the watch or a list
 * has caught up with that answer, everything older is ignored, however many writes of ours are outstanding.
 *
 * Kubernetes 1.35 and newer guarantee that versions of one resource are decimal integers that grow (KEP-5504), and etcd
 * has always given such. Where a server gives others, the versions that our writes have replaced are remembered one
 * by one: each write names the version it is made for, so that no other version lies between them.
 */
export class Versions {
  #current = new Map<string, string>();
  /** For objects that are ahead of the watch: the versions that our writes have replaced. */
  readonly #replaced = new Map<string, Set<string>>();

  of(key: string): string | undefined {
    return this.#current.get(key);
  }

  /** Whether our own last write of the object is newer. */
  isStale(key: string, version: string): boolean {
    const replaced = this.#replaced.get(key);
    const current = this.#current.get(key);
    if (replaced === undefined || current === undefined) return false;
    return (isOlder(version, current) ?? false) || replaced.has(version);
  }

  /** The watch shows the object at this version, which {@link isStale} did not reject. */
  set(key: string, version: string): void {
    this.#current.set(key, version);
    this.#replaced.delete(key);
  }

  /**
   * The API has answered our write.
   *
   * @param from the version that the write was made for
   * @returns false when the answer is of no use: the object is gone, or the watch has shown something newer
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
   * @param listed key and version of each object in the list; completed by the objects that stay as they are
   * @param version of the list itself
   * @returns the keys of the objects that stay as they are, because our own last write is newer than the list
   */
  replace(listed: Map<string, string>, version: string | undefined): readonly string[] {
    const ahead: string[] = [];
    for (const [key, replaced] of this.#replaced) {
      const current = this.#current.get(key);
      if (current === undefined) continue;
      // An object that the list lacks may have been deleted after our write, or created after the list was made.
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

/** undefined: these two cannot be compared */
function isOlder(version: string, than: string): boolean | undefined {
  if (!isComparable(version) || !isComparable(than)) return undefined;
  // They may have more digits than a number can hold.
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
