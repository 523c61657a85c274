import { setTimeout as sleep } from 'node:timers/promises';
import { late } from '../../patience.ts';

/**
 * Lets the probe work until something holds.
 *
 * @param what in words, for the error: 'n1 is silent'
 * @param pass called between two looks, as to let time pass on a test's clock
 */
export async function until(what: string, holds: () => boolean, pass = () => {}): Promise<void> {
  const limit = late();
  while (!holds()) {
    if (limit.aborted) throw new Error(`it never came to that: ${what}`);
    pass();
    await sleep(1);
  }
}
