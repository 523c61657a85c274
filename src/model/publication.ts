import {
  compareIp,
  comparePrefixes,
  family,
  type Ip,
  isWithin,
  type Prefix,
  parseIp,
  parsePrefix,
} from './ip.ts';
import { mostNetworks } from './node-agent.ts';
import { noGateway, specialUse } from './special-use.ts';
import { printable } from './text.ts';

/** Whether a gateway takes traffic now. */
export type GatewayState = 'active' | 'standby' | 'draining';

const states: readonly GatewayState[] = ['active', 'standby', 'draining'];

/** What a gateway publishes of itself, for the agents of the nodes. */
export interface Publication {
  /** The same after a restart, and that of no other gateway. */
  readonly id: string;
  readonly pools: readonly PublishedPool[];
  /** Its addresses on the nodes' LAN, one of each family at most. */
  readonly lan: readonly Ip[];
  readonly state: GatewayState;
  /** Addresses of nodes that get no new flows and keep those that they have. Sorted. */
  readonly draining: readonly Ip[];
  readonly leaving: LeavingNodes;
}

/**
 * By EIP, in the order of the EIPs: addresses of nodes whose last endpoints of it end, which get no new flows of it and
 * keep those that they have. Sorted, none empty.
 */
export type LeavingNodes = ReadonlyMap<Ip, readonly Ip[]>;

/** The most pairs of an EIP and a node that a gateway publishes: 50 KB of a ConfigMap's 1 MiB, and every agent reads it. */
export const mostLeaving = 512;

/**
 * The most that an agent reads of one gateway. Whoever may write the ConfigMap has room for 80,000 addresses in it, and
 * each costs every agent. These are far above what a gateway publishes: of draining nodes, two families of the 5000 nodes
 * that a Kubernetes has at most. Of the networks a node may serve one family, or, where its file has `eips`, those that
 * the file names: how many are too many for it is known once it has read them.
 */
const mostRead = { networks: 4 * mostNetworks, draining: 10_000, leaving: 4 * mostLeaving, text: 253 };

export interface PublishedPool {
  readonly name: string;
  /** Sorted, disjoint. */
  readonly networks: readonly Prefix[];
}

/** The value of the ConfigMap: one line of JSON. The same publication is the same text. */
export function publicationText({ id, pools, lan, state, draining, leaving }: Publication): string {
  return JSON.stringify({
    version: 1,
    id,
    pools: pools.map(({ name, networks }) => ({ name, networks })),
    lan,
    state,
    // Left out as long as no node drains, as by gateways that know of no drains.
    draining: draining.length > 0 ? draining : undefined,
    // Likewise. Agents that know of none pass over it.
    leaving: leaving.size > 0 ? Object.fromEntries(leaving) : undefined,
  });
}

/** @throws RangeError that says what is wrong with the text */
export function readPublication(text: string): Publication {
  const fields = fieldsOf(text);
  const { id, pools, lan, state, draining = [], leaving = {} } = fields;
  const known = states.find((one) => one === state);
  if (typeof id !== 'string' || known === undefined) throw new RangeError('it has no id, or no state');
  needAtMost(id.length, mostRead.text, 'letters of its id');
  if (!Array.isArray(pools) || !Array.isArray(lan) || !Array.isArray(draining))
    throw new RangeError('it has no list of pools, or of addresses');
  needAtMost(lan.length, 2, 'addresses on the LAN');
  needAtMost(draining.length, mostRead.draining, 'addresses of draining nodes');
  const addresses = lan.map((one: unknown) => parseIp(String(one)));
  for (const [i, ip] of addresses.entries()) {
    const use = noGateway(ip);
    if (use !== undefined) throw new RangeError(`${ip} cannot be a gateway (${use})`);
    const other = addresses.slice(0, i).find((one) => family(one) === family(ip));
    if (other !== undefined) throw new RangeError(`${other} and ${ip} are both IPv${family(ip)}`);
  }
  return {
    id,
    pools: poolsOf(pools),
    lan: addresses,
    state: known,
    draining: draining.map((one: unknown) => parseIp(String(one))),
    leaving: leavingOf(leaving),
  };
}

/** @throws RangeError */
function needAtMost(count: number, most: number, what: string): void {
  if (count > most) throw new RangeError(`it has ${count} ${what}; ${most} are taken at most`);
}

/** @throws RangeError */
function poolsOf(values: readonly unknown[]): readonly PublishedPool[] {
  needAtMost(values.length, mostRead.networks, 'pools');
  const pools = values.map((pool) => {
    const { name, networks } = { ...(typeof pool === 'object' ? pool : {}) } as Fields;
    if (typeof name !== 'string' || !Array.isArray(networks))
      throw new RangeError('a pool has no name or networks');
    needAtMost(name.length, mostRead.text, 'letters of the name of a pool');
    return { name, networks };
  });
  const count = pools.reduce((sum, { networks }) => sum + networks.length, 0);
  needAtMost(count, mostRead.networks, 'networks');
  return pools.map(({ name, networks }) => ({
    name,
    networks: networks.map((one: unknown) => eipNetwork(String(one), name)),
  }));
}

