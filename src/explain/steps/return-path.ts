import { defaultNat } from '../../model/gateway.ts';
import { some } from '../../status/need.ts';
import type { PathView } from '../../status/path-view.ts';
import type { TraceFacts } from '../trace-facts.ts';
import { isNatTraced } from './nat.ts';
import { type Step, step, untold } from './step.ts';

const natReturn =
  'replies come back where this gateway is the default route of the nodes, or nat.source gives them an address of it';
const agentQuestion = 'on the node: eiproute status --config /etc/eiproute/node.yaml';

export function returnStep({ gateway, probe, view }: TraceFacts): Step {
  if (view?.eip === undefined) return untold('return path');
  if (probe === undefined || probe.kind === 'not asked')
    return isNatTraced({ gateway, view })
      ? step('return path', '-', `not asked: ${probe?.why ?? '--probe finds out'}; ${natReturn}`)
      : toldStep(view, probe?.why ?? '--probe finds out');
  const { fromLan, fromUplink } = probe;
  if (fromLan.kind === 'failed') return step('return path', '-', 'the probe did not come so far');
  if (fromUplink === undefined)
    return step('return path', '?', 'this gateway has no address on its uplink to probe from', {
      why: 'whether replies to clients come back cannot be probed without an address on the uplink',
      advice: agentQuestion,
    });
  const { source } = gateway.nat ?? defaultNat;
  if (isNatTraced({ gateway, view }) && source !== 'preserve')
    return step('return path', 'ok', 'nodes answer this gateway: nat.source gives connections its address');
  if (fromUplink.kind === 'connected')
    return step('return path', 'ok', 'replies to an address beyond the LAN come back');
  if (isNatTraced({ gateway, view }))
    return step(
      'return path',
      'FAIL',
      `replies to an address beyond the LAN do not come back (${fromUplink.code})`,
      {
        why: 'the node answers this gateway on the LAN, but a reply to a client takes another way',
        advice: `make this gateway the default route of the nodes, or set nat.source to masquerade or to an address of the LAN`,
      },
    );
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

/** Without a probe: by what the agents of the nodes tell. */
function toldStep({ carriers, eip, pool }: PathView, why: string): Step {
  const names = (served: boolean): string[] =>
    carriers.filter((one) => one.served === served).map(({ node }) => node);
  const lacking = names(false);
  if (lacking.length > 0)
    return step('return path', 'FAIL', `the agent of ${some(lacking)} does not serve it`, {
      why: `the agent of ${some(lacking)} tells that it does not serve ${eip} through this gateway: replies from there are lost`,
      advice: `eiproute status says what to do; on the node, eips must hold ${pool?.networks.join(', ') ?? eip}, and gateways this one`,
    });
  if (carriers.length > 0 && names(true).length === carriers.length)
    return step(
      'return path',
      'ok',
      `the agent of ${some(names(true))} tells that it serves it; --probe proves it`,
    );
  return step('return path', '-', `not asked: ${why}; ${agentQuestion}`);
}
