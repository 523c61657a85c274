/** Intervals of the loop, in ms. */
export interface Pace {
  /** Pause between two rounds: a burst of changes becomes one round. After a longer rest a round starts at once. */
  readonly settle: number;
  /** The longest time between two dumps. */
  readonly resync: number;
  /** First wait after a failed round; doubled each time, with jitter. */
  readonly retryFirst: number;
  readonly retryLongest: number;
}
