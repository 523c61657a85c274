import { setTimeout as sleep } from 'node:timers/promises';

/** ms between two looks */
const between = 25;

/**
 * Looks again and again until there is something.
 *
 * @param what in words, for the error: 'the API server is ready'
 * @param look undefined: not yet. An error counts as not yet, and is told when the time is over.
 * @throws Error when the signal is aborted
 */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  signal: AbortSignal,
): Promise<T> {
  let last: unknown;
  while (!signal.aborted) {
    try {
      const found = await look();
      if (found !== undefined) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(between, undefined, { signal }).catch(() => undefined);
  }
  throw new Error(`it did not happen that ${what}`, { cause: last ?? signal.reason });
}
