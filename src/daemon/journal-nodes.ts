import type { Path } from '../desire/path.ts';
import type { Facts } from '../journal/facts.ts';

type Carriers = Path['carriers'];

/** Nodes of one kind that a record names; of the rest it says how many they are. */
const mostNodes = 10;

/** Where an EIP goes: `node`, and `moreNodes` where they are too many to name. */
export function destination(carriers: Carriers): Facts {
  return { node: namesOf(carriers).slice(0, mostNodes), ...excess('moreNodes', carriers.length) };
}

/**
 * Where an EIP goes now and went before: `node` and `from`, whole. Where there are too many to name, `node` are those
 * that came and `from` those that went, with `moreNodes` and `moreFrom`, and `nodes` says how many there are now.
 */
export function move(before: Carriers, now: Carriers): Facts {
  const [from, node] = [namesOf(before), namesOf(now)];
  if (Math.max(from.length, node.length) <= mostNodes) return { node, from };
  const [old, present] = [new Set(from), new Set(node)];
  const came = node.filter((name) => !old.has(name));
  const went = from.filter((name) => !present.has(name));
  return {
    node: came.slice(0, mostNodes),
    ...excess('moreNodes', came.length),
    from: went.slice(0, mostNodes),
    ...excess('moreFrom', went.length),
    nodes: node.length,
  };
}

/** The nodes that only keep the flows that they have; none: no fact. */
export function leavers(names: readonly string[]): Facts {
  if (names.length === 0) return {};
  return { leaving: names.slice(0, mostNodes), ...excess('moreLeaving', names.length) };
}

function namesOf(carriers: Carriers): readonly string[] {
  return carriers.map(({ node }) => node);
}

function excess(fact: string, count: number): Facts {
  return count > mostNodes ? { [fact]: count - mostNodes } : {};
}
