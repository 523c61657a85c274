/** Numbers, the smallest at hand; each once. */
export class Heap {
  readonly #list: number[] = [];
  readonly #in = new Set<number>();

  get least(): number | undefined {
    return this.#list[0];
  }

  add(value: number): void {
    if (this.#in.has(value)) return;
    this.#in.add(value);
    const list = this.#list;
    let at = list.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = list[parent] ?? 0;
      if (above <= value) break;
      list[at] = above;
      at = parent;
    }
    list[at] = value;
  }

  /** Takes the smallest out. */
  drop(): void {
    const list = this.#list;
    const [first] = list;
    const last = list.pop();
    if (first === undefined || last === undefined) return;
    this.#in.delete(first);
    if (list.length === 0) return;
    let at = 0;
    while (true) {
      const left = 2 * at + 1;
      if (left >= list.length) break;
      const right = left + 1;
      const child = (list[right] ?? Number.POSITIVE_INFINITY) < (list[left] ?? 0) ? right : left;
      const below = list[child] ?? 0;
      if (below >= last) break;
      list[at] = below;
      at = child;
    }
    list[at] = last;
  }
}
