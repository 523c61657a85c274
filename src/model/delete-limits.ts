/** The blast radius: how many of our routes may be deleted within a window of time without a hold. */
export interface DeleteLimits {
  /** 0..1, of the EIP routes we own. */
  readonly share: number;
  /** Deletes for up to this many Services are never held: deleting one Service is normal. */
  readonly always: number;
  /** ms; 0: each round is judged by itself. */
  readonly window: number;
  /** ms after which a held delete is executed. */
  readonly hold: number;
}
