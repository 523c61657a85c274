/** Hands out nexthop ids that nobody has, lowest first. */
export class Ids {
  #next: number;
  readonly #last: number;
  readonly #taken: (id: number) => boolean;

  constructor(range: readonly [first: number, last: number], taken: (id: number) => boolean) {
    [this.#next, this.#last] = range;
    this.#taken = taken;
  }

  /** @throws RangeError when the range is used up: a million nodes or sets of nodes */
  take(): number {
    while (this.#next <= this.#last) {
      const id = this.#next;
      this.#next += 1;
      if (!this.#taken(id)) return id;
    }
    throw new RangeError(`all nexthop ids up to ${this.#last} are in use`);
  }
}
