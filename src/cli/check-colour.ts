import type { CheckState } from '../explain/check.ts';

/** How the state of a check, or of a step of a trace, is painted. */
export function checkColour(state: CheckState): 'green' | 'yellow' | 'red' {
  if (state === 'FAIL') return 'red';
  return state === 'ok' ? 'green' : 'yellow';
}
