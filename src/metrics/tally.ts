import { changeObject } from '../model/object.ts';
import type { Report } from '../reconcile/report.ts';

/** What adds up over the rounds of a process. */
export class Tally {
  /** Changes of the kernel by `kind verb`. */
  readonly changes = new Map<string, number>();
  /** What was put back after another program had changed or removed it, by kind. */
  readonly repairs = new Map<string, number>();

  rounded({ done, repaired }: Pick<Report, 'done' | 'repaired'>): void {
    for (const { key, change } of done) {
      const { kind } = changeObject(change);
      count(this.changes, `${kind} ${change.verb}`);
      if (repaired.has(key)) count(this.repairs, kind);
    }
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
