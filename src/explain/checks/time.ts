import { type Check, check } from '../check.ts';
import type { ApiFacts } from '../doctor-facts.ts';

/** ms that a clock may be wrong; the server tells whole seconds */
const skewed = 2000;

const badlySkewed = 30_000;

export function timeCheck({ ahead }: ApiFacts): Check {
  if (ahead === undefined) return check('time', '?', 'the API server has not told its time');
  const off = Math.abs(ahead);
  const words = `this clock is ${(off / 1000).toFixed(1)} s ${ahead > 0 ? 'ahead of' : 'behind'} the API server`;
  if (off <= skewed) return check('time', 'ok', 'this clock and that of the API server agree');
  return check('time', off > badlySkewed ? 'FAIL' : 'warn', words, {
    advice: 'timedatectl; let both follow NTP',
  });
}
