import { type Elsewhere, elsewhereWords } from '../../daemon/namespace.ts';
import { type Check, check } from '../check.ts';

export function namespaceCheck(elsewhere: Elsewhere): Check {
  const { why, advice } = elsewhereWords(elsewhere);
  return check('namespace', 'FAIL', `${why}; nothing else was looked at`, { advice });
}
