import { sameItems } from '../model/same-items.ts';
import type { NamedEip } from './named-eip.ts';

/** Names of nodes whose coming and going may change where an EIP goes; 'all': every node's may. */
export type DependsOn = readonly string[] | 'all';

/** The EIPs that depend on a node. */
export class NodeDependents {
  readonly #byNode = new Map<string, Set<NamedEip>>();
  readonly #onAll = new Set<NamedEip>();

  /** The EIPs that depend on one of these nodes. */
  *of(names: ReadonlySet<string>): Generator<NamedEip> {
    for (const name of names) yield* this.#byNode.get(name) ?? [];
    if (names.size > 0) yield* this.#onAll;
  }

  replace(named: NamedEip, after: DependsOn): void {
    const before = named.dependsOn;
    // A node that goes changes where its EIPs go, and not on which nodes that depends.
    if (isSame(before, after)) return;
    named.dependsOn = after;
    if (before === 'all') this.#onAll.delete(named);
    else {
      for (const name of before) {
        const eips = this.#byNode.get(name);
        eips?.delete(named);
        if (eips?.size === 0) this.#byNode.delete(name);
      }
    }
    if (after === 'all') this.#onAll.add(named);
    else {
      for (const name of after) {
        const eips = this.#byNode.get(name);
        if (eips) eips.add(named);
        else this.#byNode.set(name, new Set([named]));
      }
    }
  }
}

function isSame(before: DependsOn, after: DependsOn): boolean {
  return before === 'all' || after === 'all' ? before === after : sameItems(before, after);
}
