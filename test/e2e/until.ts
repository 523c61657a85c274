import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from '../patience.ts';

const between = 15;

/**
 * Asks again and again until it holds.
 *
 * @param what in words: 'the route is back'
 * @param look returns what it sees, and whether that is it
 * @throws Error that tells what was seen last
 */
export async function until<T>(
  what: string,
  look: () => Promise<T> | T,
  holds: (seen: T) => boolean,
  deadline = patience,
): Promise<T> {
  const end = performance.now() + deadline;
  while (true) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > end) {
      const text = typeof seen === 'string' ? seen : JSON.stringify(seen, undefined, 2);
      throw new Error(`in ${deadline} ms it did not happen that ${what}; at last there was:\n${text}`);
    }
    await sleep(between);
  }
}
