import { candidates } from '../desire/carriers.ts';
import type { Node } from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import { nodeProblems } from '../status/nodes.ts';

/** The problems of the nodes; the same array as long as the nodes are the same. */
export class NodeTroubles {
  #nodes: readonly Node[] | undefined;
  #problems: readonly Problem[] = [];

  of(nodes: readonly Node[]): readonly Problem[] {
    if (nodes === this.#nodes) return this.#problems;
    this.#nodes = nodes;
    const found = nodeProblems(nodes, candidates(nodes));
    if (found.length > 0 || this.#problems.length > 0) this.#problems = found;
    return this.#problems;
  }
}
