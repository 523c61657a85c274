import type { Key } from '../model/object.ts';
import { type Held, isTooMany } from './report.ts';

/** How long deletes are held that are too many at once: until an end in time, or an operator agrees. */
export class Hold {
  /** ms since the epoch when the present hold ends. */
  #until: number | undefined;
  /** An operator agreed since the last round began; it counts from the next one on. */
  #asked = false;
  #agreed = false;
  /** Held deletes that an operator let go one by one, each with the Service that loses it. */
  readonly #released = new Map<Key, string>();

  /** An operator agrees with what is held. */
  agree(): void {
    this.#asked = true;
  }

  /** An operator lets these go, and no other. @param routes by key, each with the Service that loses it */
  release(routes: ReadonlyMap<Key, string>): void {
    for (const [key, service] of routes) this.#released.set(key, service);
  }

  /** What was let go one by one in the present hold. */
  get released(): ReadonlyMap<Key, string> {
    return this.#released;
  }

  /** A round begins. */
  begin(): void {
    this.#agreed ||= this.#asked;
    this.#asked = false;
  }

  /**
   * Whether nothing is held any more.
   *
   * @param at ms since the epoch
   */
  isReleased(at: number): boolean {
    return this.#agreed || (this.#until !== undefined && at >= this.#until);
  }

  /**
   * The end of the present hold, or of one that begins now; ms since the epoch.
   *
   * @param length ms
   */
  end(at: number, length: number): number {
    return this.#until ?? at + length;
  }

  /**
   * The hold begins with the first round with held deletes, and ends with the first round without.
   *
   * @param isDesired whether an object is to be there again: what an operator let go does not count for the next time
   */
  keep(held: readonly Held[], isDesired: (key: Key) => boolean): void {
    const hold = held.find(isTooMany);
    // Released deletes blocked by a refusal are not held again.
    if (hold === undefined && held.some(({ reason }) => reason === 'after a refusal')) return;
    this.#until = hold?.until;
    this.#agreed = false;
    for (const key of this.#released.keys())
      if (hold === undefined || isDesired(key)) this.#released.delete(key);
  }
}
