import { isNat } from '../../desire/nat-mode.ts';
import { natTableName } from '../../model/nat.ts';
import type { NatPort } from '../../model/object.ts';
import { some } from '../../status/need.ts';
import type { KernelFacts, TraceFacts } from '../trace-facts.ts';
import { type Step, step } from './step.ts';

/** Whether packets to what is traced get the address of a node. */
export function isNatTraced({ gateway, view }: Pick<TraceFacts, 'gateway' | 'view'>): boolean {
  const pool = gateway.pools.find(({ name }) => name === view?.pool?.name);
  return view?.eip !== undefined && isNat(gateway, pool);
}

export function natStep({ gateway, view, port }: TraceFacts, { nat }: KernelFacts): Step {
  const table = `table inet ${natTableName(gateway.protocol).name}`;
  const advice = 'eiproute plan shows what is missing; eiproute status says why';
  if (nat === undefined)
    return step('nat', 'FAIL', `${view?.eip} is not in ${table}`, {
      why: `packets to ${view?.eip} would get to nodes as they are: it is not in ${table}`,
      advice,
    });
  if (!nat.eip.intact)
    return step('nat', 'FAIL', `another program has changed ${table}`, {
      why: `another program has changed what ${table} has of ${view?.eip}; it is put right`,
      advice: `find the program: nft monitor; eiproute events`,
    });
  const { ports } = nat.eip;
  const asked = port === undefined ? ports : ports.filter((one) => one.port === port);
  if (asked.length === 0)
    return step('nat', 'FAIL', `no Service has port ${port} at ${view?.eip}: refused`, {
      why: `${view?.eip} has ${ports.map(portName).join(', ')}, and what comes to another port is refused`,
      advice: 'give the Service the port, with a NodePort',
    });
  const words = (one: NatPort): string => {
    const nodes = [...new Set(nat.nodes(one.group))].sort();
    const limit = one.ranges === undefined ? '' : `; only from ${some(one.ranges) || 'nobody'}`;
    return `${portName(one)} -> port ${one.nodePort} of ${nodes.join(', ')}${limit}`;
  };
  const [first, ...rest] = asked.map(words);
  return step('nat', 'ok', first ?? '', { more: rest });
}

function portName({ protocol, port }: NatPort): string {
  return `${protocol} ${port}`;
}
