import type { JournalProblem } from './journal-problems.ts';

/** A problem that began or ended, by its key. */
export interface Turn {
  readonly key: string;
  readonly problem: JournalProblem;
  /** Changes of the same object that were passed over before it; absent: none. */
  readonly repeats?: Repeats;
}

export interface Turns {
  readonly begun: readonly Turn[];
  readonly solved: readonly Turn[];
}

interface Repeats {
  readonly times: number;
  readonly seconds: number;
}

/** ms in which an object is told of a few times at most */
const window = 60_000;

/** Changes of one object that are told at once in a window: it begins, ends, begins again and ends again. */
const mostAtOnce = 4;

/** What was told of an object since its window began. */
interface Window {
  readonly since: number;
  /** Changes that were told. */
  told: number;
  /** Changes that were passed over. */
  passed: number;
}

/**
 * The open problems, as they were told. Of an object that changes again and again, as a user may write it, the first
 * changes are told, and then once a minute how it is: what was told is compared with what is found, so that no last state
 * is lost.
 */
export class OpenProblems {
  readonly #told = new Map<string, JournalProblem>();
  /** By object, in the order in which they began. */
  readonly #windows = new Map<string, Window>();
  /** Objects that are otherwise than was told, with the keys in which they are. */
  readonly #behind = new Map<string, string>();

  /** Whether what is found has to be compared though it is the same as the last time. */
  isDue(now: number): boolean {
    if (this.#behind.size === 0) return false;
    const [oldest] = this.#windows.values();
    return oldest !== undefined && now - oldest.since >= window;
  }

  /** @param found by a key that is stable across rounds */
  read(found: ReadonlyMap<string, JournalProblem>, now: number): Turns {
    const changed = new Map<string, Turn[]>();
    const begun: Turn[] = [];
    const solved: Turn[] = [];
    const tell = (turn: Turn): void => {
      const { key, problem } = turn;
      if (found.has(key)) {
        this.#told.set(key, problem);
        begun.push(turn);
      } else {
        this.#told.delete(key);
        solved.push(turn);
      }
    };
    const differs = (key: string, problem: JournalProblem): void => {
      const { about } = problem;
      if (about === undefined) {
        tell({ key, problem });
        return;
      }
      const known = changed.get(about);
      if (known === undefined) changed.set(about, [{ key, problem }]);
      else known.push({ key, problem });
    };
    for (const [key, problem] of found) if (!this.#told.has(key)) differs(key, problem);
    for (const [key, problem] of this.#told) if (!found.has(key)) differs(key, problem);
    const over = this.#endWindows(now);
    for (const about of this.#behind.keys()) if (!changed.has(about)) this.#passOver(about, undefined);
    for (const [about, turns] of changed) {
      if (!this.#isTold(about, now)) {
        this.#passOver(about, turns.map(({ key }) => key).join('\n'));
        continue;
      }
      this.#behind.delete(about);
      const repeats = over.get(about);
      for (const turn of turns) tell({ ...turn, ...(repeats && { repeats }) });
    }
    return { begun, solved };
  }

  /** @returns what was passed over in the windows that are over, by object; their next ones tell one change */
  #endWindows(now: number): ReadonlyMap<string, Repeats> {
    const over = new Map<string, Repeats>();
    for (const [about, { since, passed }] of this.#windows) {
      if (now - since < window) break;
      this.#windows.delete(about);
      if (passed > 0) over.set(about, { times: passed, seconds: Math.round((now - since) / 1000) });
    }
    for (const about of over.keys())
      this.#windows.set(about, { since: now, told: mostAtOnce - 1, passed: 0 });
    return over;
  }

  #isTold(about: string, now: number): boolean {
    const known = this.#windows.get(about);
    if (known === undefined) this.#windows.set(about, { since: now, told: 1, passed: 0 });
    else if (known.told >= mostAtOnce) return false;
    else known.told += 1;
    return true;
  }

  /** @param differs undefined: it is again as was told */
  #passOver(about: string, differs: string | undefined): void {
    const before = this.#behind.get(about);
    if (before === differs) return;
    if (differs === undefined) this.#behind.delete(about);
    else this.#behind.set(about, differs);
    const known = this.#windows.get(about);
    if (known !== undefined) known.passed += 1;
  }
}
