import type { Ip } from '../model/ip.ts';
import type { KernelObject, NatEip, NatGroup } from '../model/object.ts';
import type { PlannedChange } from '../reconcile/report.ts';

/** For each EIP the nodes that it does not go to any more. */
export type LeftNodes = ReadonlyMap<Ip, ReadonlySet<Ip>>;

const noNodes: ReadonlySet<Ip> = new Set();

/**
 * Which nodes EIPs have left in a round of NAT. A UDP client that keeps its port would go on to ask a node without an
 * endpoint for as long as it asks: each packet renews its entry. TCP connections go on, and end by themselves.
 *
 * Costs what has changed, and a walk over all that is desired when a group has lost a node.
 *
 * @param done what the round has changed in the kernel
 * @param desired the objects that are desired
 * @param keeps whether a node keeps its flows although no new ones go there: it drains
 */
export function leftNodes(
  done: readonly PlannedChange[],
  desired: () => Iterable<KernelObject>,
  keeps: (node: Ip) => boolean,
): LeftNodes {
  const groups = new Map<number, NatGroup>();
  const eips = new Map<Ip, NatEip>();
  for (const { change } of done) {
    if (change.verb === 'add') continue;
    const { have } = change;
    if (have.kind === 'nat-group') groups.set(have.id, have);
    else if (have.kind === 'nat-eip') eips.set(have.eip, have);
  }
  if (groups.size === 0 && eips.size === 0) return new Map();
  const now = new Map<number, NatGroup>();
  const desiredEips: NatEip[] = [];
  for (const object of desired()) {
    if (object.kind === 'nat-group') now.set(object.id, object);
    else if (object.kind === 'nat-eip') desiredEips.push(object);
  }
  const left = new Map<Ip, ReadonlySet<Ip>>();
  const compare = (before: NatEip, after: NatEip | undefined): void => {
    const [{ group: old } = { group: 0 }] = before.ports;
    const [{ group: id } = { group: 0 }] = after?.ports ?? [];
    const gone = nodesOf(groups.get(old) ?? now.get(old)).difference(nodesOf(now.get(id)));
    const some = new Set([...gone].filter((node) => !keeps(node)));
    if (some.size > 0) left.set(before.eip, some);
  };
  for (const eip of desiredEips) {
    const [{ group } = { group: 0 }] = eip.ports;
    if (eips.has(eip.eip) || groups.has(group)) compare(eips.get(eip.eip) ?? eip, eip);
    eips.delete(eip.eip);
  }
  for (const gone of eips.values()) compare(gone, undefined);
  return left;
}

function nodesOf(group: NatGroup | undefined): ReadonlySet<Ip> {
  return group === undefined ? noNodes : new Set(group.buckets);
}
