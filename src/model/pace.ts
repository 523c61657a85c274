/** When the loop looks again; all in ms. */
export interface Pace {
  /** How long to rest between two rounds, so that a burst of changes is one. The first after a rest runs at once. */
  readonly settle: number;
  /** The longest time between two looks at the kernel. */
  readonly resync: number;
  /** First wait after a failed round; doubled each time, with jitter. */
  readonly retryFirst: number;
  readonly retryLongest: number;
}

/** The blast radius: how much of ours may vanish within a window of time without a second thought. */
export interface Limits {
  /** 0..1, of the EIP routes we own. */
  readonly share: number;
  /** The routes of up to so many Services are never held: one person deleting one Service is no accident. */
  readonly always: number;
  /** ms; 0: each round is judged by itself. */
  readonly window: number;
  /** ms after which a held delete goes on by itself. */
  readonly hold: number;
}
