import type { Protocol } from '../model/cluster.ts';
import { contains, family, type Ip, parseIp, parsePrefix } from '../model/ip.ts';
import { type FirewallManager, managerOf } from './firewall-managers.ts';

/** The first packet of a connection that comes in on one interface and leaves by another. */
export interface Packet {
  readonly iif: string;
  readonly oif: string;
  readonly source: Ip;
  readonly destination: Ip;
  /** undefined: of any protocol */
  readonly protocol: Protocol | undefined;
  /** undefined: to any port */
  readonly port: number | undefined;
  /** NAT gave it the destination that it has: its connection has the status `dnat`. */
  readonly translated: boolean;
}

/** What the forward hooks do with a packet. */
export type ForwardVerdict =
  | { readonly kind: 'passes' }
  /** By whom: `chain inet filter forward, its policy`. */
  | { readonly kind: 'drops'; readonly by: string; readonly manager?: FirewallManager }
  /** A rule that decides it looks at more than is known of the packet. */
  | { readonly kind: 'unclear'; readonly by: string };

/**
 * Judges what `nft -j list ruleset` printed. Each base chain of the hook must let the packet pass. A match that cannot be
 * decided counts as both, so that a packet passes or is dropped only where that is certain.
 *
 * @param text what `nft -a list ruleset` printed: it tells the states that a rule of iptables asks for, which JSON does not
 */
export function judgeForward(ruleset: unknown, packet: Packet, text = ''): ForwardVerdict {
  const tables = tablesOf(ruleset, ruleStates(text));
  const families = family(packet.destination) === 4 ? ['inet', 'ip'] : ['inet', 'ip6'];
  let unclear: string | undefined;
  for (const [name, table] of tables) {
    if (!families.includes(name.split(' ')[0] ?? '')) continue;
    for (const [chain, { hook, policy }] of table.chains) {
      if (hook !== 'forward') continue;
      const found = walk(table, chain, packet, 0);
      const by = `chain ${name} ${chain}`;
      if (found.next && policy === 'drop') found.drop ??= `${by}, its policy drop`;
      const passes = found.accept || (found.next && policy !== 'drop');
      if (found.drop === undefined) continue;
      if (!passes) {
        const all = [...tables].flatMap(([table, { chains }]) =>
          [...chains.keys()].map((one) => `${table} ${one}`),
        );
        const manager = managerOf(found.drop, all);
        return { kind: 'drops', by: found.drop, ...(manager && { manager }) };
      }
      unclear ??= found.drop;
    }
  }
  return unclear === undefined ? { kind: 'passes' } : { kind: 'unclear', by: unclear };
}

type Json = Readonly<Record<string, unknown>>;

interface Table {
  readonly name: string;
  readonly chains: Map<string, { readonly hook: unknown; readonly policy: unknown }>;
  readonly rules: Map<string, Json[]>;
  readonly sets: Map<string, readonly unknown[]>;
  readonly states: ReadonlyMap<string, readonly string[]>;
}

/** What may become of a packet in a chain. */
interface Outcome {
  accept: boolean;
  /** The rule that drops it. */
  drop: string | undefined;
  /** It reaches the end of the chain. */
  next: boolean;
}

