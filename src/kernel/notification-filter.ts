import { type Ip, onlyIp, overlaps } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import { type Change, changeObject, type Key, keyOf, type Link, type Route } from '../model/object.ts';
import { isOwnId } from '../model/owner.ts';
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

/** PID_MAX_LIMIT: a larger port id is not a process id. */
const largestPid = 4_194_304;

/**
 * Decides which notifications are hints. A host with a full BGP table receives thousands of notifications about
 * foreign routes a second, and a routing daemon announces its own nexthops: neither may cause a listing. The filter
 * keeps the objects of the last listing, the changes made since, and the keys that were refused with EEXIST.
 *
 * | message   | is a hint when                                                                              |
 * | --------- | ------------------------------------------------------------------------------------------- |
 * | route     | it has our protocol; or it replaces a key of ours; or a foreign route with a refused key is deleted; or it is another program's and may take the packets of guarded routes |
 * | nexthop   | it has our protocol, or an id of our ranges                                                 |
 * | rule      | it has our protocol, or the scope has guarded routes                                        |
 * | link      | its name, up or carrier differs from the state known                                        |
 * | address   | it is added and not known, tentative no more, or deleted                                    |
 * | netconf   | the value of a setting in the scope differs from the one listed or written last             |
 * | neighbour | the link-layer address of a neighbour in the scope differs from the one known               |
 *
 * Before the first listing every message is a hint. The echoes of our own changes do not come here (`withoutEchoes`), nor, after
 * it, most foreign routes of a scope with guarded routes (`withoutForeignRoutes`).
 */
export class NotificationFilter implements Filter {
  #scope: Scope | undefined;
  #listed: ReadonlyMap<Key, unknown> = new Map();
  /** Routes that we wrote since the listing, and whose keys are not among `#added` yet. */
  readonly #news: Route[] = [];
  readonly #added = new Set<Key>();
  readonly #refused = new Set<Key>();
  readonly #links = new Map<number, string>();
  /** Whether each is tentative. */
  readonly #addresses = new Map<string, boolean>();
  /** An entry is a new object whenever the value was listed, written or compared. */
  readonly #settings = new Map<string, { readonly value: string }>();
  /** Link-layer addresses of the neighbours in scope, by IP address. */
  readonly #neighbours = new Map<Ip, string | undefined>();
  #hasWritten = false;
  /** Ids of nexthops and groups that we delete, or have deleted. */
  readonly #gone = new Set<number>();

  readonly #readSysctl: typeof readSysctl;

  constructor(read = readSysctl) {
    this.#readSysctl = read;
  }

