import type { Question } from './serving-table.ts';

/** A node that got traffic of Services although it never said that it serves them. */
export interface LateNode {
  readonly node: string;
  /** One of them. */
  readonly question: Question;
  /** How many Services. */
  readonly services: number;
}

/** The questions that nobody answered in time, by Service and by node: a change costs what it touches. */
export class LateNodes {
  readonly #byService = new Map<string, Set<Question>>();
  readonly #byNode = new Map<string, Map<string, Set<Question>>>();

  get isEmpty(): boolean {
    return this.#byService.size === 0;
  }

  of(service: string): ReadonlySet<Question> {
    return this.#byService.get(service) ?? none;
  }

  nodes(): readonly LateNode[] {
    return [...this.#byNode].flatMap(([node, services]) => {
      const [first = none] = services.values();
      const [question] = first;
      return question === undefined ? [] : [{ node, question, services: services.size }];
    });
  }

  add(question: Question): void {
    const { service, node } = question;
    const ofNode = this.#byNode.get(node) ?? new Map<string, Set<Question>>();
    this.#byNode.set(node, ofNode);
    put(this.#byService, service, question);
    put(ofNode, service, question);
  }

  delete(question: Question): void {
    const { service, node } = question;
    const ofNode = this.#byNode.get(node);
    take(this.#byService, service, question);
    if (ofNode === undefined) return;
    take(ofNode, service, question);
    if (ofNode.size === 0) this.#byNode.delete(node);
  }
}

const none: ReadonlySet<Question> = new Set();

function put(sets: Map<string, Set<Question>>, key: string, question: Question): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([question]));
  else set.add(question);
}

function take(sets: Map<string, Set<Question>>, key: string, question: Question): void {
  const set = sets.get(key);
  set?.delete(question);
  if (set?.size === 0) sets.delete(key);
}
