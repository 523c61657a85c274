import type { NodeAgent } from '../../model/node-agent.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';
import { answering } from './hosts.ts';

export function gatewaysCheck({ nodes }: DoctorFacts, { interface: link }: NodeAgent): Check {
  if (nodes.kind === 'not asked') return check('gateways', '?', `not asked: ${nodes.why}`);
  const { deaf, finding, names } = answering(nodes.hosts, link ?? 'the LAN');
  if (deaf.length === 0) return check('gateways', 'ok', finding);
  return check('gateways', 'FAIL', `${finding}; not ${names}`, {
    advice: `replies to clients of a gateway that does not answer are lost: ping ${link === undefined ? '' : `-I ${link} `}${deaf[0]?.ip}`,
  });
}
