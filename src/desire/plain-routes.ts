import type { Refusals, Why } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import { anyPrefix, contains, family, type Ip, type Prefix } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import { type KernelObject, keyOf, type Link, noHops, type Route } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import type { Reserved, ReservedBy } from './reserved.ts';

/** Adds a desired object; the caller ensures that each key is added once. */
export type Add = (object: KernelObject, why: Why) => void;

/** Worse than any EIP's: a pool of single addresses has its unreachable route beside the EIP's own. */
export const unreachableMetric = 1_000_000;

/**
 * An `unreachable` route per pool network: without it, a packet to an EIP without a node bounces between
 * the gateway and its upstream until its TTL ends.
 */
export function poolRoutes(gateway: Gateway, owner: Owner, reserved: Reserved, add: Add): readonly Problem[] {
  const problems: Problem[] = [];
  for (const pool of gateway.pools) {
    for (const prefix of pool.addresses) {
      const inside = firstInside(prefix, reserved);
      if (inside === undefined) add(unreachable(prefix, gateway.table, owner), { text: `pool ${pool.name}` });
      else problems.push(holdsReserved(pool.name, prefix, inside));
    }
  }
  return problems;
}

export interface DefaultRouteInputs {
  readonly gateway: Gateway;
  readonly owner: Owner;
  /** undefined while the interface is missing or dead */
  readonly uplink: Link | undefined;
  readonly have: Listing;
  readonly refused: Refusals;
}

/** The default routes on the uplink, when they are configured. */
export function defaultRoutes(inputs: DefaultRouteInputs, add: Add): readonly Problem[] {
  const { gateway, owner, uplink, have, refused } = inputs;
  const problems: Problem[] = [];
  for (const via of gateway.defaultRoutes) {
    const version = family(via);
    const route: Route = {
      kind: 'route',
      table: gateway.table,
      dst: anyPrefix(version),
      metric: version === 4 ? 0 : 1024,
      protocol: owner.protocol,
      type: 'unicast',
      nhid: undefined,
      hops: [{ via, link: uplink?.index, weight: 1 }],
      src: undefined,
    };
    const why = { text: 'defaultRoute' };
    const present = have.objects.get(keyOf(route));
    const refusal = refused.get(keyOf(route));
    // A place that another program has is told as a conflict.
    if (refusal !== undefined && refusal.code !== 'EEXIST')
      problems.push(refusedDefault(via, gateway.uplink, refusal.message));
    if (uplink !== undefined) add(route, why);
    else if (present) add(present, why);
  }
  return problems;
}

function firstInside(prefix: Prefix, reserved: Reserved): readonly [ip: Ip, by: ReservedBy] | undefined {
  for (const entry of reserved) if (contains(prefix, entry[0])) return entry;
  return undefined;
}

function unreachable(dst: Prefix, table: number, owner: Owner): Route {
  return {
    kind: 'route',
    table,
    dst,
    metric: unreachableMetric,
    protocol: owner.protocol,
    type: 'unreachable',
    nhid: undefined,
    hops: noHops,
    src: undefined,
  };
}

function holdsReserved(pool: string, prefix: Prefix, [ip, { name }]: readonly [Ip, ReservedBy]): Problem {
  return {
    code: 'pool-holds-reserved',
    severity: 'error',
    subject: `pool ${pool} ${prefix}`,
    message: `pool ${pool}: ${prefix} holds ${ip}, the address of ${name}; its unreachable route is left out, since it would cut that address off`,
    advice: `write the pool as ranges that leave ${ip} out`,
  };
}

export function refusedDefault(via: Ip, uplink: string, message: string): Problem {
  return {
    code: 'default-route-refused',
    severity: 'error',
    subject: `default route via ${via}`,
    message: `the default route via ${via} on ${uplink} was refused: the kernel says ${message}`,
    advice: `see that ${via} is in a network of ${uplink} (ip address show dev ${uplink})`,
  };
}
