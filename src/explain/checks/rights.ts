import { type Check, check } from '../check.ts';
import type { ApiFacts } from '../doctor-facts.ts';
import { rightText } from '../rights.ts';

export function rightsCheck({ rights }: ApiFacts): Check {
  if ('kind' in rights) return check('rights', '?', `not asked: ${rights.why}`);
  const missing = rights.filter(({ allowed }) => !allowed).map(({ right }) => rightText(right));
  if (missing.length === 0) {
    const all = rights.map(({ right }) => rightText(right));
    return check('rights', 'ok', `all ${all.length}: ${all.join(', ')}`);
  }
  return check('rights', 'FAIL', `may not ${missing.join(', ')}`, {
    advice: 'kubectl apply -f docs/rbac.yaml',
  });
}
