import type { KernelState } from '../model/desired.ts';
import type { Refusals } from '../model/desired-object.ts';
import type { Listing } from '../model/listing.ts';
import { type IdSpan, isWithin } from '../model/owner.ts';

/** Allocates free nexthop ids, lowest first: for the full recompute. */
export class Ids {
  #next: number;
  readonly #last: number;
  readonly #have: Listing;
  readonly #refused: Refusals;

  constructor(range: IdSpan, have: Listing, refused: Refusals) {
    [this.#next, this.#last] = range;
    this.#have = have;
    this.#refused = refused;
  }

  /** @throws RangeError when the range is used up: a million nodes or sets of nodes */
  take(): number {
    while (this.#next <= this.#last) {
      const id = this.#next;
      this.#next += 1;
      if (!isTaken(id, this.#have, this.#refused)) return id;
    }
    throw usedUp(this.#last);
  }
}

/** Allocates the nexthop ids of a range. A released id is free again once the kernel no longer has it. */
export class IdRange {
  readonly #span: IdSpan;
  #next: number;
  readonly #released: number[] = [];
  readonly #used = new Set<number>();

  constructor(span: IdSpan) {
    this.#span = span;
    [this.#next] = span;
  }

  /** The id is in use from now on; ids outside of the range are not counted. */
  use(id: number): void {
    if (isWithin(id, this.#span)) this.#used.add(id);
  }

  release(id: number): void {
    if (this.#used.delete(id)) this.#released.push(id);
  }

  /** @throws RangeError when the range is used up */
  take(kernel: KernelState): number {
    const at = this.#released.findIndex((id) => this.#isFree(id, kernel));
    const [released] = at < 0 ? [] : this.#released.splice(at, 1);
    const id = released ?? this.#fresh(kernel);
    this.#used.add(id);
    return id;
  }

  #fresh(kernel: KernelState): number {
    const [, last] = this.#span;
    while (this.#next <= last) {
      const id = this.#next;
      this.#next += 1;
      if (this.#isFree(id, kernel)) return id;
    }
    throw usedUp(last);
  }

  #isFree(id: number, kernel: KernelState): boolean {
    return !this.#used.has(id) && !isTaken(id, kernel, kernel.refused);
  }
}

/** An id that was refused for one object is not given to another: refusals are remembered by it. */
function isTaken(id: number, have: Listing, refused: Refusals): boolean {
  const key = `nexthop ${id}`;
  return have.foreignIds.has(id) || have.objects.has(key) || refused.has(key);
}

function usedUp(last: number): RangeError {
  return new RangeError(`all nexthop ids up to ${last} are in use`);
}
