import { contains, type Family, families, family, type Ip, networkOf } from '../model/ip.ts';
import type { AgentGateway, NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';

/** The families in which there are EIPs. */
export function eipFamilies({ eips }: NodeAgent): readonly Family[] {
  return families.filter((of) => eips.some((prefix) => family(prefix) === of));
}

export function gatewaysOf({ gateways }: NodeAgent, of: Family): readonly AgentGateway[] {
  return gateways.filter(({ address }) => family(address) === of);
}

/** The node's own address: the one in a gateway's network, else the first of the interface. */
export function addressOf(agent: NodeAgent, link: Link, of: Family): Ip | undefined {
  const fit = link.addresses.filter(({ ip }) => family(ip) === of && !isEip(agent, ip));
  const near = fit.find(({ ip, length }) =>
    agent.gateways.some(({ address }) => contains(networkOf(ip, length), address)),
  );
  return (near ?? fit[0])?.ip;
}

function isEip({ eips }: NodeAgent, ip: Ip): boolean {
  return eips.some((prefix) => contains(prefix, ip));
}
