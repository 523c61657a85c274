import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

/** Time and randomness, replaced by tests. */
export interface Clock {
  /**
   * ms since the epoch, as the machine's clock said at the start of this program, and from there on counted by one that
   * nobody sets: what is waited for, and how long ago something was, does not change when the machine learns its time.
   */
  now(): number;
  /** ms since the epoch, as the machine's clock says now: what others read. */
  time(): number;
  /** 0 <= random < 1 */
  random(): number;
  /** Rejects with the signal's reason when it is aborted. 0 ms or less: lets the event loop go round once. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  time: Date.now,
  random: Math.random,
  // A timer of 0 ms takes 1 ms, which a list of a hundred thousand objects would wait for hundreds of times.
  sleep: (ms, signal) => (ms <= 0 ? turn(undefined, { signal }) : wait(ms, undefined, { signal })),
};
