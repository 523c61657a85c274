import {
  comparePrefixes,
  families,
  family,
  hostPrefix,
  type Ip,
  networkOf,
  type Prefix,
  parseIp,
} from '../model/ip.ts';
import { chainName, frameOf, groupName, templateName } from '../model/nat.ts';
import {
  compareNatPorts,
  type NatEip,
  type NatGroup,
  type NatPort,
  type NftName,
  type NftObject,
} from '../model/object.ts';
import { parseTable } from './nft-listing.ts';

/**
 * What is in a table of NAT: its frame, its groups and its EIPs.
 *
 * @param blocks as nft lists the table with `frameListingOf`
 * @param json the table with its elements, as `nft --json` lists it
 */
export function parseNatTable(name: NftName, blocks: string, json: string): readonly NftObject[] {
  const frame = parseTable(name, frameOf(blocks));
  const elements = elementsOf(JSON.parse(json));
  return [frame, ...groupsOf(blocks, elements, frame.protocol), ...eipsOf(elements, frame.protocol)];
}

/** By the name of the set or map; those of a map are pairs of a key and a value. */
type Elements = ReadonlyMap<string, readonly unknown[]>;

function elementsOf(listed: unknown): Elements {
  const found = new Map<string, readonly unknown[]>();
  for (const item of arrayOf(field(listed, 'nftables'))) {
    const set = field(item, 'set') ?? field(item, 'map');
    const name = field(set, 'name');
    if (typeof name === 'string') found.set(name, arrayOf(field(set, 'elem')));
  }
  return found;
}

function groupsOf(blocks: string, elements: Elements, protocol: number): readonly NatGroup[] {
  const bodies = new Map<string, string>();
  for (const [, name = '', body = ''] of blocks.matchAll(/^\t(?:map|chain) (\w+) \{\n([\s\S]*?)^\t\}\n/gm))
    bodies.set(name, body);
  const groups: NatGroup[] = [];
  for (const [name, body] of bodies) {
    const [, id] = /^g(\d+)$/.exec(name) ?? [];
    if (id === undefined) continue;
    const of = body.includes('ip6 daddr') ? 6 : 4;
    // Each nft prints rules in its own way: those of a group are compared with those of the frame, which has a seal.
    const chains = rulesOf(name, bodies);
    const seeds = new Set([...chains.matchAll(seedOf)].map(([, found]) => found));
    const intact =
      plain(chains, name) === plain(rulesOf(templateName(of), bodies), templateName(of)) && seeds.size === 1;
    const [seed = '0'] = seeds;
    const buckets = arrayOf(elements.get(groupName(Number(id))))
      .flatMap(bucketOf)
      .sort(([a], [b]) => a - b);
    groups.push({
      kind: 'nat-group',
      id: Number(id),
      protocol,
      family: of,
      buckets: buckets.map(([, ip]) => ip),
      seed: Number(seed),
      intact,
    });
  }
  return groups;
}

const seedOf = / seed (0x[\da-f]+)/g;

/** The rules of both chains of a group. */
function rulesOf(group: string, bodies: ReadonlyMap<string, string>): string {
  return (['address', 'connection'] as const)
    .map((affinity) => bodies.get(chainName(group, affinity)) ?? 'none')
    .join();
}

/** Without the name of the group and the seed. */
function plain(rules: string, group: string): string {
  return rules.replace(seedOf, ' seed').replaceAll(`@${group}`, '@');
}

function bucketOf(element: unknown): readonly (readonly [bucket: number, ip: Ip])[] {
  const [bucket, ip] = arrayOf(element);
  return typeof bucket === 'number' && typeof ip === 'string' ? [[bucket, parseIp(ip)]] : [];
}

const protocols: ReadonlyMap<unknown, NatPort['protocol']> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

function eipsOf(elements: Elements, protocol: number): readonly NatEip[] {
  const listed = new Set<Ip>();
  const ports = new Map<Ip, Map<string, NatPort>>();
  /** The ranges of a port, which get one more with each element. */
  const rangesOf = new Map<readonly Prefix[] | undefined, Prefix[]>();
  const portsOf = (eip: Ip): Map<string, NatPort> => {
    const known = ports.get(eip) ?? new Map<string, NatPort>();
    ports.set(eip, known);
    return known;
  };
  const note = (
    key: unknown,
    value: unknown,
    read: (value: unknown, before: NatPort) => Partial<NatPort>,
  ): void => {
    const [eip, number, port] = arrayOf(field(key, 'concat'));
    const of = protocols.get(number);
    if (typeof eip !== 'string' || of === undefined || typeof port !== 'number') return;
    const known = portsOf(parseIp(eip));
    const empty: NatPort = {
      protocol: of,
      port,
      nodePort: 0,
      group: 0,
      affinity: 'address',
      ranges: undefined,
    };
    const before = known.get(`${of} ${port}`) ?? empty;
    known.set(`${of} ${port}`, { ...before, ...read(value, before) });
  };
  for (const version of families) {
    for (const eip of arrayOf(elements.get(`eips${version}`))) {
      if (typeof eip !== 'string') continue;
      listed.add(parseIp(eip));
      portsOf(parseIp(eip));
    }
    for (const element of arrayOf(elements.get(`limited${version}`)))
      note(element, undefined, () => ({ ranges: [] }));
    for (const element of arrayOf(elements.get(`ranges${version}`)))
      note(element, arrayOf(field(element, 'concat'))[3], (range, { ranges }) => {
        const all = rangesOf.get(ranges) ?? [];
        all.push(...rangeOf(range));
        rangesOf.set(all, all);
        return { ranges: all };
      });
    for (const [key, value] of pairsOf(elements.get(`port${version}`)))
      note(key, value, (nodePort) => (typeof nodePort === 'number' ? { nodePort } : {}));
    for (const [key, value] of pairsOf(elements.get(`service${version}`)))
      note(key, value, (verdict) => targetOf(field(field(verdict, 'goto'), 'target')));
  }
  for (const ranges of rangesOf.values()) ranges.sort(comparePrefixes);
  return [...ports]
    .sort(([a], [b]) => family(a) - family(b) || (a < b ? -1 : 1))
    .map(([eip, found]) => ({
      kind: 'nat-eip',
      eip,
      protocol,
      ports: [...found.values()].sort(compareNatPorts),
      intact: listed.has(eip),
    }));
}

function pairsOf(elements: unknown): readonly (readonly unknown[])[] {
  return arrayOf(elements).map(arrayOf);
}

/** A network, or an address by itself. */
function rangeOf(value: unknown): readonly Prefix[] {
  if (typeof value === 'string') return [hostPrefix(parseIp(value))];
  const { addr, len } = {
    addr: field(field(value, 'prefix'), 'addr'),
    len: field(field(value, 'prefix'), 'len'),
  };
  return typeof addr === 'string' && typeof len === 'number' ? [networkOf(parseIp(addr), len)] : [];
}

/** Of the name of a chain. */
function targetOf(chain: unknown): Partial<NatPort> {
  const [, id, letter] = typeof chain === 'string' ? (/^g(\d+)([ac])$/.exec(chain) ?? []) : [];
  return id === undefined ? {} : { group: Number(id), affinity: letter === 'a' ? 'address' : 'connection' };
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
