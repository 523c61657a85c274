/** An HTTP answer instead of the right one. */
export interface Refusal {
  readonly status: number;
  readonly message?: string;
  /** seconds */
  readonly retryAfter?: number;
}

/** What the server is to do wrong. Set by tests, read by the server. */
export class Faults {
  /** Accept connections and requests, and answer nothing; open watches hear nothing either. */
  silent = false;
  #refusals: { refusal: Refusal; left: number; path: RegExp }[] = [];
  readonly #forbidden = new Set<string>();

  /** Answers the next `times` requests (of paths that match) with this. */
  refuse(refusal: Refusal, times = 1, path = /^\/apis?\//): void {
    this.#refusals.push({ refusal, left: times, path });
  }

  /** Does right again; what is forbidden stays so. */
  clear(): void {
    this.#refusals = [];
    this.silent = false;
  }

  /** As if the RBAC rule were missing: `list services`. */
  forbid(verb: string, resource: string): void {
    this.#forbidden.add(`${verb} ${resource}`);
  }

  allow(verb: string, resource: string): void {
    this.#forbidden.delete(`${verb} ${resource}`);
  }

  forbids(verb: string, resource: string): boolean {
    return this.#forbidden.has(`${verb} ${resource}`);
  }

  /** @param path with its query */
  take(path: string): Refusal | undefined {
    const found = this.#refusals.find((each) => each.path.test(path));
    if (found === undefined) return undefined;
    found.left -= 1;
    if (found.left === 0) this.#refusals = this.#refusals.filter((each) => each !== found);
    return found.refusal;
  }
}
