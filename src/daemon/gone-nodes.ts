import type { DesiredTable } from '../model/desired.ts';
import type { Ip } from '../model/ip.ts';
import { type Change, changeObject, type KernelObject } from '../model/object.ts';

export interface GoneNodesInputs {
  /** The node does not answer, or the cluster has none with this address. */
  readonly isGone: (ip: Ip) => boolean;
  /** The objects that are desired. */
  readonly desired: () => Pick<DesiredTable, 'get' | 'values'>;
}

/**
 * Which nodes have left the table of NAT for good. Their connections would hang until conntrack forgets them, for up to
 * five days. One that drains, or has no endpoint for the moment, is left alone: its connections go on.
 */
export class GoneNodes {
  readonly #inputs: GoneNodesInputs;
  /** Addresses that have left some group, and are not gone yet. */
  readonly #left = new Set<Ip>();

  constructor(inputs: GoneNodesInputs) {
    this.#inputs = inputs;
  }

  /**
   * Costs what has changed, and a walk over all that is desired when a node is gone.
   *
   * @param done what a round has changed in the kernel
   * @returns addresses whose connections can end
   */
  rounded(done: readonly Change[]): readonly Ip[] {
    for (const change of done) {
      if (changeObject(change).kind !== 'nat-group') continue;
      const before = change.verb === 'add' ? noNodes : nodesOf(change.have);
      const after = change.verb === 'delete' ? noNodes : nodesOf(change.want);
      for (const ip of before.difference(after)) this.#left.add(ip);
      for (const ip of after) this.#left.delete(ip);
    }
    const gone = new Set([...this.#left].filter(this.#inputs.isGone));
    if (gone.size === 0) return [];
    // When no node of an EIP answers, all of them stay in its group: that may be our own fault.
    for (const { object } of this.#inputs.desired().values())
      for (const ip of nodesOf(object)) gone.delete(ip);
    for (const ip of gone) this.#left.delete(ip);
    return [...gone];
  }
}

const noNodes: ReadonlySet<Ip> = new Set();

function nodesOf(object: KernelObject): ReadonlySet<Ip> {
  return object.kind === 'nat-group' ? new Set(object.buckets) : noNodes;
}
