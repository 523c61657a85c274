import type { ReadService } from '../model/cluster.ts';

/** A Service that was read again, as the probe sees it. */
export interface ServiceChange extends ReadService {
  /** 'as it is': it was there before this program. */
  readonly how: 'changed' | 'as it is';
}

/**
 * The change as those see it who wait for answers.
 *
 * @param wait ms; 0: nobody waits
 */
export function asAwaited(change: ServiceChange, wait: number): ServiceChange {
  return wait > 0 || change.how === 'as it is' ? change : { ...change, how: 'as it is' };
}
