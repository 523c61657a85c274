import type { Pool } from '../model/gateway.ts';
import {
  bits,
  compareIp,
  type Family,
  family,
  ipNumber,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixIp,
  prefixLength,
  rangePrefixes,
} from '../model/ip.ts';
import { specialUse } from '../model/special-use.ts';
import { quoted } from '../model/text.ts';
import { announceKeys, readAggregate, readCommunities, readWay } from './announce-keys.ts';
import { kindOf } from './document.ts';
import { modeKeys, readMode } from './pool-mode.ts';
import { readTerms, termKeys } from './pool-terms.ts';
import { hint, meant } from './spelling.ts';

/** @param at position to report: of the key or of its value */
export type ReportProblem = (key: string, what: string, at?: 'key' | 'value') => void;

/** One entry of a pool's addresses, as configured. */
interface Piece {
  readonly key: string;
  readonly pool: string;
  readonly text: string;
  readonly networks: readonly Prefix[];
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

const keys = ['name', 'addresses', ...termKeys, ...announceKeys, ...modeKeys];

/** Reads the list of pools. Problems go to `report`; invalid entries are left out. */
export function readPools(raw: unknown, report: ReportProblem): readonly Pool[] {
  if (!Array.isArray(raw)) {
    report(
      'pools',
      `must be a list of pools like "- { name: public, addresses: [...] }", not ${kindOf(raw)}`,
    );
    return [];
  }
  if (raw.length === 0) report('pools', 'is an empty list; without a pool there is nothing to route');
  const names = new Map<string, number>();
  const pieces: Piece[] = [];
  const pools: Pool[] = [];
  raw.forEach((item: unknown, i) => {
    const key = `pools[${i}]`;
    if (!(item instanceof Map)) {
      report(key, `must be a pool with the keys name and addresses, not ${kindOf(item)}`);
      return;
    }
    for (const name of item.keys()) {
      if (!keys.includes(name)) {
        report(`${key}.${name}`, `unknown key${hint(meant(String(name), keys))}`, 'key');
      }
    }
    const name = readName(item, key, report);
    if (name !== undefined) {
      const earlier = names.get(name);
      if (earlier !== undefined)
        report(`${key}.name`, `${quoted(name)} is already the name of pools[${earlier}]`);
      else names.set(name, i);
    }
    const terms = readTerms(item, key, report);
    const own = terms?.nodeAddresses ? [] : readAddresses(item, key, name ?? key, report);
    if (terms?.nodeAddresses) checkNodePool(item, key, pools, report);
    pieces.push(...own);
    const addresses = own.flatMap((piece) => piece.networks).sort(compareNetworks);
    const aggregate = readAggregate(item, key, addresses, report);
    const communities = readCommunities(item, key, report);
    const mode = readMode(item, key, report);
    const announce = readWay(item, key, report);
    pools.push({
      name: name ?? key,
      addresses,
      ...(terms && { terms }),
      ...(aggregate && { aggregate }),
      ...(communities && { communities }),
      ...(mode && { mode }),
      ...(announce && { announce }),
    });
  });
  refuseOverlaps(pieces, report);
  return pools;
}

function checkNodePool(
  pool: ReadonlyMap<unknown, unknown>,
  key: string,
  earlier: readonly Pool[],
  report: ReportProblem,
): void {
  if (pool.has('addresses')) {
    report(
      `${key}.addresses`,
      'has no place in a pool with nodeAddresses: true, which has those of the nodes',
    );
  }
  const other = earlier.find(({ terms }) => terms?.nodeAddresses);
  if (other) report(`${key}.nodeAddresses`, `pool ${quoted(other.name)} has the nodes' addresses already`);
}

function readName(
  pool: ReadonlyMap<unknown, unknown>,
  key: string,
  report: ReportProblem,
): string | undefined {
  const name = pool.get('name');
  if (!pool.has('name')) {
    report(key, 'has no name');
  } else if (typeof name !== 'string') {
    report(`${key}.name`, `must be text, not ${kindOf(name)}${name === null ? '' : '; put it in quotes'}`);
  } else if (!/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(name)) {
    // Names of pools appear in annotations, so they follow the rules of Kubernetes names.
    report(
      `${key}.name`,
      `${quoted(name)} must be 1 to 63 of a-z, 0-9, "-" and ".", with a letter or digit at both ends`,
    );
  } else {
    return name;
  }
  return undefined;
}

function readAddresses(
  pool: ReadonlyMap<unknown, unknown>,
  key: string,
  name: string,
  report: ReportProblem,
): readonly Piece[] {
  const list = pool.get('addresses');
  const at = `${key}.addresses`;
  if (!pool.has('addresses')) {
    report(key, 'has no addresses');
    return [];
  }
  if (!Array.isArray(list)) {
    report(at, `must be a list of networks, ranges and addresses, not ${kindOf(list)}`);
    return [];
  }
  if (list.length === 0) report(at, 'is an empty list; a pool needs at least one address');
  return list.flatMap((entry: unknown, i) => {
    const here = `${at}[${i}]`;
    if (typeof entry !== 'string') {
      report(here, `must be a network, a range or an address, not ${kindOf(entry)}`);
      return [];
    }
    try {
      return [readPiece(entry, here, name)];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report(here, error.message);
      return [];
    }
  });
}

/**
 * The networks of one entry of a list of EIPs: a network, a range or an address.
 *
 * @throws RangeError in words for a person
 */
export function readNetworks(text: string): readonly Prefix[] {
  return readPiece(text, '', '').networks;
}

/** @throws RangeError in words for a person */
function readPiece(text: string, key: string, pool: string): Piece {
  const [from = '', to] = text.split('-').map((part) => part.trim());
  const networks = to === undefined ? [parsePrefix(from)] : readRange(text, from, to);
  for (const network of networks) {
    const use = specialUse(network);
    if (use !== undefined)
      throw new RangeError(
        `${text} holds addresses that no EIP can have (${use}); name networks that are routed to this gateway`,
      );
  }
  const [head] = networks;
  const tail = networks.at(-1);
  if (head === undefined || tail === undefined) throw new Error(`no networks in ${text}`);
  const size = 1n << BigInt(bits(family(tail)) - prefixLength(tail));
  return {
    key,
    pool,
    text,
    networks,
    family: family(head),
    first: ipNumber(prefixIp(head)),
    last: ipNumber(prefixIp(tail)) + size - 1n,
  };
}

function readRange(text: string, from: string, to: string): readonly Prefix[] {
  if (text.split('-').length !== 2)
    throw new RangeError(`${quoted(text)} is not a range like 192.0.2.10-192.0.2.20`);
  return rangePrefixes(parseIp(from), parseIp(to));
}

/** Reports each entry that overlaps an earlier one, once, with one of those. */
function refuseOverlaps(pieces: readonly Piece[], report: ReportProblem): void {
  const sorted = [...pieces].sort(
    (a, b) => a.family - b.family || order(a.first, b.first) || order(b.last, a.last),
  );
  const reported = new Set<string>();
  let widest: Piece | undefined;
  for (const piece of sorted) {
    if (widest !== undefined && widest.family === piece.family && piece.first <= widest.last) {
      const [later, earlier] =
        pieces.indexOf(piece) > pieces.indexOf(widest) ? [piece, widest] : [widest, piece];
      const other = later.pool === earlier.pool ? 'of the same pool' : `of pool ${quoted(earlier.pool)}`;
      if (!reported.has(later.key)) {
        report(later.key, `${later.text} of pool ${quoted(later.pool)} overlaps ${earlier.text} ${other}`);
      }
      reported.add(later.key);
      if (piece.last > widest.last) widest = piece;
    } else {
      widest = piece;
    }
  }
}

function compareNetworks(a: Prefix, b: Prefix): number {
  return compareIp(prefixIp(a), prefixIp(b));
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
