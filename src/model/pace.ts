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

/** The blast radius: how many of our routes may be deleted in one round without a hold. */
export interface Limits {
  /** 0..1, of the EIP routes we own. */
  readonly share: number;
  /** Deletes for up to this many Services are never held: deleting one Service is normal. */
  readonly always: number;
  /** ms after which a held delete is executed. */
  readonly hold: number;
}
