import type { Verdict } from '../desire/verdict.ts';

/** What is new about the drain of a node. */
export type DrainChange =
  | { readonly kind: 'begins' | 'goes on' | 'is over'; readonly node: string; readonly why: string }
  | {
      readonly kind: 'ends';
      readonly node: string;
      /** Why it drained. */
      readonly why: string;
      /** Of a node that gets no traffic all the same, with 'it' for the node; undefined: it gets flows again. */
      readonly but: string | undefined;
    };

interface Drain {
  readonly kind: 'draining' | 'drained';
  readonly why: string;
}

/**
 * Which nodes drain, to tell what changed since the last look. A node that falls silent meanwhile still drains: it is
 * asked for no less.
 */
export class NodeDrains {
  #drains: ReadonlyMap<string, Drain> = new Map();
  #verdicts: ReadonlyMap<string, Verdict> | undefined;

  /** @param verdicts on all nodes, by their names; the same map when nothing has changed */
  read(verdicts: ReadonlyMap<string, Verdict>): readonly DrainChange[] {
    if (verdicts === this.#verdicts) return [];
    this.#verdicts = verdicts;
    const before = this.#drains;
    const now = new Map<string, Drain>();
    const changes: DrainChange[] = [];
    for (const [node, { kind, why = '' }] of verdicts) {
      const was = before.get(node);
      if (kind === 'silent') {
        if (was) now.set(node, was);
        continue;
      }
      if (kind !== 'draining' && kind !== 'drained') continue;
      now.set(node, { kind, why });
      if (was === undefined) changes.push({ kind: 'begins', node, why });
      else if (was.why !== why) changes.push({ kind: 'goes on', node, why });
      if (kind === 'drained' && was?.kind !== 'drained') changes.push({ kind: 'is over', node, why });
    }
    for (const [node, { why }] of before) {
      if (now.has(node)) continue;
      const verdict = verdicts.get(node);
      const but = verdict === undefined ? 'it is gone from the cluster' : verdict.why;
      changes.push({ kind: 'ends', node, why, but });
    }
    this.#drains = now;
    return changes;
  }
}
