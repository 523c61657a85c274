import type { DesiredTable } from '../model/desired.ts';
import type { Ip } from '../model/ip.ts';
import { type Change, type NatEip, type NatGroup, natEipKey, natGroupKey } from '../model/object.ts';

/** For each EIP the nodes that it does not go to any more. */
export type LeftNodes = ReadonlyMap<Ip, ReadonlySet<Ip>>;

const noNodes: ReadonlySet<Ip> = new Set();

/**
 * Which nodes EIPs have left in a round of NAT. A UDP client that keeps its port would go on to ask a node without an
 * endpoint for as long as it asks: each packet renews its entry. TCP connections go on, and end by themselves.
 *
 * Costs what has changed, and a walk over all that is desired when a group that stays has lost a node.
 *
 * @param done what the round has changed in the kernel
 * @param desired the objects that are desired
 * @param keeps whether a node keeps its flows although no new ones go there: it drains
 */
export function leftNodes(
  done: readonly Change[],
  desired: Pick<DesiredTable, 'get' | 'values'>,
  keeps: (node: Ip) => boolean,
): LeftNodes {
  const groups = new Map<number, NatGroup>();
  const eips = new Map<Ip, NatEip>();
  const added = new Set<Ip>();
  for (const change of done) {
    if (change.verb === 'add') {
      if (change.want.kind === 'nat-eip') added.add(change.want.eip);
      continue;
    }
    const { have } = change;
    if (have.kind === 'nat-group') groups.set(have.id, have);
    else if (have.kind === 'nat-eip') eips.set(have.eip, have);
  }
  const groupNow = (id: number): NatGroup | undefined => {
    const object = desired.get(natGroupKey(id))?.object;
    return object?.kind === 'nat-group' ? object : undefined;
  };
  const left = new Map<Ip, ReadonlySet<Ip>>();
  const compare = (before: NatEip, after: NatEip | undefined): void => {
    const old = groupOf(before);
    const gone = nodesOf(groups.get(old) ?? groupNow(old)).difference(nodesOf(groupNow(groupOf(after))));
    const some = new Set([...gone].filter((node) => !keeps(node)));
    if (some.size > 0) left.set(before.eip, some);
  };
  for (const [eip, before] of eips) {
    const object = desired.get(natEipKey(eip))?.object;
    compare(before, object?.kind === 'nat-eip' ? object : undefined);
  }
  // A group that goes has no EIP any more: those that it had have changed as well.
  const shrunk = new Set<number>();
  for (const [id, before] of groups) {
    const now = groupNow(id);
    if (now !== undefined && nodesOf(before).difference(nodesOf(now)).size > 0) shrunk.add(id);
  }
  if (shrunk.size === 0) return left;
  for (const { object } of desired.values()) {
    if (object.kind !== 'nat-eip' || !shrunk.has(groupOf(object))) continue;
    if (!eips.has(object.eip) && !added.has(object.eip)) compare(object, object);
  }
  return left;
}

/** 0: an EIP without ports has none. */
function groupOf(eip: NatEip | undefined): number {
  return eip?.ports[0]?.group ?? 0;
}

function nodesOf(group: NatGroup | undefined): ReadonlySet<Ip> {
  return group === undefined ? noNodes : new Set(group.buckets);
}
