import { type Check, check } from '../check.ts';
import type { ApiFacts } from '../doctor-facts.ts';
import { lasts, urgency } from './ends.ts';

export function credentialsCheck({ credential, warnings }: ApiFacts, now: number): Check {
  const more = warnings.map(({ message, advice }) => `${message}; ${advice}`);
  if (credential === undefined) return check('credentials', '?', 'the kubeconfig cannot be used', { more });
  const { what, ends } = credential;
  const state = ends === undefined ? 'ok' : urgency(ends, now);
  return check(
    'credentials',
    state === 'ok' && more.length > 0 ? 'warn' : state,
    ends === undefined
      ? `${what}, which does not say when it ends`
      : `${what} ${ends <= now ? '' : 'is '}${lasts(ends, now)}`,
    { more, advice: state === 'ok' ? undefined : `renew ${what}` },
  );
}
