import type { ConfigMap } from '../cluster/config-map.ts';
import { addressOf } from '../desire/node-view.ts';
import {
  compareIp,
  contains,
  type Family,
  family,
  type Ip,
  networkOf,
  type Prefix,
  remainder,
} from '../model/ip.ts';
import type { AgentGateway, NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import { allLeaving, type Publication, readPublication, unionOf } from '../model/publication.ts';
import { printable } from '../model/text.ts';

/** A gateway as the agent of a node knows it. */
export interface PublishedGateway {
  readonly name: string;
  /** Of its table and mark, from 1; kept as long as it is known, since flows carry its mark. */
  readonly number: number;
  /** Of the ConfigMap that it was read from. */
  readonly uid: string;
  readonly publication: Publication;
}

/** Sorted by number. */
export type PublishedGateways = readonly PublishedGateway[];

/**
 * The most keys that are read beside those of gateways that are known. Whoever may write the ConfigMap has room for a
 * hundred thousand, and each is a table of the node, or a problem of it.
 */
const mostFresh = 100;
/** Characters of why a value cannot be read: it may hold what is no address, and is 1 MiB long. */
const mostWhy = 300;

/** What came of a ConfigMap. */
export interface Learned {
  readonly gateways: PublishedGateways;
  /** Keys whose value cannot be read, and why; `isKnown`: the last good value stays in use. */
  readonly unreadable: readonly { readonly name: string; readonly why: string; readonly isKnown: boolean }[];
  /** Gateways that a new ConfigMap lacks. They stay: they may not have written yet. */
  readonly awaited: readonly string[];
  /** Keys of no known gateway that were not looked at: there are too many. */
  readonly passedOver: number;
  /** No gateway is left; all that was known stays. */
  readonly isEmpty: boolean;
}

/**
 * Reads a ConfigMap over what was known before. A gateway goes when its value is empty, or when its key is missing from
 * the object that had it: a ConfigMap is read whole or not at all, so somebody took it out.
 */
export function learn(before: PublishedGateways, { uid, data }: ConfigMap): Learned {
  const unreadable: { name: string; why: string; isKnown: boolean }[] = [];
  const former = new Map(before.map((gateway) => [gateway.name, gateway]));
  const found: PublishedGateway[] = [];
  const fresh: (readonly [name: string, publication: Publication])[] = [];
  let strangers = 0;
  for (const [name, text] of data) {
    const known = former.get(name);
    former.delete(name);
    if (text === '') continue;
    if (known === undefined && ++strangers > mostFresh) continue;
    try {
      const publication = readPublication(text);
      if (known === undefined) fresh.push([name, publication]);
      else found.push({ ...known, uid, publication });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      unreadable.push({ name, why: printable(error.message, mostWhy), isKnown: known !== undefined });
      if (known !== undefined) found.push({ ...known, uid });
    }
  }
  const awaited = [...former.values()].filter((gateway) => gateway.uid !== uid);
  found.push(...awaited);
  for (const [name, publication] of fresh) found.push({ name, number: freeNumber(found), uid, publication });
  const isEmpty = found.length === 0;
  return {
    gateways: isEmpty ? before : found.sort((a, b) => a.number - b.number),
    unreadable,
    awaited: awaited.map(({ name }) => name),
    passedOver: Math.max(0, strangers - mostFresh),
    isEmpty,
  };
}

function freeNumber(gateways: PublishedGateways): number {
  for (let number = 1; ; number += 1) if (gateways.every((one) => one.number !== number)) return number;
}

/** Where the parts of an agent come from that its file leaves out. */
export interface ComposeInputs {
  readonly gateways: PublishedGateways;
  /** Table of the first gateway. */
  readonly repliesTable: number;
  readonly links: readonly Link[];
  /** Families that are served now: they stay while the node's address is gone for a moment. */
  readonly served: ReadonlySet<Family>;
}

/** An agent with what its file leaves out: its gateways, and the union of their pools. What the file has wins. */
export function composed(agent: NodeAgent, inputs: ComposeInputs): NodeAgent {
  const gateways = agent.gateways.length > 0 ? agent.gateways : followed(agent, inputs);
  const draining = inputs.gateways.flatMap(({ publication }) => publication.draining);
  const leaving = allLeaving(inputs.gateways.map(({ publication }) => publication.leaving));
  const whole = { ...agent, gateways, draining: [...new Set(draining)].sort(compareIp), leaving };
  if (agent.eips.length > 0) return whole;
  const networks = unionOf(inputs.gateways.flatMap(({ publication }) => publication.pools));
  const eips = networks.filter(
    (network) =>
      gateways.some(({ address }) => family(address) === family(network)) &&
      (inputs.served.has(family(network)) || hasAddress(whole, inputs.links, family(network))),
  );
  return { ...whole, eips };
}

/** Whether the node can serve a family: an EIP of one that it has no address of is not sent to it. */
export function hasAddress(agent: NodeAgent, links: readonly Link[], of: Family): boolean {
  const near = links.filter(({ name, addresses }) =>
    agent.interface === undefined
      ? addresses.some((own) => agent.gateways.some(({ address }) => isNear(own, address)))
      : name === agent.interface,
  );
  return near.some((link) => addressOf(agent, link, of) !== undefined);
}

function isNear({ ip, length }: { readonly ip: Ip; readonly length: number }, address: Ip): boolean {
  return family(ip) === family(address) && contains(networkOf(ip, length), address);
}

function followed({ markMask, localTable }: NodeAgent, inputs: ComposeInputs): readonly AgentGateway[] {
  const own = new Set(inputs.links.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)));
  const unit = (markMask & -markMask) >>> 0;
  return inputs.gateways.flatMap(({ number, publication }) => {
    const table = inputs.repliesTable + number - 1;
    const mark = number * unit;
    // The mask or the tables have no room for this gateway: it is reported as missing.
    if (mark >= markMask || table === localTable || (table >= 253 && table <= 255)) return [];
    // A gateway may be a node as well, and needs no way back to itself.
    return publication.lan.filter((ip) => !own.has(ip)).map((address) => ({ address, table, mark }));
  });
}

/** What a gateway publishes and a list does not hold. */
export interface Lack {
  readonly gateway: string;
  /** undefined: it is an address of the gateway. */
  readonly pool: string | undefined;
  readonly what: string;
}

/** The networks of pools that an agent does not serve, of the families that it can serve. */
export function lackingNetworks(
  gateways: PublishedGateways,
  eips: readonly Prefix[],
  canServe: (of: Family) => boolean,
): readonly Lack[] {
  const lacks = new Map<string, Lack>();
  // An agent that follows serves nearly all of them as they are: each remainder costs all of its networks.
  const held = new Set(eips);
  for (const { name: gateway, publication } of gateways)
    for (const { name: pool, networks } of publication.pools)
      for (const network of networks)
        for (const what of held.has(network) || !canServe(family(network)) ? [] : remainder(network, eips))
          if (!lacks.has(what)) lacks.set(what, { gateway, pool, what });
  return [...lacks.values()];
}

function isPooled({ pools }: Publication, of: Family): boolean {
  return pools.some(({ networks }) => networks.some((network) => family(network) === of));
}

/** The addresses of gateways that an agent has no table for. */
export function lackingGateways(
  gateways: PublishedGateways,
  has: readonly Ip[],
  canServe: (of: Family) => boolean,
): readonly Lack[] {
  return gateways.flatMap(({ name: gateway, publication }) =>
    publication.lan
      .filter((ip) => canServe(family(ip)) && isPooled(publication, family(ip)) && !has.includes(ip))
      .map((what) => ({ gateway, pool: undefined, what })),
  );
}