/** The states of connections that rules match, by `ip filter FORWARD 12`. */
function ruleStates(text: string): ReadonlyMap<string, readonly string[]> {
  const states = new Map<string, readonly string[]>();
  let [table, chain] = ['', ''];
  for (const line of text.split('\n')) {
    table = /^table (\w+ \S+) \{/.exec(line)?.[1] ?? table;
    chain = /^\tchain (\S+) \{/.exec(line)?.[1] ?? chain;
    const [, before, words, handle] = /^\t\t(.*?)ct state ([a-z,]+) .*# handle (\d+)$/.exec(line) ?? [];
    // Of two, or of one that is negated, it is not known.
    if (words !== undefined && !/ct state .*ct state /.test(line) && !before?.includes('ct '))
      states.set(`${table} ${chain} ${handle}`, words.split(','));
  }
  return states;
}

/** By `inet filter`. */
function tablesOf(
  ruleset: unknown,
  states: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, Table> {
  const tables = new Map<string, Table>();
  const entries = isJson(ruleset) && Array.isArray(ruleset['nftables']) ? ruleset['nftables'] : [];
  for (const entry of entries) {
    if (!isJson(entry)) continue;
    const { chain, rule, set } = entry;
    const part = [chain, rule, set].find(isJson);
    if (part === undefined) continue;
    const name = `${part['family']} ${part['table']}`;
    const table = tables.get(name) ?? { name, chains: new Map(), rules: new Map(), sets: new Map(), states };
    tables.set(name, table);
    if (part === chain)
      table.chains.set(String(part['name']), { hook: part['hook'], policy: part['policy'] });
    else if (part === rule) {
      const of = String(part['chain']);
      table.rules.set(of, [...(table.rules.get(of) ?? []), part]);
    } else table.sets.set(String(part['name']), Array.isArray(part['elem']) ? part['elem'] : []);
  }
  return tables;
}

/** The kernel follows so many jumps. */
const deepest = 16;

function walk(table: Table, chain: string, packet: Packet, depth: number): Outcome {
  const found: Outcome = { accept: false, drop: undefined, next: false };
  if (depth > deepest) return { ...found, next: true };
  for (const rule of table.rules.get(chain) ?? []) {
    const where = `chain ${table.name} ${chain}, rule handle ${rule['handle']}`;
    const { matches, outcome, leaves } = apply(table, rule, where, packet, depth);
    if (matches === false) continue;
    found.accept ||= outcome.accept;
    found.drop ??= outcome.drop;
    if (leaves) found.next = true;
    if (matches === true && !outcome.next) return found;
  }
  return { ...found, next: true };
}

/** Three values: undefined where it cannot be decided. */
type Truth = boolean | undefined;

function apply(
  table: Table,
  rule: Json,
  where: string,
  packet: Packet,
  depth: number,
): { readonly matches: Truth; readonly outcome: Outcome; readonly leaves: boolean } {
  const expressions = Array.isArray(rule['expr']) ? rule['expr'].filter(isJson) : [];
  let matches: Truth = true;
  const go: Outcome = { accept: false, drop: undefined, next: true };
  for (const expression of expressions) {
    const [name = '', body] = Object.entries(expression)[0] ?? [];
    switch (name) {
      case 'match':
        matches = and(matches, isJson(body) ? decide(table, body, packet) : undefined);
        if (matches === false) return { matches, outcome: go, leaves: false };
        break;
      case 'accept':
        return { matches, outcome: { accept: true, drop: undefined, next: false }, leaves: false };
      case 'drop':
      case 'reject':
        return { matches, outcome: { accept: false, drop: where, next: false }, leaves: false };
      case 'return':
        return { matches, outcome: { accept: false, drop: undefined, next: false }, leaves: true };
      case 'jump':
      case 'goto': {
        const target = isJson(body) ? String(body['target']) : '';
        const found = walk(table, target, packet, depth + 1);
        if (name === 'jump') return { matches, outcome: found, leaves: false };
        return { matches, outcome: { ...found, next: false }, leaves: found.next };
      }
      case 'xt':
        if (isJson(body) && body['type'] === 'target' && body['name'] !== 'LOG')
          return undecided(matches, where);
        matches = and(matches, isJson(body) ? decideXt(table, rule, body['name']) : undefined);
        if (matches === false) return { matches, outcome: go, leaves: false };
        break;
      case 'limit':
      case 'quota':
        matches = and(matches, undefined);
        break;
      case 'counter':
      case 'log':
      case 'mangle':
      case 'notrack':
      case 'flow':
        break;
      default:
        // A verdict map, a queue, or what a later nft brings.
        return undecided(matches, where);
    }
  }
  return { matches, outcome: go, leaves: false };
}

function undecided(matches: Truth, where: string) {
  const outcome: Outcome = { accept: true, drop: where, next: true };
  return { matches: and(matches, undefined), outcome, leaves: false };
}

/** A match or LOG of iptables, of which JSON has no more than the name. */
function decideXt(table: Table, { chain, handle }: Json, name: unknown): Truth {
  switch (name) {
    case 'comment':
    case 'LOG':
      return true;
    case 'rt':
      // The first packet of a connection has no routing header.
      return false;
    case 'conntrack':
    case 'state':
      return table.states.get(`${table.name} ${chain} ${handle}`)?.includes('new');
    default:
      return undefined;
  }
}

function and(a: Truth, b: Truth): Truth {
  if (a === false || b === false) return false;
  return a === undefined || b === undefined ? undefined : true;
}

function decide(table: Table, { op, left, right }: Json, packet: Packet): Truth {
  if (isJson(left) && isJson(left['ct']) && left['ct']['key'] === 'status')
    return right === 'dnat' && (op === 'in' || op === '==') ? packet.translated : undefined;
  const value = partOf(left, packet);
  if (value === undefined) return undefined;
  if (value === 'never') return false;
  const found = isIn(table, value, right);
  if (found === undefined) return undefined;
  switch (op) {
    case '==':
    case 'in':
      return found;
    case '!=':
      return !found;
    default:
      return undefined;
  }
}

/** The packet's part that a match looks at; undefined: not known; 'never': packets of this kind have no such part. */
function partOf(left: unknown, packet: Packet): string | number | undefined {
  if (!isJson(left)) return undefined;
  const { meta, payload, ct } = left;
  const { protocol, port, source, destination, iif, oif } = packet;
  if (isJson(meta)) {
    switch (meta['key']) {
      case 'iifname':
      case 'iif':
        return iif;
      case 'oifname':
      case 'oif':
        return oif;
      case 'nfproto':
        return family(destination) === 4 ? 'ipv4' : 'ipv6';
      case 'protocol':
        return family(destination) === 4 ? 'ip' : 'ip6';
      case 'l4proto':
        return protocol?.toLowerCase();
      default:
        return undefined;
    }
  }
  if (isJson(ct)) return ct['key'] === 'state' ? 'new' : undefined;
  if (!isJson(payload)) return undefined;
  const of = payload['protocol'];
  const field = payload['field'];
  if (of === 'ip' || of === 'ip6') {
    if ((of === 'ip') !== (family(destination) === 4)) return 'never';
    if (field === 'saddr') return source;
    if (field === 'daddr') return destination;
    if (field === 'protocol' || field === 'nexthdr') return protocol?.toLowerCase();
    return undefined;
  }
  if (of === 'icmp' || of === 'icmpv6') return protocol === undefined ? undefined : 'never';
  if (of !== 'th' && protocol !== undefined && of !== protocol.toLowerCase()) return 'never';
  return field === 'dport' && protocol !== undefined ? port : undefined;
}

function isIn(table: Table, value: string | number, right: unknown): Truth {
  if (Array.isArray(right)) return any(right.map((one) => isIn(table, value, one)));
  if (typeof right === 'string' && right.startsWith('@')) {
    const elements = table.sets.get(right.slice(1));
    return elements && any(elements.map((one) => isIn(table, value, one)));
  }
  if (typeof right === 'string' && typeof value === 'string') return sameWord(value, right);
  if (typeof right === 'string' || typeof right === 'number') return String(value) === String(right);
  if (!isJson(right)) return undefined;
  const { set, prefix, range, elem } = right;
  if (set !== undefined) return isIn(table, value, set);
  if (isJson(elem)) return isIn(table, value, elem['val']);
  if (isJson(prefix)) return inPrefix(value, prefix);
  if (Array.isArray(range)) {
    const [first, last] = range.map(Number);
    if (typeof value !== 'number' || first === undefined || last === undefined) return undefined;
    return Number.isNaN(first + last) ? undefined : value >= first && value <= last;
  }
  return undefined;
}

/** An interface's name may end in a star. */
function sameWord(value: string, pattern: string): boolean {
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern;
}

function inPrefix(value: string | number, { addr, len }: Json): Truth {
  try {
    const ip = parseIp(String(value));
    // No packet of ours has such an address: `Ip` has none.
    if (String(addr).startsWith('::ffff:') && Number(len) >= 96) return false;
    const prefix = parsePrefix(`${addr}/${len}`);
    return family(prefix) === family(ip) && contains(prefix, ip);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function any(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes(undefined) ? undefined : false;
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
