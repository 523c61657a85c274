import type { Refusals } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import {
  contains,
  type Family,
  families,
  family,
  type Ip,
  ipNumber,
  networkOf,
  type Prefix,
  parsePrefix,
  prefixIp,
} from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import type { Link, Nexthop } from '../model/object.ts';
import { isWithin, type Owner } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import type { Carrier } from './carriers.ts';
import { Ids } from './ids.ts';

/** The nexthops of all nodes in use. */
export interface Nexthops {
  /** By the node's address, without the nodes that the kernel refuses. */
  readonly byIp: ReadonlyMap<Ip, { readonly nexthop: Nexthop; readonly node: string }>;
  readonly problems: readonly Problem[];
}

export interface NexthopInputs {
  readonly lan: Link;
  readonly owner: Owner;
  readonly have: Listing;
  readonly refused: Refusals;
  readonly gateway: Pick<Gateway, 'defaultRoutes'>;
}

/**
 * One nexthop per node. A nexthop in the dump with the same address and interface keeps its id: the kernel is the only
 * store of ids.
 */
export function nexthops(
  lists: Iterable<readonly Carrier[]>,
  { lan, owner, have, refused, gateway }: NexthopInputs,
): Nexthops {
  const existing = new Map<Ip, Nexthop>();
  for (const object of have.objects.values()) {
    if (object.kind !== 'nexthop' || !isAdoptable(object, lan, owner)) continue;
    const twin = existing.get(object.via);
    if (twin === undefined || object.id < twin.id) existing.set(object.via, object);
  }
  const ids = new Ids(owner.nexthopIds, have, refused);

  const refusals = refusedNexthops(refused);
  const byIp = new Map<Ip, { nexthop: Nexthop; node: string }>();
  const problems: Problem[] = [];
  const seen = new Set<Ip>();
  for (const carriers of lists) {
    for (const { ip, node } of carriers) {
      if (seen.has(ip)) continue;
      seen.add(ip);
      const bar = barFor(ip, lan, have.links, gateway);
      if (bar !== undefined) {
        problems.push(barred(node, ip, bar));
        continue;
      }
      const refusal = refusals.get(ip);
      if (refusal !== undefined) {
        problems.push(unreachable(node, ip, lan.name, refusal));
        continue;
      }
      const nexthop = existing.get(ip) ?? {
        kind: 'nexthop',
        id: ids.take(),
        protocol: owner.protocol,
        via: ip,
        link: lan.index,
      };
      byIp.set(ip, { nexthop, node });
    }
  }
  problems.push(...withoutAddress(byIp.keys(), lan));
  return { byIp, problems };
}

/** A nexthop in the kernel can keep its id. One with an id of a former version makes place for a new one. */
export function isAdoptable({ id, link }: Nexthop, lan: Link, { nexthopIds }: Owner): boolean {
  return link === lan.index && isWithin(id, nexthopIds);
}

/** The nodes that the kernel refuses, each with the kernel's error. */
export function refusedNexthops(
  refused: Refusals,
  isMeant: (nexthop: Nexthop) => boolean = () => true,
): ReadonlyMap<Ip, string> {
  const refusals = new Map<Ip, string>();
  for (const { change, code, message } of refused.values()) {
    // EEXIST: another program has taken the id since the last dump; the node gets another one.
    const isRefusal = change.verb === 'add' && change.want.kind === 'nexthop' && code !== 'EEXIST';
    if (isRefusal && isMeant(change.want)) refusals.set(change.want.via, message);
  }
  return refusals;
}

/** What an address is that can be no nexthop: our own, that of our router, or the first or last one of this network. */
export type Bar = 'own' | 'router' | Prefix;

/** @returns undefined: it can be one, as far as this gateway knows */
export function barFor(
  ip: Ip,
  lan: Link,
  links: readonly Link[],
  { defaultRoutes }: Pick<Gateway, 'defaultRoutes'>,
): Bar | undefined {
  if (links.some(({ addresses }) => addresses.some((one) => one.ip === ip))) return 'own';
  return defaultRoutes.includes(ip) ? 'router' : networkAddress(ip, lan);
}

