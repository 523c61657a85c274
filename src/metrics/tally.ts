import { type Change, changeObject, noCounts } from '../model/object.ts';
import type { Report } from '../reconcile/report.ts';

const kinds = Object.keys(noCounts);

/** What adds up over the rounds of a process. */
export class Tally {
  /** Changes of the kernel by kind and verb; all of them are there from the start, as a rate needs a first sample. */
  readonly changes = new Map<string, Record<Change['verb'], number>>(
    kinds.map((kind) => [kind, { add: 0, replace: 0, delete: 0 }]),
  );
  /** What was put back after another program had changed or removed it, by kind; all kinds from the start. */
  readonly repairs = new Map<string, number>(kinds.map((kind) => [kind, 0]));

  rounded({ done, repaired }: Pick<Report, 'done' | 'repaired'>): void {
    for (const change of done) {
      const { kind } = changeObject(change);
      const counts = this.changes.get(kind);
      if (counts !== undefined) counts[change.verb] += 1;
      if (repaired.has(change.key)) this.repairs.set(kind, (this.repairs.get(kind) ?? 0) + 1);
    }
  }
}
