import { candidates } from '../desire/carriers.ts';
import type { Node } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { nodeProblems } from '../status/nodes.ts';

/** The problems of the nodes; the same array as long as nodes and silent hosts are the same. */
export class NodeTroubles {
  #nodes: readonly Node[] | undefined;
  #silent: ReadonlySet<Ip> | undefined;
  #lan = '';
  #problems: readonly Problem[] = [];

  of(nodes: readonly Node[], silent: ReadonlySet<Ip>, lan: string): readonly Problem[] {
    if (nodes === this.#nodes && silent === this.#silent && lan === this.#lan) return this.#problems;
    this.#nodes = nodes;
    this.#silent = silent;
    this.#lan = lan;
    const found = nodeProblems(nodes, candidates(nodes), silent, lan);
    if (found.length > 0 || this.#problems.length > 0) this.#problems = found;
    return this.#problems;
  }
}
