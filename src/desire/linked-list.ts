/** What is in a list knows who is before and behind it there. */
export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

/**
 * Members in the order in which they came. The links are in the members themselves, so that to come or to go costs no
 * look-up: a set of a hundred thousand would find each by its hash.
 */
export class LinkedList<T extends Linked<T>> implements Iterable<T> {
  #first: T | undefined;
  #last: T | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first;
  }

  /** The member at hand may go on the way. */
  *[Symbol.iterator](): Generator<T> {
    let member = this.#first;
    while (member !== undefined) {
      const { next } = member;
      yield member;
      member = next;
    }
  }

  /** @param member in no list of its kind */
  add(member: T): void {
    const last = this.#last;
    member.previous = last;
    member.next = undefined;
    if (last === undefined) this.#first = member;
    else last.next = member;
    this.#last = member;
    this.#size += 1;
  }

  /** @param member in this list */
  delete(member: T): void {
    const { previous, next } = member;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    member.previous = undefined;
    member.next = undefined;
    this.#size -= 1;
  }
}
