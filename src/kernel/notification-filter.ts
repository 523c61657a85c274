import type { Ip } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import type { Change, Key, Link } from '../model/object.ts';
import { keyOf } from '../model/object.ts';
import { type Hint, holdsTable, KernelError, type Scope } from './kernel.ts';
import { decodeAddress } from './netlink/address.ts';
import { decodeLink } from './netlink/link.ts';
import { Flag, type MessageReader, Type } from './netlink/message.ts';
import { decodeNeighbour } from './netlink/neighbour.ts';
import { decodeNexthop } from './netlink/nexthop.ts';
import { decodeRoute } from './netlink/route.ts';
import { decodeRule } from './netlink/rule.ts';
import type { Filter } from './notification-reader.ts';
import { readSysctl } from './sysctl.ts';

/** Above it, a port id is no process id. */
const largestPid = 4_194_304;

/**
 * Tells which notifications matter. A host with a full BGP table hears thousands of foreign routes a second, and
 * a router daemon announces nexthops of its own: neither may make us read the kernel again and again. So the
 * filter remembers what the last listing held, what was added since, and what was refused before or after it:
 *
 * - routes count when they carry our protocol, when they replace one of our keys, or when a foreign one goes
 *   away that was in our way;
 * - nexthops count by our protocol or id range, rules by our protocol;
 * - links and addresses count when their state changes, not when it is told again;
 * - settings count when a value differs from the one we saw or wrote last;
 * - neighbours count when their link-layer address comes, goes or changes.
 *
 * Before the first listing everything counts.
 */
export class NotificationFilter implements Filter {
  readonly #ownPort: number;
  #scope: Scope | undefined;
  #listed: ReadonlyMap<Key, unknown> = new Map();
  readonly #news: Applied[] = [];
  readonly #added = new Set<Key>();
  readonly #refused = new Set<Key>();
  readonly #links = new Map<number, string>();
  readonly #addresses = new Set<string>();
  /** An entry is a new object whenever the value was listed, written or compared. */
  readonly #settings = new Map<string, { readonly value: string }>();
  /** Link-layer addresses of the neighbours in scope, by IP address. */
  readonly #neighbours = new Map<Ip, string | undefined>();
  #hasWritten = false;
  /** Nexthops and groups that went by our own doing. */
  readonly #gone = new Set<number>();

  readonly #readSysctl: typeof readSysctl;

  /** @param ownPort of the socket that our changes go by: its echoes are no news */
  constructor(ownPort: number, read = readSysctl) {
    this.#ownPort = ownPort;
    this.#readSysctl = read;
  }

