import type { Ip } from '../model/ip.ts';

/** Names of nodes whose coming and going may change where an EIP goes; 'all': every node's may. */
export type DependsOn = readonly string[] | 'all';

/** The EIPs that depend on a node. */
export class NodeDependents {
  readonly #byNode = new Map<string, Set<Ip>>();
  readonly #onAll = new Set<Ip>();

  /** The EIPs that depend on one of these nodes. */
  *of(names: ReadonlySet<string>): Generator<Ip> {
    for (const name of names) yield* this.#byNode.get(name) ?? [];
    if (names.size > 0) yield* this.#onAll;
  }

  replace(eip: Ip, before: DependsOn, after: DependsOn): void {
    if (before === 'all') this.#onAll.delete(eip);
    else {
      for (const name of before) {
        const eips = this.#byNode.get(name);
        eips?.delete(eip);
        if (eips?.size === 0) this.#byNode.delete(name);
      }
    }
    if (after === 'all') this.#onAll.add(eip);
    else {
      for (const name of after) {
        const eips = this.#byNode.get(name);
        if (eips) eips.add(eip);
        else this.#byNode.set(name, new Set([eip]));
      }
    }
  }
}
