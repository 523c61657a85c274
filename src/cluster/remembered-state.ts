import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Problem } from '../model/problem.ts';
import { isLog, LogError, readingLog } from './cluster-log.ts';
import { DocumentError, readObjects } from './document.ts';
import { isFileError } from './file-error.ts';
import { resourceOf } from './raw.ts';
import { ClusterStore, resources } from './store.ts';

/** The last known state, as a file has it. */
export interface RememberedState {
  /** undefined: nothing is known. */
  readonly state: ClusterStore | undefined;
  /** The valid length of the log; undefined: there is no log to append to. */
  readonly length: number | undefined;
  /** Why the file, or a part of it, cannot be used. */
  readonly problem: Problem | undefined;
}

const nothing: RememberedState = { state: undefined, length: undefined, problem: undefined };

/**
 * @param file a log, see cluster-log.ts, or a List that an older version wrote; it need not be there
 * @param name of the cluster; undefined: there is one, without a name
 */
export function readState(file: string, name: string | undefined): RememberedState {
  try {
    const steps = reading(readFileSync(file), file, name);
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  } catch (error) {
    return unusable(error, file);
  }
}

/**
 * The same, which holds nobody up: a hundred thousand Services are read in a second.
 *
 * @param turn yields to the event loop
 * @returns undefined: it is not wanted any more
 */
export async function readStateInPortions(
  file: string,
  name: string | undefined,
  { turn, isWanted }: { readonly turn: () => Promise<void>; readonly isWanted: () => boolean },
): Promise<RememberedState | undefined> {
  try {
    const steps = reading(await readFile(file), file, name);
    while (isWanted()) {
      const step = steps.next();
      if (step.done) return step.value;
      await turn();
    }
    return undefined;
  } catch (error) {
    return unusable(error, file);
  }
}

function* reading(text: Buffer, file: string, name: string | undefined): Generator<void, RememberedState> {
  if (!isLog(text)) return { ...nothing, state: yield* filled(oldList(text.toString('utf8')), name) };
  const { objects, length, damaged } = yield* readingLog(text);
  const problem =
    damaged > 0 ? unreadable(file, `${damaged} of its lines are damaged`, 'the rest is used') : undefined;
  return { state: yield* filled(objects, name), length, problem };
}

/** @throws every error that is not about the file */
function unusable(error: unknown, file: string): RememberedState {
  if (isFileError(error) && error.code === 'ENOENT') return nothing;
  if (isFileError(error) || error instanceof DocumentError || error instanceof LogError)
    return {
      ...nothing,
      problem: unreadable(file, error.message, 'nothing is known before the API answers'),
    };
  throw error;
}

function unreadable(file: string, why: string, then: string): Problem {
  return {
    code: 'remembered-cluster-unreadable',
    severity: 'warn',
    subject: file,
    message: `the last known state of the cluster cannot be used: ${why}; ${then}`,
    advice: 'nothing to do when the API is reachable: it is rewritten as soon as all lists are in',
  };
}

/** @throws DocumentError when the text is not a List as versions before 0.2 wrote it */
function oldList(text: string): readonly unknown[] {
  const objects = readObjects(text);
  const [, found] = /"eiproute\.io\/version":"([^"]*)"/.exec(text.slice(0, 200)) ?? [];
  if (found !== '1') throw new DocumentError(`its version is ${found ?? 'missing'}, not 1`);
  return resources.flatMap((resource) => objects[resource]);
}

/** Objects that are taken in one go: about a millisecond. */
const portion = 100;

/**
 * A part of an object that cannot be read is left out, as of what the API sends: source ranges that nobody could read are
 * written so.
 *
 * @throws DocumentError when an object cannot be used at all
 */
function* filled(objects: Iterable<unknown>, name: string | undefined): Generator<void, ClusterStore> {
  const store = new ClusterStore(name);
  let taken = 0;
  for (const object of objects) {
    const resource = resourceOf(object);
    if (resource === undefined) throw new DocumentError(`it holds ${JSON.stringify(object).slice(0, 80)}`);
    store.indexes[resource].set(object);
    taken += 1;
    if (taken % portion !== 0) continue;
    // Nobody listens, and the keys of all Services would be kept.
    store.notify();
    yield;
  }
  store.notify();
  const problem = store.overview().problems.find(({ code }) => code === 'object-unreadable');
  if (problem !== undefined) throw new DocumentError(`${problem.subject}: ${problem.message}`);
  return store;
}
