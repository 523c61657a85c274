/**
 * Which version of each object stands on a shelf, and which ones are ahead of the watch: the API's answer to a
 * write of ours is the next version of the object, and what the watch or a list still tells of the one before it
 * is the past.
 */
export class Versions {
  #standing = new Map<string, string>();
  readonly #past = new Map<string, string>();

  of(key: string): string | undefined {
    return this.#standing.get(key);
  }

  /** Whether this version of the object was superseded by an answer to a write of ours. */
  isPast(key: string, version: string): boolean {
    return this.#past.get(key) === version;
  }

  set(key: string, version: string): void {
    this.#standing.set(key, version);
    this.#past.delete(key);
  }

  /** @returns false when something else has happened to the object since `from`; then nothing is set */
  answer(key: string, version: string, from: string): boolean {
    if (this.#standing.get(key) !== from) return false;
    this.#standing.set(key, version);
    this.#past.set(key, from);
    return true;
  }

  delete(key: string): void {
    this.#standing.delete(key);
    this.#past.delete(key);
  }

  /**
   * A whole new picture.
   *
   * @returns the keys of what stays as it is, because the picture shows it before the answer that we have
   */
  replace(picture: Map<string, string>): readonly string[] {
    const ahead: string[] = [];
    for (const [key, past] of this.#past) {
      const standing = this.#standing.get(key);
      if (picture.get(key) === past && standing !== undefined) {
        picture.set(key, standing);
        ahead.push(key);
      } else {
        this.#past.delete(key);
      }
    }
    this.#standing = picture;
    return ahead;
  }
}

/** `metadata.resourceVersion`; undefined when there is none, as in a file. */
export function versionOf(raw: unknown): string | undefined {
  if (typeof raw !== 'object' || raw === null || !('metadata' in raw)) return undefined;
  const { metadata } = raw;
  if (typeof metadata !== 'object' || metadata === null || !('resourceVersion' in metadata)) return undefined;
  const version = metadata.resourceVersion;
  return typeof version === 'string' && version !== '' ? version : undefined;
}
