/** How long each node has had a reason to drain, in ms of a clock that the caller looks at. */
export class DrainingNodes {
  readonly #since = new Map<string, number>();

  /** @returns ms; 0 for a node that has just begun, or does not drain */
  note(node: string, isDraining: boolean, now: number): number {
    if (!isDraining) {
      this.#since.delete(node);
      return 0;
    }
    const since = this.#since.get(node) ?? now;
    this.#since.set(node, since);
    return now - since;
  }

  /** Forgets the nodes that are not there. */
  keep(nodes: ReadonlySet<string>): void {
    for (const node of this.#since.keys()) if (!nodes.has(node)) this.#since.delete(node);
  }

  get isIdle(): boolean {
    return this.#since.size === 0;
  }
}
