/** Values with the first of their order at hand. */
export class Heap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #list: T[] = [];

  /** @param before whether `a` comes out before `b` */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get first(): T | undefined {
    return this.#list[0];
  }

  add(value: T): void {
    const list = this.#list;
    let at = list.length;
    list.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = list[parent];
      if (above === undefined || !this.#before(value, above)) break;
      list[at] = above;
      at = parent;
    }
    list[at] = value;
  }

  /** Takes the first one out. */
  drop(): void {
    const list = this.#list;
    const last = list.pop();
    if (last === undefined || list.length === 0) return;
    let at = 0;
    while (true) {
      const left = 2 * at + 1;
      const one = list[left];
      if (one === undefined) break;
      const other = list[left + 1];
      const right = other !== undefined && this.#before(other, one);
      const below = right ? other : one;
      if (!this.#before(below, last)) break;
      list[at] = below;
      at = right ? left + 1 : left;
    }
    list[at] = last;
  }
}
