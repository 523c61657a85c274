import { type Family, families, family, type Ip } from './ip.ts';
import type { Change, NatEip, NatGroup, NatPort, NftName } from './object.ts';
import { samePort } from './same-object.ts';

/** How many buckets a group has. */
export const bucketCount = 256;

/** The nftables table that NAT is in: its frame is an `NftTable`, and the groups and EIPs are objects of their own. */
export function natTableName(protocol: number): NftName {
  return { family: 'inet', name: `eiproute-nat-${protocol}` };
}

/** The table holds objects of their own, which are no part of its content and stay when it is replaced. */
export function isNatTable({ name }: NftName): boolean {
  return name.startsWith('eiproute-nat-');
}

/** Arguments of nft that list the frame of a table of NAT; {@link frameOf} leaves the groups out. */
export function frameListingOf({ family, name }: NftName): readonly string[] {
  return ['--terse', '--stateless', '--numeric', 'list', 'table', family, name];
}

/** What {@link frameOf} does, for a shell. */
export const frameFilter = "sed '/^\\t\\(map\\|chain\\) g[0-9]/,/^\\t}/d; /^$/d'";

/** @param listed as nft lists a table of NAT with {@link frameListingOf} */
export function frameOf(listed: string): string {
  return listed.replace(/^\t(?:map|chain) g\d[\s\S]*?^\t\}\n/gm, '').replace(/^\n/gm, '');
}

/** The shell commands that print what is in a table of NAT, as statements of nft that put it into another frame. */
export function contentCommands(name: string): string {
  const maps = families.flatMap((of) => [
    `set inet ${name} eips${of}`,
    `set inet ${name} limited${of}`,
    `set inet ${name} ranges${of}`,
    `map inet ${name} port${of}`,
    `map inet ${name} service${of}`,
  ]);
  const groups = `nft --stateless list table inet ${name} | sed -n '1p; /^\\t\\(map\\|chain\\) g[0-9]/,/^\\t}/p; $p'`;
  return [groups, ...maps.map((map) => `nft --stateless list ${map}`)].join('\n');
}

/**
 * The chain of a group that spreads the flows by the clients' addresses, or by the connections. Each group has both, and
 * a map with its own name without the last letter.
 */
export function chainName(group: string, affinity: NatPort['affinity']): string {
  return `${group}${affinity === 'address' ? 'a' : 'c'}`;
}

/** The name of a group's map, and the beginning of the names of its chains. */
export function groupName(id: number): string {
  return `g${id}`;
}

/** Of a map and chains that no packet meets, in the frame: what those of a group must look like. */
export function templateName(of: Family): string {
  return `template${of}`;
}

const affinities = ['address', 'connection'] as const;

/** The map and the chains of a group as statements of nft, without the elements of the map. */
export function groupBlocks(group: string, of: Family, seed: number): string {
  const address = of === 4 ? 'ip' : 'ip6';
  const rule = (affinity: NatPort['affinity']): string => {
    const hashed = affinity === 'address' ? `${address} saddr` : `${address} saddr . th sport`;
    const node = `jhash ${hashed} mod ${bucketCount} seed 0x${seed.toString(16)} map @${group}`;
    const port = `${address} daddr . meta l4proto . th dport map @port${of}`;
    return `    meta l4proto { tcp, udp, sctp } dnat ${address} to ${node} : ${port}`;
  };
  const chains = affinities.map((one) => `  chain ${chainName(group, one)} {\n${rule(one)}\n  }\n`);
  // An integer key has no other name in nft 1.0.6 than the type of an expression that yields one.
  return `  map ${group} {\n    typeof numgen inc mod ${bucketCount} : ${address} daddr\n  }\n${chains.join('')}`;
}

function tableOf(protocol: number): string {
  const { family, name } = natTableName(protocol);
  return `${family} ${name}`;
}

/** Statements of nft that make the changes, together. */
export function natScript(changes: readonly Change[]): string {
  return changes.flatMap(statements).join('');
}

function statements(change: Change): readonly string[] {
  const object = change.verb === 'delete' ? change.have : change.want;
  if (object.kind === 'nat-group') {
    if (change.verb === 'delete') return groupDeletion(object);
    const have = change.verb === 'replace' && change.have.kind === 'nat-group' ? change.have : undefined;
    return have === undefined ? groupAddition(object) : groupReplacement(object, have);
  }
  if (object.kind === 'nat-eip') {
    const have = change.verb === 'add' ? undefined : change.have;
    const want = change.verb === 'delete' ? undefined : object;
    return eipStatements(want, have?.kind === 'nat-eip' ? have : undefined, object);
  }
  throw new TypeError(`a ${object.kind} is not in a table of NAT`);
}

