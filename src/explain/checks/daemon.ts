import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';

export function daemonCheck({ daemon, release }: DoctorFacts, role: 'gateway' | 'node'): Check {
  if (daemon.kind === 'silent')
    return check('daemon', '-', daemon.why, { advice: `systemctl enable --now eiproute-${role}` });
  const { state, summary } = daemon;
  if (daemon.release !== release)
    return check('daemon', 'warn', `${state}: ${summary}; it is ${daemon.release}, and this is ${release}`, {
      advice: `systemctl restart eiproute-${role}`,
    });
  const isFine = state === 'OK';
  return check('daemon', isFine ? 'ok' : 'warn', `${state}: ${summary}`, {
    advice: isFine ? undefined : 'eiproute status says what needs you',
  });
}
