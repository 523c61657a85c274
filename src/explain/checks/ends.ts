import { iso, span } from '../../status/state.ts';
import type { CheckState } from '../check.ts';

/** ms before its end that a credential is told */
const soon = 14 * 24 * 3_600_000;

export function urgency(ends: number, now: number): CheckState {
  if (ends <= now) return 'FAIL';
  return ends - now < soon ? 'warn' : 'ok';
}

export function lasts(ends: number, now: number): string {
  const day = iso(ends).slice(0, 10);
  return ends <= now ? `ended on ${day}` : `good for ${span(ends - now)} (${day})`;
}
