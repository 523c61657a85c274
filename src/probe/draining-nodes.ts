/** How a node stands with regard to a drain. Times are ms of a clock that the caller looks at. */
export interface Drain {
  /** For how long it has had a reason to drain; 0 for a node that has just begun, or does not drain. */
  readonly ms: number;
  /** It has a reason, and gets its traffic still: the other nodes are only being told. */
  readonly isAhead: boolean;
  /** It has a reason no more, and the other nodes are not to forget it yet. */
  readonly isOver: boolean;
}

const none: Drain = { ms: 0, isAhead: false, isOver: false };

/** How long each node has had a reason to drain. */
export class DrainingNodes {
  readonly #since = new Map<string, { readonly since: number; readonly hasCarried: boolean }>();
  readonly #ended = new Map<string, number>();
  /** Nodes that were seen without a reason. */
  readonly #carried = new Set<string>();

  /**
   * @param lead ms between the news of a drain, or of its end, and the traffic that follows it. A node that was never seen
   *   without a reason, as after a start of this program, has none: its traffic is with others already.
   */
  note(node: string, isDraining: boolean, now: number, lead: number): Drain {
    if (!isDraining) {
      if (this.#since.delete(node)) this.#ended.set(node, now);
      this.#carried.add(node);
      const ended = this.#ended.get(node);
      if (ended === undefined) return none;
      if (now - ended < lead) return { ...none, isOver: true };
      this.#ended.delete(node);
      return none;
    }
    const { since, hasCarried } = this.#since.get(node) ?? {
      since: now,
      hasCarried: this.#carried.has(node),
    };
    this.#since.set(node, { since, hasCarried });
    this.#ended.delete(node);
    return { ms: now - since, isAhead: hasCarried && now - since < lead, isOver: false };
  }

  /** Forgets the nodes that are not there. */
  keep(nodes: ReadonlySet<string>): void {
    for (const known of [this.#since, this.#ended, this.#carried])
      for (const node of known.keys()) if (!nodes.has(node)) known.delete(node);
  }

  /** Whether time alone changes nothing. */
  get isIdle(): boolean {
    return this.#since.size === 0 && this.#ended.size === 0;
  }
}
