import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

/** Time and randomness, replaced by tests. */
export interface Clock {
  /** ms since the epoch */
  now(): number;
  /** 0 <= random < 1 */
  random(): number;
  /** Rejects with the signal's reason when it is aborted. 0 ms or less: lets the event loop go round once. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
  // A timer of 0 ms takes 1 ms, which a list of a hundred thousand objects would wait for hundreds of times.
  sleep: (ms, signal) => (ms <= 0 ? turn(undefined, { signal }) : wait(ms, undefined, { signal })),
};