function groupAddition(group: NatGroup): readonly string[] {
  const { id, protocol, family: of, seed } = group;
  const name = groupName(id);
  const table = tableOf(protocol);
  return [
    // `create` fails on what is there; a block would silently add to it.
    `create map ${table} ${name} { typeof numgen inc mod ${bucketCount} : ${of === 4 ? 'ip' : 'ip6'} daddr; }\n`,
    ...affinities.map((one) => `create chain ${table} ${chainName(name, one)}\n`),
    `table ${table} {\n${groupBlocks(name, of, seed)}}\n`,
    elements(group),
  ];
}

/** Other buckets are a map that is flushed and filled; other chains are emptied and written. */
function groupReplacement(group: NatGroup, have: NatGroup): readonly string[] {
  const { id, protocol, family: of, seed } = group;
  const name = groupName(id);
  const table = tableOf(protocol);
  const isSameChain = have.intact && have.seed === seed && have.family === of;
  const chains = affinities.map((one) => chainName(name, one));
  return [
    ...(isSameChain
      ? []
      : [
          ...chains.flatMap((chain) => [`add chain ${table} ${chain}\n`, `flush chain ${table} ${chain}\n`]),
          `table ${table} {\n${groupBlocks(name, of, seed)}}\n`,
        ]),
    `flush map ${table} ${name}\n`,
    elements(group),
  ];
}

function groupDeletion({ id, protocol }: NatGroup): readonly string[] {
  const name = groupName(id);
  const table = tableOf(protocol);
  return [
    ...affinities.map((one) => `delete chain ${table} ${chainName(name, one)}\n`),
    `delete map ${table} ${name}\n`,
  ];
}

function elements({ id, protocol, buckets }: NatGroup): string {
  const all = buckets.map((ip, i) => `${i} : ${ip}`).join(', ');
  return `add element ${tableOf(protocol)} ${groupName(id)} { ${all} }\n`;
}

/** What of `have` is not in `want` goes, and what `want` has beyond comes. */
function eipStatements(
  want: NatEip | undefined,
  have: NatEip | undefined,
  { eip, protocol }: NatEip,
): readonly string[] {
  const of = family(eip);
  const table = tableOf(protocol);
  const lines: string[] = [];
  const statement = (verb: string, map: string, found: readonly string[]): void => {
    if (found.length > 0) lines.push(`${verb} element ${table} ${map}${of} { ${found.join(', ')} }\n`);
  };
  const had = portsOf(have);
  const wanted = portsOf(want);
  const gone = have?.ports.filter((port) => !has(wanted, port)) ?? [];
  const come = want?.ports.filter((port) => !has(had, port)) ?? [];
  const key = ({ protocol: of4, port }: NatPort): string => `${eip} . ${of4} . ${port}`;
  const verb = have === undefined ? 'create' : 'add';
  const limited = (ports: readonly NatPort[]) => ports.filter(({ ranges }) => ranges !== undefined).map(key);
  const ranged = (ports: readonly NatPort[]) =>
    ports.flatMap((port) => (port.ranges ?? []).map((range) => `${key(port)} . ${range}`));
  statement('delete', 'ranges', ranged(gone));
  statement('delete', 'limited', limited(gone));
  statement('delete', 'service', gone.filter(({ group }) => group !== 0).map(key));
  statement('delete', 'port', gone.filter(({ nodePort }) => nodePort !== 0).map(key));
  if (want === undefined && have?.intact) statement('delete', 'eips', [eip]);
  if (want !== undefined && !have?.intact) statement(verb, 'eips', [eip]);
  // Before the port leads anywhere.
  statement(verb, 'limited', limited(come));
  statement(verb, 'ranges', ranged(come));
  statement(
    verb,
    'port',
    come.map((port) => `${key(port)} : ${port.nodePort}`),
  );
  statement(
    verb,
    'service',
    come.map((port) => `${key(port)} : goto ${chainName(groupName(port.group), port.affinity)}`),
  );
  return lines;
}

/** An EIP has one port or two, and may have thousands. */
function portsOf(eip: NatEip | undefined): ReadonlyMap<string, NatPort> {
  return new Map(eip?.ports.map((port) => [portKey(port), port]));
}

function portKey({ protocol, port }: NatPort): string {
  return `${protocol}/${port}`;
}

function has(ports: ReadonlyMap<string, NatPort>, port: NatPort): boolean {
  return samePort(port, ports.get(portKey(port)));
}

/** How many buckets each node has, in the order of the nodes' first ones: `10.0.0.11*86`. */
export function bucketShares(buckets: readonly Ip[]): readonly string[] {
  const counts = new Map<Ip, number>();
  for (const ip of buckets) counts.set(ip, (counts.get(ip) ?? 0) + 1);
  return [...counts].map(([ip, count]) => `${ip}*${count}`);
}
