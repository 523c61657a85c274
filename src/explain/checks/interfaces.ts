import { withInterface } from '../../daemon/node-role.ts';
import type { NodeAgent } from '../../model/node-agent.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';

export function interfacesCheck(
  { links }: DoctorFacts,
  wanted: readonly (readonly [key: string, name: string])[],
): Check {
  const name = 'interfaces';
  if (links === undefined) return check(name, '?', 'the kernel cannot be read');
  const wrong = wanted.flatMap(([key, wish]) => {
    const link = links.find((one) => one.name === wish);
    if (link === undefined) return [`${key}: ${wish} does not exist`];
    if (!link.up) return [`${key}: ${wish} is down`];
    return link.carrier ? [] : [`${key}: ${wish} has no carrier`];
  });
  const there = `there are: ${links.map((link) => link.name).join(' ')}`;
  if (wrong.length > 0)
    return check(name, 'FAIL', `${wrong.join('; ')}; ${there}`, {
      advice: 'correct the name in the configuration, or see to the interface: ip link',
    });
  return check(name, 'ok', wanted.map(([key, wish]) => `${key} ${wish}`).join(', ') || there);
}

/** Without an interface in the configuration the agent chooses one. */
export function chosenInterfaceCheck({ links }: DoctorFacts, agent: NodeAgent): Check {
  const name = 'interfaces';
  if (links === undefined) return check(name, '?', 'the kernel cannot be read');
  const { interface: chosen } = withInterface(agent, links);
  if (chosen !== undefined) return check(name, 'ok', `${chosen}, toward the gateways`);
  const all = agent.gateways.map(({ address }) => address).join(', ');
  return check(name, 'FAIL', `no gateway (${all}) is on a directly connected network of this node`, {
    advice: 'set gateways to their addresses on the LAN of the nodes, or set interface',
  });
}
