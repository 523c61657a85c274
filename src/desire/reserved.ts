import type { Node } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';

/** Addresses that can never be EIPs, each with its holder in words: 'node n1', 'this gateway (eth0)'. */
export type Reserved = ReadonlyMap<Ip, string>;

export function reserved(nodes: readonly Node[], gateway: Gateway, links: readonly Link[]): Reserved {
  const taken = new Map<Ip, string>();
  for (const node of nodes) for (const ip of node.addresses) taken.set(ip, `node ${node.name}`);
  for (const via of gateway.defaultRoutes) taken.set(via, 'the router of defaultRoute');
  for (const link of links) for (const { ip } of link.addresses) taken.set(ip, `this gateway (${link.name})`);
  return taken;
}