export function barred(node: string, ip: Ip, bar: Bar): Problem {
  if (bar === 'own') return isGateway(node, ip);
  return bar === 'router' ? isRouter(node, ip) : notAHost(node, ip, bar);
}

/**
 * The IPv4 network of an interface whose network or broadcast address this is; undefined: none. Linux accepts such an
 * address as a nexthop, and broadcasts or drops its packets.
 */
function networkAddress(ip: Ip, { addresses }: Link): Prefix | undefined {
  if (family(ip) !== 4) return undefined;
  const number = ipNumber(ip);
  for (const { ip: own, length } of addresses) {
    if (family(own) !== 4 || length > 30) continue;
    const network = networkOf(own, length);
    const first = ipNumber(prefixIp(network));
    if (number === first || number === first + (1n << BigInt(32 - length)) - 1n) return network;
  }
  return undefined;
}

function notAHost(node: string, ip: Ip, network: Prefix): Problem {
  return {
    code: 'node-address-invalid',
    severity: 'error',
    subject: `node ${node} (${ip})`,
    message: `node ${node} has ${ip} as an InternalIP, which is the network or broadcast address of ${network}; it is left out`,
    advice: `start the kubelet of ${node} with the address of its interface toward the gateway (--node-ip)`,
    node,
  };
}

/** Linux accepts the host itself as an IPv4 nexthop and drops its packets; for IPv6 it refuses it. */
function isGateway(node: string, ip: Ip): Problem {
  return {
    code: 'node-is-gateway',
    severity: 'error',
    subject: `node ${node}`,
    message: `node ${node} (${ip}) is this gateway itself, which cannot be its own nexthop; it is left out`,
    advice: 'run the gateway on a host that is no node of the cluster, or exclude the node by label',
    node,
  };
}

/** It would send the packets of the EIP back here, to go round until their TTL is over. */
function isRouter(node: string, ip: Ip): Problem {
  return {
    code: 'node-is-router',
    severity: 'error',
    subject: `node ${node} (${ip})`,
    message: `node ${node} has ${ip} as an InternalIP, which is the router of defaultRoute: it would send the packets of EIPs back to this gateway; it is left out`,
    advice: `start the kubelet of ${node} with an address of its own (--node-ip), or exclude the node by label`,
    node,
  };
}

const linkLocal = parsePrefix('fe80::/10');

/**
 * Linux keeps the nexthops of an interface whose last address goes. Nobody is asked whether they answer then, and what the
 * nodes send to the gateway's own address reaches nobody.
 *
 * @param ips of the nexthops
 */
export function withoutAddress(ips: Iterable<Ip>, { name, addresses }: Link): readonly Problem[] {
  const here = new Set(addresses.flatMap(({ ip }) => (contains(linkLocal, ip) ? [] : [family(ip)])));
  const lacking = new Set<Family>();
  for (const ip of ips) if (!here.has(family(ip)) && !contains(linkLocal, ip)) lacking.add(family(ip));
  return families
    .filter((of) => lacking.has(of))
    .map((of) => ({
      code: 'lan-without-address',
      severity: 'error',
      subject: `IPv${of} on ${name}`,
      message: `interface ${name} has no address of IPv${of}, and EIPs lead to nodes there by IPv${of}: nodes that answer through this gateway cannot`,
      advice: `ip address show dev ${name}; put the address back, and see who has taken it away (journalctl -u systemd-networkd)`,
    }));
}

export function unreachable(node: string, ip: Ip, lan: string, message: string): Problem {
  return {
    code: 'node-not-on-lan',
    severity: 'error',
    subject: `node ${node} (${ip})`,
    message: `node ${node} (${ip}) cannot be a nexthop on ${lan}: the kernel says ${message}`,
    advice: `see that ${ip} is in a network of ${lan} (ip address show dev ${lan}), or exclude the node by label`,
    node,
  };
}
