/**
 * - ok: as it should be
 * - warn: it works, and a person may want to act
 * - FAIL: eiproute cannot do its work; of a trace: here it breaks
 * - ?: it could not be found out
 * - -: not asked, or there is nothing to look at
 */
export type CheckState = 'ok' | 'warn' | 'FAIL' | '?' | '-';

/** One thing that `eiproute doctor` looked at. */
export interface Check {
  /** `default route` */
  readonly name: string;
  readonly state: CheckState;
  readonly finding: string;
  /** Further findings, one per line. */
  readonly more: readonly string[];
  /** What to do; undefined: nothing. */
  readonly advice: string | undefined;
}

export function check(
  name: string,
  state: CheckState,
  finding: string,
  rest: Partial<Pick<Check, 'more' | 'advice'>> = {},
): Check {
  return { name, state, finding, more: rest.more ?? [], advice: rest.advice };
}
