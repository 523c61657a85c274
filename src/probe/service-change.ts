import type { Service } from '../model/cluster.ts';

/** A Service that is read again. */
export interface ServiceChange {
  /** `namespace/name` */
  readonly key: string;
  /** As it was last read; undefined: it was not there. */
  readonly before: Service | undefined;
  /** undefined: it is gone */
  readonly after: Service | undefined;
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
