import { candidates } from '../desire/carriers.ts';
import type { Node } from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import { type AgentTerms, agentProblems } from '../status/agents.ts';
import { nodeProblems } from '../status/nodes.ts';

/** The problems of the nodes and of their agents; the same array as long as nothing in them changes. */
export class NodeTroubles {
  #nodes: readonly Node[] | undefined;
  #terms: AgentTerms | undefined;
  #problems: readonly Problem[] = [];

  of(nodes: readonly Node[], terms: AgentTerms): readonly Problem[] {
    if (nodes === this.#nodes && terms === this.#terms) return this.#problems;
    this.#nodes = nodes;
    this.#terms = terms;
    const able = candidates(nodes);
    const found = [...nodeProblems(nodes, able), ...agentProblems(nodes, able, terms)];
    if (found.length > 0 || this.#problems.length > 0) this.#problems = found;
    return this.#problems;
  }
}
