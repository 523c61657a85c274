import { contains, type Family, family, type Ip, networkOf, prefixLength } from '../../src/model/ip.ts';
import type { Hop, KernelObject, Link, Nexthop, NexthopGroup, Route, Rule } from '../../src/model/object.ts';

/** What a lookup is about. */
export interface Packet {
  readonly dst: Ip;
  /** undefined: a socket that has not chosen its source yet. */
  readonly src: Ip | undefined;
  readonly mark: number;
  /** Name of the interface it came in by; `lo` for what the host sends itself. */
  readonly iif: string;
}

/** Where a packet goes. */
export type Verdict =
  | {
      readonly kind: 'forwarded';
      /** The ways it may take, each with its weight: hops on dead links are left out. */
      readonly hops: readonly Hop[];
      readonly route: Route;
    }
  | { readonly kind: 'local'; readonly route: Route }
  | {
      readonly kind: 'refused';
      /** Who refuses; undefined: no route at all, as for `unreachable`. */
      readonly route: Route | undefined;
      readonly reason: 'unreachable' | 'blackhole' | 'prohibit';
    };

/** Routes of a table and family by length of prefix, longest first; then by destination, lowest metric first. */
type Table = readonly { readonly length: number; readonly routes: ReadonlyMap<string, readonly Route[]> }[];

/** The forwarding part of a kernel's state, ready to be asked many times. */
export interface Fib {
  readonly rules: readonly Rule[];
  readonly tables: ReadonlyMap<string, Table>;
  readonly nexthops: ReadonlyMap<number, Nexthop | NexthopGroup>;
  /** ifindex of the links that are up. */
  readonly up: ReadonlySet<number>;
}

export function fib(objects: Iterable<KernelObject>, links: Iterable<Link>): Fib {
  const rules: Rule[] = [];
  const nexthops = new Map<number, Nexthop | NexthopGroup>();
  const routes = new Map<string, Route[]>();
  for (const object of objects) {
    if (object.kind === 'rule') rules.push(object);
    else if (object.kind === 'nexthop' || object.kind === 'group') nexthops.set(object.id, object);
    else if (object.kind === 'route') append(routes, tableKey(object.table, family(object.dst)), object);
  }
  const up = new Set<number>();
  for (const link of links) if (link.up) up.add(link.index);
  const tables = new Map([...routes].map(([key, all]) => [key, table(all)] as const));
  return { rules: rules.toSorted((a, b) => a.priority - b.priority), tables, nexthops, up };
}

/** Walks rules and tables as Linux does: rules by priority, in each table the longest prefix, then the metric. */
export function lookup(from: Fib, packet: Packet): Verdict {
  const of = family(packet.dst);
  for (const rule of from.rules) {
    if (rule.family !== of || !matches(rule, packet)) continue;
    const verdict = lookupTable(from, from.tables.get(tableKey(rule.table, of)) ?? [], packet.dst);
    if (verdict !== undefined) return verdict;
  }
  return { kind: 'refused', route: undefined, reason: 'unreachable' };
}

function matches(rule: Rule, packet: Packet): boolean {
  if (rule.to !== undefined && !contains(rule.to, packet.dst)) return false;
  if (rule.from !== undefined && (packet.src === undefined || !contains(rule.from, packet.src))) return false;
  if (rule.iif !== undefined && rule.iif !== packet.iif) return false;
  return rule.mark === undefined || ((packet.mark ^ rule.mark.value) & rule.mark.mask) === 0;
}

/** undefined: this table has nothing to say, ask the next rule. */
function lookupTable(from: Fib, lengths: Table, dst: Ip): Verdict | undefined {
  for (const { length, routes } of lengths) {
    for (const route of routes.get(networkOf(dst, length)) ?? []) {
      switch (route.type) {
        case 'throw':
          return undefined;
        case 'unreachable':
        case 'blackhole':
        case 'prohibit':
          return { kind: 'refused', route, reason: route.type };
        case 'local':
        case 'broadcast':
        case 'anycast':
        case 'multicast':
          return { kind: 'local', route };
        case 'unicast': {
          const hops = hopsOf(from, route);
          if (hops.length > 0) return { kind: 'forwarded', hops, route };
          break;
        }
        default:
          return route.type satisfies never;
      }
    }
  }
  return undefined;
}

function hopsOf({ nexthops, up }: Fib, route: Route): readonly Hop[] {
  const hops = route.nhid === undefined ? route.hops : resolve(nexthops, route.nhid, 1);
  return hops.filter(({ link }) => link !== undefined && up.has(link));
}

function resolve(nexthops: Fib['nexthops'], id: number, weight: number): readonly Hop[] {
  const target = nexthops.get(id);
  if (target === undefined) return [];
  if (target.kind === 'nexthop') return [{ via: target.via, link: target.link, weight }];
  return target.members.flatMap((member) => resolve(nexthops, member.id, member.weight));
}

function table(routes: readonly Route[]): Table {
  const lengths = new Map<number, Map<string, Route[]>>();
  for (const route of routes.toSorted((a, b) => a.metric - b.metric)) {
    const length = prefixLength(route.dst);
    const found = lengths.get(length) ?? new Map<string, Route[]>();
    lengths.set(length, found);
    append(found, route.dst, route);
  }
  return [...lengths]
    .map(([length, byDestination]) => ({ length, routes: byDestination }))
    .toSorted((a, b) => b.length - a.length);
}

function tableKey(table: number, of: Family): string {
  return `${of} ${table}`;
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
