import type { EventName } from '../journal/event.ts';
import type { Facts } from '../journal/facts.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { changeObject, keyOf } from '../model/object.ts';
import { type Problem, problemKey } from '../model/problem.ts';
import { isTooMany, type Report } from '../reconcile/report.ts';
import { eipOf } from '../status/need.ts';

/** A problem, refusal, conflict or hold as a journal record. It is open until a round no longer finds it. */
export interface JournalProblem {
  /** Records with one code are counted together. */
  readonly code: string;
  /**
   * The object of the API that it is about, without what the object holds: its records are throttled together, as whoever may
   * write it can write it again and again. undefined: of a node, an interface, the kernel, each change is told at once.
   */
  readonly about: string | undefined;
  readonly level: 'warn' | 'error';
  readonly event: EventName;
  readonly facts: Facts;
  readonly words: string;
}

/** The open problems after a round, by a key that is stable across rounds. */
export function journalProblems(
  report: Report,
  names: LinkNames,
  records: ProblemRecords,
): ReadonlyMap<string, JournalProblem> {
  const found = new Map<string, JournalProblem>();
  for (const problem of report.problems) {
    const [key, told] = records.of(problem);
    found.set(key, told);
  }
  for (const { change, code, message } of report.failed) {
    const object = changeObject(change);
    found.set(`refused ${keyOf(object)}`, {
      code: 'refused',
      about: undefined,
      level: 'error',
      event: 'refused',
      facts: {
        eip: eipOf(object),
        object: `${object.kind} ${describe(object, names)}`,
        for: change.why.text,
        code,
        error: message,
      },
      words: 'refused by the kernel; it is tried again',
    });
  }
  for (const { want, why, holder } of report.conflicts) {
    found.set(`conflict ${keyOf(want)}`, {
      code: 'conflict',
      about: undefined,
      level: 'error',
      event: 'conflict',
      facts: {
        eip: eipOf(want),
        for: why.text,
        object: `${want.kind} ${describe(want, names)}`,
        holder: holder ? describe(holder, names) : 'gone again',
      },
      words:
        'conflict: an object of another program is in its place, and is never overwritten: delete it, and eiproute installs its own',
    });
  }
  const held = report.held.filter(isTooMany);
  const [first] = held;
  if (first) {
    found.set('held', {
      code: 'held',
      about: undefined,
      level: 'error',
      event: 'held',
      facts: {
        held: held.length,
        first: describe(changeObject(first), names),
        until: new Date(first.until ?? 0).toISOString(),
      },
      words: 'too much would vanish at once: held; "eiproute release" lets it go',
    });
  }
  return found;
}

/** The records of problems. One that stands is the same object in each report: of tens of thousands, few are new. */
export class ProblemRecords {
  readonly #records = new WeakMap<Problem, readonly [key: string, record: JournalProblem]>();

  of(problem: Problem): readonly [key: string, record: JournalProblem] {
    const known = this.#records.get(problem);
    if (known !== undefined) return known;
    const record = [
      problemKey(problem),
      {
        code: problem.code,
        about: aboutOf(problem),
        level: problem.severity,
        event: 'problem',
        facts: factsOf(problem),
        words: problem.message,
      },
    ] as const;
    this.#records.set(problem, record);
    return record;
  }
}

function aboutOf({ code, subject, service }: Problem): string | undefined {
  if (service !== undefined) return `${code} ${service}`;
  return code === 'object-unreadable' || code === 'object-part-unreadable' ? `${code} ${subject}` : undefined;
}

function factsOf({ code, subject, message, advice, eip, service, node }: Problem): Facts {
  return { code, subject, problem: message, advice, eip, service, node };
}
