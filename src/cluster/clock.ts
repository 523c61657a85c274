import { setTimeout as wait } from 'node:timers/promises';

/** Time and randomness, replaced by tests. */
export interface Clock {
  /** ms since the epoch */
  now(): number;
  /** 0 <= random < 1 */
  random(): number;
  /** Rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
  sleep: (ms, signal) => wait(ms, undefined, { signal }),
};
