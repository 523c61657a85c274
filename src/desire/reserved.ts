import type { Node } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import { poolFinder } from './pools.ts';

/** Addresses inside our pools that can never be EIPs, each with its holder in words: 'node n1'. */
export type Reserved = ReadonlyMap<Ip, string>;

const memory = new WeakMap<
  readonly Node[],
  { readonly gateway: Gateway; readonly links: readonly Link[]; readonly reserved: Reserved }
>();

/** Nearly always empty: it is a mistake of the person who wrote the pools. */
export function reservedIn(nodes: readonly Node[], gateway: Gateway, links: readonly Link[]): Reserved {
  const known = memory.get(nodes);
  if (known?.gateway === gateway && known.links === links) return known.reserved;
  const poolOf = poolFinder(gateway);
  const reserved = new Map<Ip, string>();
  const add = (ip: Ip, holder: string): void => {
    if (poolOf(ip)) reserved.set(ip, holder);
  };
  for (const node of nodes) for (const ip of node.addresses) add(ip, `node ${node.name}`);
  for (const via of gateway.defaultRoutes) add(via, 'the router of defaultRoute');
  for (const link of links) for (const { ip } of link.addresses) add(ip, `this gateway (${link.name})`);
  memory.set(nodes, { gateway, links, reserved });
  return reserved;
}
