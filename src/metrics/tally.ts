import { type Change, changeObject, noCounts } from '../model/object.ts';
import type { Report } from '../reconcile/report.ts';

const kinds = Object.keys(noCounts);
const verbs: readonly Change['verb'][] = ['add', 'replace', 'delete'];

/** What adds up over the rounds of a process. */
export class Tally {
  /** Changes of the kernel by `kind verb`; all of them are there from the start, as a rate needs a first sample. */
  readonly changes = new Map(
    kinds.flatMap((kind) => verbs.map((verb): [string, number] => [`${kind} ${verb}`, 0])),
  );
  /** What was put back after another program had changed or removed it, by kind; all kinds from the start. */
  readonly repairs = new Map<string, number>(kinds.map((kind) => [kind, 0]));

  rounded({ done, repaired }: Pick<Report, 'done' | 'repaired'>): void {
    for (const change of done) {
      const { kind } = changeObject(change);
      count(this.changes, `${kind} ${change.verb}`);
      if (repaired.has(change.key)) count(this.repairs, kind);
    }
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