/**
 * The right to write the ConfigMap must not be enough to have nodes answer for loopback, or for routing protocols.
 *
 * @throws RangeError
 */
function eipNetwork(text: string, pool: string): Prefix {
  const network = parsePrefix(text);
  const use = specialUse(network);
  if (use === undefined) return network;
  throw new RangeError(
    `${network} of pool ${printable(pool, 63)} holds addresses that no EIP can have (${use})`,
  );
}

/** @throws RangeError */
function leavingOf(value: unknown): LeavingNodes {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RangeError('it has no list of the nodes that leave EIPs');
  const lists = Object.entries(value).map(([eip, nodes]): readonly [string, readonly unknown[]] => {
    if (!Array.isArray(nodes))
      throw new RangeError(`it has no list of the nodes that leave ${printable(eip, 63)}`);
    return [eip, nodes];
  });
  const count = lists.reduce((sum, [, nodes]) => sum + Math.max(1, nodes.length), 0);
  needAtMost(count, mostRead.leaving, 'pairs of an EIP and a node that leaves it');
  const entries = lists.map(([eip, nodes]): readonly [Ip, readonly Ip[]] => {
    return [parseIp(eip), nodes.map((one: unknown) => parseIp(String(one))).sort(compareIp)];
  });
  return new Map(entries.filter(([, nodes]) => nodes.length > 0).sort(([a], [b]) => compareIp(a, b)));
}

/** The nodes that any of them names. */
export function allLeaving(lists: readonly LeavingNodes[]): LeavingNodes {
  const all = new Map<Ip, Set<Ip>>();
  for (const list of lists)
    for (const [eip, nodes] of list) all.set(eip, (all.get(eip) ?? new Set()).union(new Set(nodes)));
  return new Map(
    [...all]
      .sort(([a], [b]) => compareIp(a, b))
      .map(([eip, nodes]) => [eip, [...nodes].sort(compareIp)] as const),
  );
}

/** What the agent of a node serves, as it tells by an annotation of its Node. */
export interface ToldAgent {
  /** The networks that it answers for. Sorted, disjoint. */
  readonly eips: readonly Prefix[];
  /** The gateways that it has a table for, by their addresses on the LAN. */
  readonly gateways: readonly Ip[];
  /** Where the file of the node says so, `/etc/eiproute/node.yaml:2`; undefined: it follows the gateways. */
  readonly eipsAt: string | undefined;
  readonly gatewaysAt: string | undefined;
}

/** Letters: a path of Linux, and a line. Each gateway tells the place in a problem. */
const longestPlace = 4200;

/** One line of JSON. */
export function toldText({ eips, gateways, eipsAt, gatewaysAt }: ToldAgent): string {
  return JSON.stringify({ version: 1, eips, gateways, eipsAt, gatewaysAt });
}

/** @throws RangeError that says what is wrong with the text */
export function readTold(text: string): ToldAgent {
  const { eips, gateways, eipsAt, gatewaysAt } = fieldsOf(text);
  if (!Array.isArray(eips) || !Array.isArray(gateways))
    throw new RangeError('it has no eips, or no gateways');
  // The annotations of a Node have room for 14,000 networks, and each of them costs every gateway.
  if (Math.max(eips.length, gateways.length) > mostNetworks)
    throw new RangeError(
      `it has ${eips.length} eips and ${gateways.length} gateways; a node takes ${mostNetworks} at most`,
    );
  for (const at of [eipsAt, gatewaysAt])
    if (typeof at === 'string') needAtMost(at.length, longestPlace, 'letters of a place in a file');
  return {
    eips: eips.map((one: unknown) => parsePrefix(String(one))),
    gateways: gateways.map((one: unknown) => parseIp(String(one))),
    eipsAt: typeof eipsAt === 'string' ? eipsAt : undefined,
    gatewaysAt: typeof gatewaysAt === 'string' ? gatewaysAt : undefined,
  };
}

/** The networks of all pools without those that lie in others: sorted, disjoint. */
export function unionOf(pools: readonly PublishedPool[]): readonly Prefix[] {
  const union: Prefix[] = [];
  // Two networks never overlap in part: what holds others comes right before them.
  for (const network of pools.flatMap(({ networks }) => networks).sort(comparePrefixes)) {
    const last = union.at(-1);
    if (last === undefined || !isWithin(network, last)) union.push(network);
  }
  return union;
}

type Fields = { readonly [name: string]: unknown };

function fieldsOf(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RangeError('it is no JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null) throw new RangeError('it is no object of JSON');
  const { version, ...fields }: Fields = { ...value };
  if (version !== 1) throw new RangeError(`it is of version ${String(version)}, and not of version 1`);
  return fields;
}