  listed(scope: Scope, listing: Listing): void {
    this.#scope = scope;
    this.#listed = listing.objects;
    this.#news.length = 0;
    this.#added.clear();
    // A refused key stays until our object is listed: until then the foreign route is in its place.
    for (const key of this.#refused) if (listing.objects.has(key)) this.#refused.delete(key);
    this.#links.clear();
    this.#addresses.clear();
    for (const link of listing.links) {
      this.#links.set(link.index, stateOf(link));
      for (const { ip, length, tentative = false } of link.addresses)
        this.#addresses.set(`${link.index} ${ip}/${length}`, tentative);
    }
    this.#neighbours.clear();
    for (const { ip } of scope.neighbours) this.#neighbours.set(ip, undefined);
    for (const { ip, mac } of listing.neighbours) this.#neighbours.set(ip, mac);
    this.#settings.clear();
    for (const object of listing.objects.values()) {
      if (object.kind === 'sysctl') this.#settings.set(object.name, { value: object.value });
    }
  }

  /**
   * Called before we make these changes. With nexthop_compat_mode the kernel sends RTM_DELROUTE, port 0, for the IPv6 routes of a
   * nexthop that we delete, before it answers.
   */
  applying(changes: readonly Change[]): void {
    for (const change of changes) {
      const id = nexthopIdOf(change);
      if (id === undefined) continue;
      if (change.verb === 'delete') this.#gone.add(id);
      else this.#gone.delete(id);
    }
  }

  applied(changes: readonly Change[], outcomes: readonly (KernelError | undefined)[]): void {
    changes.forEach((change, i) => {
      const kept = outcomes[i] === undefined ? undefined : nexthopIdOf(change);
      if (kept !== undefined) this.#gone.delete(kept);
      if (change.verb === 'delete' || change.want.kind !== 'route') return;
      const outcome = outcomes[i];
      // The keys are built when a notification needs them, which is rare.
      if (outcome === undefined) this.#news.push(change.want);
      else if (outcome.code === 'EEXIST') this.#refused.add(keyOf(change.want));
    });
  }

  /** Called before we write a sysctl: notifications about it may be echoes of that write. */
  writing(name: string): void {
    this.#hasWritten = true;
    this.#settings.delete(name);
  }

  /** @param value read back after the write: 250 ms become 252 where CONFIG_HZ is 250 */
  wrote(name: string, value: string | undefined): void {
    if (value !== undefined) this.#settings.set(name, { value });
  }

  hintOf(message: MessageReader): Hint | 'later' | undefined {
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

  /** Reports the settings of the scope whose value differs from the one known; the new value is known then. */
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
   * We may write the setting, or list it, while this read is in progress. The value read may be older than the known
   * one then, so the setting is read again.
   */
  async #change(name: string): Promise<string | undefined> {
    for (;;) {
      const known = this.#settings.get(name);
      // Not in the scope any more, or being written: `wrote` follows with the value.
      if (known === undefined) return undefined;
      let value: string | undefined;
      try {
        value = await this.#readSysctl(name);
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        return `${name} cannot be compared: ${error.message}`;
      }
      if (this.#settings.get(name) !== known) continue;
      // undefined: the interface is gone, which RTM_DELLINK reports.
      if (value === undefined || value === known.value) return undefined;
      this.#settings.set(name, { value });
      return `${name} is ${value}, was ${known.value}`;
    }
  }

  #route(message: MessageReader): Hint | undefined {
    const route = decodeRoute(message);
    if (route === undefined) return undefined;
    const deleted = message.type === Type.RTM_DELROUTE;
    if (deleted && message.port === 0 && route.nhid !== undefined && this.#gone.has(route.nhid)) {
      return undefined;
    }
    const isOurs = this.#scope === undefined || this.#concernsOurs(message, route, this.#scope);
    if (!isOurs && !this.#mayTakeOurs(route)) return undefined;
    const what = deleted ? 'deleted' : message.flags & Flag.NLM_F_REPLACE ? 'replaced' : 'added';
    return {
      kind: isOurs ? 'route' : 'foreign',
      text: `route ${what}: ${route.dst} protocol ${route.protocol} ${author(message.port)}`,
    };
  }

  /** Whether the route is one of ours, or is or was in the place of one. */
  #concernsOurs(message: MessageReader, route: Route, scope: Scope): boolean {
    if (!holdsTable(scope, route.table)) return false;
    if (route.protocol === scope.owner.protocol) return true;
    if (message.type === Type.RTM_DELROUTE) return this.#refused.has(keyOf(route));
    return (message.flags & Flag.NLM_F_REPLACE) !== 0 && this.#isOurs(keyOf(route));
  }

  /** Whether it is another program's, and may take the packets of guarded routes. */
  #mayTakeOurs({ protocol, table, dst }: Route): boolean {
    const { owner, guarded } = this.#scope ?? {};
    if (guarded === undefined || protocol === owner?.protocol) return false;
    if (table === guarded.table && onlyIp(dst) === undefined) return false;
    return guarded.networks.some((network) => overlaps(network, dst));
  }

  #isOurs(key: Key): boolean {
    this.#readNews();
    return this.#listed.has(key) || this.#added.has(key);
  }

  #readNews(): void {
    for (const route of this.#news.splice(0)) this.#added.add(keyOf(route));
  }

  #nexthop(message: MessageReader): Hint | undefined {
    const { id, protocol } = decodeNexthop(message);
    this.#gone.delete(id);
    const owner = this.#scope?.owner;
    if (owner && protocol !== owner.protocol && !isOwnId(id, owner)) return undefined;
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
    const isForeign = this.#scope !== undefined && protocol !== this.#scope.owner.protocol;
    if (isForeign && this.#scope?.guarded === undefined) return undefined;
    const what = message.type === Type.RTM_DELRULE ? 'deleted' : 'added';
    return {
      kind: isForeign ? 'foreign' : 'rule',
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
    const { ip, length, tentative = false } = found.address;
    const key = `${found.link} ${ip}/${length}`;
    const deleted = message.type === Type.RTM_DELADDR;
    // A router advertisement repeats RTM_NEWADDR every few seconds with a new lifetime.
    if (deleted) this.#addresses.delete(key);
    else if (this.#addresses.get(key) === tentative) return undefined;
    else this.#addresses.set(key, tentative);
    const what = deleted ? 'deleted' : tentative ? 'added (tentative)' : 'added';
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

/** Of a nexthop or a group. */
function nexthopIdOf(change: Change): number | undefined {
  const object = changeObject(change);
  return object.kind === 'nexthop' || object.kind === 'group' ? object.id : undefined;
}

function stateOf({ name, up, carrier }: Link): string {
  return `${name} is ${up ? 'up' : 'down'}, ${carrier ? 'carrier' : 'no carrier'}`;
}

/** The kernel gives a program's first netlink socket the process id as its port id. */
function author(port: number): string {
  if (port === 0) return 'by the kernel';
  return port <= largestPid ? `by pid ${port}` : `by netlink port ${port}`;
}
