import type { Listing } from '../model/listing.ts';
import type { Refusals } from '../model/want.ts';

/** Hands out nexthop ids that nobody has, lowest first. */
export class Ids {
  #next: number;
  readonly #last: number;
  readonly #have: Listing;
  readonly #refused: Refusals;

  constructor(range: readonly [first: number, last: number], have: Listing, refused: Refusals) {
    [this.#next, this.#last] = range;
    this.#have = have;
    this.#refused = refused;
  }

  /** @throws RangeError when the range is used up: a million nodes or sets of nodes */
  take(): number {
    while (this.#next <= this.#last) {
      const id = this.#next;
      this.#next += 1;
      if (!this.#isTaken(id)) return id;
    }
    throw new RangeError(`all nexthop ids up to ${this.#last} are in use`);
  }

  /** An id that was refused for one object is not given to another: refusals are remembered by it. */
  #isTaken(id: number): boolean {
    const key = `nexthop ${id}`;
    return this.#have.foreignIds.has(id) || this.#have.objects.has(key) || this.#refused.has(key);
  }
}