  listed(scope: Scope, listing: Listing): void {
    this.#scope = scope;
    this.#listed = listing.objects;
    this.#news.length = 0;
    this.#added.clear();
    // Who is refused looks again: what is in our way is so until ours is there.
    for (const key of this.#refused) if (listing.objects.has(key)) this.#refused.delete(key);
    this.#links.clear();
    this.#addresses.clear();
    for (const link of listing.links) {
      this.#links.set(link.index, stateOf(link));
      for (const { ip, length } of link.addresses) this.#addresses.add(`${link.index} ${ip}/${length}`);
    }
    this.#neighbours.clear();
    for (const { ip } of scope.neighbours) this.#neighbours.set(ip, undefined);
    for (const { ip, mac } of listing.neighbours) this.#neighbours.set(ip, mac);
    this.#settings.clear();
    for (const object of listing.objects.values()) {
      if (object.kind === 'sysctl') this.#settings.set(object.name, { value: object.value });
    }
  }

  applied(changes: readonly Change[], outcomes: readonly (KernelError | undefined)[]): void {
    outcomes.forEach((outcome, i) => {
      const change = changes[i];
      if (outcome?.code !== 'EEXIST' || change === undefined || change.verb === 'delete') return;
      if (change.want.kind === 'route') this.#refused.add(keyOf(change.want));
    });
    // Kept as it is: keys are made of it when a notification asks, which is seldom.
    this.#news.push({ changes, outcomes });
  }

  /** Said before a sysctl is written: what is told of it from now on may be our own doing. */
  writing(name: string): void {
    this.#hasWritten = true;
    this.#settings.delete(name);
  }

  /** @param value as it reads afterwards: 250 ms come back as 252 where a second has 250 ticks */
  wrote(name: string, value: string | undefined): void {
    if (value !== undefined) this.#settings.set(name, { value });
  }

  hintOf(message: MessageReader): Hint | 'later' | undefined {
    if (message.port === this.#ownPort) {
      this.#echo(message);
      return undefined;
    }
    switch (message.type) {
      case Type.RTM_NEWROUTE:
      case Type.RTM_DELROUTE:
        return this.#route(message);
      case Type.RTM_NEWNEXTHOP:
      case Type.RTM_DELNEXTHOP:
        return this.#nexthop(message);
      case Type.RTM_NEWRULE:
      case Type.RTM_DELRULE:
        return this.#rule(message);
      case Type.RTM_NEWLINK:
      case Type.RTM_DELLINK:
        return this.#link(message);
      case Type.RTM_NEWADDR:
      case Type.RTM_DELADDR:
        return this.#address(message);
      case Type.RTM_NEWNEIGH:
      case Type.RTM_DELNEIGH:
        return this.#neighbour(message);
      case Type.RTM_NEWNETCONF:
        return 'later';
      default:
        return undefined;
    }
  }

  /** Compares the settings in the scope with the values known, which the new ones then are. */
  async changedSettings(): Promise<readonly Hint[]> {
    if (!this.#scope && !this.#hasWritten) return [{ kind: 'netconf', text: 'a setting was changed' }];
    const hints: Hint[] = [];
    for (const name of [...this.#settings.keys()]) {
      const text = await this.#change(name);
      if (text !== undefined) hints.push({ kind: 'netconf', text });
    }
    return hints;
  }

  /**
   * A read takes its time, and meanwhile the setting may be written by us or listed anew. Its value is then compared
   * with nothing: it may be older than the one known now, or newer. It is read again.
   */
  async #change(name: string): Promise<string | undefined> {
    for (;;) {
      const known = this.#settings.get(name);
      // Gone from the scope, or being written: then `wrote` brings the value.
      if (known === undefined) return undefined;
      let value: string | undefined;
      try {
        value = await this.#readSysctl(name);
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        return `${name} cannot be compared: ${error.message}`;
      }
      if (this.#settings.get(name) !== known) continue;
      // Without a value it is gone with its interface, of which the link's own notification tells.
      if (value === undefined || value === known.value) return undefined;
      this.#settings.set(name, { value });
      return `${name} is ${value}, was ${known.value}`;
    }
  }

  /** In compatibility mode the kernel tells, in its own name, of the IPv6 routes that a nexthop takes along. */
  #echo(message: MessageReader): void {
    if (message.type === Type.RTM_DELNEXTHOP) this.#gone.add(decodeNexthop(message).id);
    else if (message.type === Type.RTM_NEWNEXTHOP) this.#gone.delete(decodeNexthop(message).id);
  }

  #route(message: MessageReader): Hint | undefined {
    const route = decodeRoute(message);
    if (route === undefined) return undefined;
    const deleted = message.type === Type.RTM_DELROUTE;
    if (deleted && message.port === 0 && route.nhid !== undefined && this.#gone.has(route.nhid)) {
      return undefined;
    }
    if (this.#scope) {
      if (!holdsTable(this.#scope, route.table)) return undefined;
      if (route.protocol !== this.#scope.owner.protocol) {
        if (deleted) {
          if (!this.#refused.has(keyOf(route))) return undefined;
        } else {
          if (!(message.flags & Flag.NLM_F_REPLACE)) return undefined;
          if (!this.#isOurs(keyOf(route))) return undefined;
        }
      }
    }
    const what = deleted ? 'deleted' : message.flags & Flag.NLM_F_REPLACE ? 'replaced' : 'added';
    return {
      kind: 'route',
      text: `route ${what}: ${route.dst} protocol ${route.protocol} ${author(message.port)}`,
    };
  }

  #isOurs(key: Key): boolean {
    this.#readNews();
    return this.#listed.has(key) || this.#added.has(key);
  }

  #readNews(): void {
    for (const { changes, outcomes } of this.#news.splice(0)) {
      changes.forEach((change, i) => {
        if (change.verb === 'delete' || change.want.kind !== 'route' || outcomes[i]) return;
        this.#added.add(keyOf(change.want));
      });
    }
  }

  #nexthop(message: MessageReader): Hint | undefined {
    const { id, protocol } = decodeNexthop(message);
    this.#gone.delete(id);
    const owner = this.#scope?.owner;
    if (
      owner &&
      protocol !== owner.protocol &&
      !within(id, owner.nexthopIds) &&
      !within(id, owner.groupIds)
    ) {
      return undefined;
    }
    const what =
      message.type === Type.RTM_DELNEXTHOP
        ? 'deleted'
        : message.flags & Flag.NLM_F_REPLACE
          ? 'replaced'
          : 'changed';
    return { kind: 'nexthop', text: `nexthop ${what}: id ${id} ${author(message.port)}` };
  }

  #rule(message: MessageReader): Hint | undefined {
    const { protocol, rule } = decodeRule(message);
    if (this.#scope && protocol !== this.#scope.owner.protocol) return undefined;
    const what = message.type === Type.RTM_DELRULE ? 'deleted' : 'added';
    return {
      kind: 'rule',
      text: `rule ${what}: pref ${rule?.priority ?? '?'} protocol ${protocol} ${author(message.port)}`,
    };
  }

  #link(message: MessageReader): Hint | undefined {
    const link = decodeLink(message);
    if (link === undefined) return undefined;
    if (message.type === Type.RTM_DELLINK) {
      this.#links.delete(link.index);
      return { kind: 'link', text: `interface ${link.name} is gone` };
    }
    const state = stateOf(link);
    if (this.#links.get(link.index) === state) return undefined;
    this.#links.set(link.index, state);
    return { kind: 'link', text: `interface ${state}` };
  }

  #address(message: MessageReader): Hint | undefined {
    const found = decodeAddress(message);
    if (found === undefined) return undefined;
    const { ip, length } = found.address;
    const key = `${found.link} ${ip}/${length}`;
    const deleted = message.type === Type.RTM_DELADDR;
    // A router advertisement tells an address anew every few seconds, with a fresh lifetime.
    if (deleted) this.#addresses.delete(key);
    else if (this.#addresses.has(key)) return undefined;
    else this.#addresses.add(key);
    const what = deleted ? 'deleted' : 'added';
    return { kind: 'address', text: `address ${what}: ${ip}/${length} on interface ${found.link}` };
  }

  #neighbour(message: MessageReader): Hint | undefined {
    const found = decodeNeighbour(message);
    if (found === undefined || !this.#neighbours.has(found.ip)) return undefined;
    const mac = message.type === Type.RTM_DELNEIGH ? undefined : found.mac;
    if (this.#neighbours.get(found.ip) === mac) return undefined;
    this.#neighbours.set(found.ip, mac);
    return { kind: 'neighbour', text: `${found.ip} is ${mac === undefined ? 'not resolved' : `at ${mac}`}` };
  }
}

interface Applied {
  readonly changes: readonly Change[];
  readonly outcomes: readonly (KernelError | undefined)[];
}

function stateOf({ name, up, carrier }: Link): string {
  return `${name} is ${up ? 'up' : 'down'}, ${carrier ? 'carrier' : 'no carrier'}`;
}

/** Netlink tells the port id of the socket; a program's first socket has its process id. */
function author(port: number): string {
  if (port === 0) return 'by the kernel';
  return port <= largestPid ? `by pid ${port}` : `by netlink port ${port}`;
}

function within(id: number, [first, last]: readonly [number, number]): boolean {
  return id >= first && id <= last;
}
