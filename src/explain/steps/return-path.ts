import type { TraceFacts } from '../trace-facts.ts';
import { type Step, step, untold } from './step.ts';

const agentQuestion = 'on the node: eiproute status --config /etc/eiproute/node.yaml';

export function returnStep({ probe, view }: TraceFacts): Step {
  if (view?.eip === undefined) return untold('return path');
  if (probe === undefined) return step('return path', '-', `not asked: --probe finds out; ${agentQuestion}`);
  if (probe.kind === 'not asked')
    return step('return path', '-', `not asked: ${probe.why}; ${agentQuestion}`);
  const { fromLan, fromUplink } = probe;
  if (fromLan.kind === 'failed') return step('return path', '-', 'the probe did not come so far');
  if (fromUplink === undefined)
    return step('return path', '?', 'this gateway has no address on its uplink to probe from', {
      why: 'whether replies to clients come back cannot be probed without an address on the uplink',
      advice: agentQuestion,
    });
  if (fromUplink.kind === 'connected')
    return step('return path', 'ok', 'replies to an address beyond the LAN come back');
  return step(
    'return path',
    'FAIL',
    `replies to an address beyond the LAN do not come back (${fromUplink.code})`,
    {
      why: 'the node answers this gateway on the LAN, but a reply to a client takes another way: its node agent does not run, or does not know this network or this gateway',
      advice: `${agentQuestion}; its eips must hold ${view.pool?.networks.join(', ') ?? view.eip}`,
    },
  );
}
