import type { Problem } from '../../model/problem.ts';
import { type Check, check } from '../check.ts';

export function capabilityCheck(lacks: readonly Problem[]): Check {
  const lack = lacks.find(({ code }) => code === 'no-cap-net-admin');
  return lack === undefined
    ? check('capability', 'ok', 'CAP_NET_ADMIN')
    : check('capability', 'FAIL', lack.message, { advice: lack.advice });
}
