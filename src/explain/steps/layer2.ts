import { family } from '../../model/ip.ts';
import type { TraceFacts } from '../trace-facts.ts';
import { type Step, step } from './step.ts';

/** Whether this gateway answers for the EIP; undefined where its pool is not announced by layer 2. */
export function layer2Step({ gateway, view, needs, kernel }: TraceFacts): Step | undefined {
  const segment = gateway.announce?.segment;
  if (segment === undefined || kernel?.isAnswered === undefined || view?.eip === undefined) return undefined;
  const protocol = family(view.eip) === 4 ? 'ARP' : 'NDP';
  if (kernel.isAnswered) return step('layer 2', 'ok', `${protocol} is answered on ${segment}`);
  const finding = `this gateway does not answer ${protocol} for it on ${segment}`;
  const taken = needs.find(({ code }) => code === 'eip-duplicate');
  if (taken !== undefined) return step('layer 2', 'FAIL', finding, { why: taken.why, advice: taken.advice });
  return step('layer 2', 'warn', finding, {
    more: ['it is on standby or drained, or was not asked about yet: eiproute status says which'],
  });
}
