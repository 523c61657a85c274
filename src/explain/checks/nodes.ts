import type { Gateway } from '../../model/gateway.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';
import { answering } from './hosts.ts';

export function nodesCheck({ nodes }: DoctorFacts, { lan }: Gateway): Check {
  const name = 'nodes';
  if (nodes.kind === 'not asked') return check(name, '?', `not asked: ${nodes.why}`);
  const { hosts, known, total, limits } = nodes;
  if (hosts.length === 0) return check(name, 'warn', `there is no node that could carry traffic, ${known}`);
  const { deaf, finding, names } = answering(hosts, lan);
  const all = total > hosts.length ? `${finding}, of ${total}, ${known}` : `${finding}, ${known}`;
  const more = limits.map(({ message, advice }) => `${message}; ${advice}`);
  if (deaf.length === 0) return check(name, more.length > 0 ? 'warn' : 'ok', all, { more });
  return check(name, deaf.length === hosts.length ? 'FAIL' : 'warn', `${all}; not ${names}`, {
    more,
    advice: `ping -I ${lan} ${deaf[0]?.ip}; kubectl get nodes -o wide`,
  });
}
