import type { Family } from './ip.ts';

/** Of which EIPs the kernel is not asked, or seldom, whether it takes their routes. */
export interface LookupNote {
  /** Absent: both. */
  readonly family?: Family;
  readonly why: string;
}
