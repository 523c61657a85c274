import type { Service } from '../model/cluster.ts';
import type { Why } from '../model/desired-object.ts';
import { defaultNat, type Gateway } from '../model/gateway.ts';
import { type Family, family, type Ip, onlyIp } from '../model/ip.ts';
import { bucketCount } from '../model/nat.ts';
import {
  compareNatPorts,
  type KernelObject,
  type Key,
  type NatEip,
  type NatGroup,
  type NatPort,
  natEipKey,
  type Route,
} from '../model/object.ts';
import { fillBuckets, type Weighed } from './buckets.ts';
import { isNat, nodePorts } from './nat-mode.ts';
import type { Add } from './plain-routes.ts';
import { poolFinder } from './pools.ts';
import { admitted } from './source-ranges.ts';

/** What is desired or in the kernel, by key. */
export type Finder = (key: Key) => KernelObject | undefined;

/** The inputs of {@link natObjects}. */
export interface NatInputs {
  readonly gateway: Gateway;
  /** The desired objects. */
  readonly desired: Iterable<KernelObject>;
  readonly find: Finder;
  /** The Services that hold an EIP, the strongest claim first; undefined: nobody knows of any. */
  readonly holders: (eip: Ip) => readonly Service[] | undefined;
  readonly have: ReadonlyMap<Key, KernelObject>;
}

/**
 * The groups and EIPs of the table of NAT, which follow the desired routes: an EIP of mode nat is in the table while its
 * route is desired, with the nodes of the route's nexthop group. So a node that is silent, drains, or that the kernel
 * refuses, and all that the guard holds, is decided once. The full recompute, and the specification of {@link NatTable}.
 */
export function natObjects({ gateway, desired, find, holders, have }: NatInputs, add: Add): void {
  const poolOf = poolFinder(gateway.pools);
  const groups = new Map<number, NatGroup | undefined>();
  const eips: NatEip[] = [];
  for (const route of desired) {
    const address = eipOf(route);
    if (address === undefined || route.kind !== 'route' || !isNat(gateway, poolOf(address))) continue;
    const eip = natEip(address, route, { gateway, services: holders(address), have });
    if (eip === undefined) continue;
    const [{ group: id } = { group: 0 }] = eip.ports;
    if (!groups.has(id)) groups.set(id, natGroup(id, family(address), gateway, find));
    if (groups.get(id) !== undefined) eips.push(eip);
  }
  for (const group of groups.values()) if (group !== undefined) add(group, natGroupWhy);
  for (const eip of eips) add(eip, natWhy(eip.eip));
}

/** The EIP of a route that leads to nodes. */
export function eipOf(object: KernelObject): Ip | undefined {
  return object.kind === 'route' && object.nhid !== undefined ? onlyIp(object.dst) : undefined;
}

export function natWhy(eip: Ip): Why {
  return { text: `NAT of ${eip}`, eip };
}

export const natGroupWhy: Why = { text: 'nodes of EIPs with NAT' };

/** The inputs of {@link natEip} besides the route. */
export interface NatEipInputs {
  readonly gateway: Gateway;
  /** Those that hold the EIP; undefined: nobody knows of any. */
  readonly services: readonly Service[] | undefined;
  readonly have: ReadonlyMap<Key, KernelObject>;
}

/** @returns undefined when the EIP has no port with a NodePort */
export function natEip(
  eip: Ip,
  { nhid, protocol }: Route,
  { gateway, services, have }: NatEipInputs,
): NatEip | undefined {
  if (nhid === undefined) return undefined;
  const { affinity } = gateway.nat ?? defaultNat;
  const ports =
    services === undefined
      ? keptPorts(have.get(natEipKey(eip)), nhid)
      : natPorts(services, nhid, affinity, family(eip));
  return ports.length === 0 ? undefined : { kind: 'nat-eip', eip, protocol, ports, intact: true };
}

/** A route that stays while the LAN is gone: what is known of its EIP is in the kernel. */
function keptPorts(kept: KernelObject | undefined, group: number): readonly NatPort[] {
  if (kept?.kind !== 'nat-eip') return [];
  return kept.ports.filter(({ nodePort }) => nodePort !== 0).map((port) => ({ ...port, group }));
}

/**
 * The buckets of a nexthop group, or of a nexthop alone; undefined: it has no node.
 *
 * @param of the family of its EIPs
 */
export function natGroup(id: number, of: Family, gateway: Gateway, find: Finder): NatGroup | undefined {
  const target = find(`nexthop ${id}`);
  const members = target?.kind === 'group' ? target.members : [{ id, weight: 1 }];
  const nodes = members.flatMap(({ id: hop, weight }): Weighed[] => {
    const nexthop = find(`nexthop ${hop}`);
    // An IPv4 route may lead through an IPv6 nexthop, and no address of that family takes the place of the EIP.
    return nexthop?.kind === 'nexthop' && family(nexthop.via) === of ? [{ ip: nexthop.via, weight }] : [];
  });
  if (nodes.length === 0) return undefined;
  const { seed } = gateway.nat ?? defaultNat;
  return {
    kind: 'nat-group',
    id,
    protocol: gateway.protocol,
    family: of,
    buckets: fillBuckets(nodes, bucketCount, seed),
    seed,
    intact: true,
  };
}

const lower = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const;

/** Of two Services with the same port the one with the stronger claim has it. */
function natPorts(
  services: readonly Service[],
  group: number,
  affinity: NatPort['affinity'],
  of: Family,
): readonly NatPort[] {
  const found = new Map<string, NatPort>();
  for (const service of services) {
    const ranges = admitted(service, of);
    for (const { protocol, port, nodePort } of nodePorts(service)) {
      const key = `${protocol} ${port}`;
      if (found.has(key)) continue;
      const sticky = service.sessionAffinity === 'ClientIP' ? 'address' : affinity;
      found.set(key, {
        protocol: lower[protocol],
        port,
        nodePort,
        group,
        affinity: sticky,
        ranges,
      });
    }
  }
  return [...found.values()].sort(compareNatPorts);
}
