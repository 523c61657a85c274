import { type Hint, KernelError } from '../../src/kernel/kernel.ts';
import { type Family, family, type Ip, networkOf, parseIp } from '../../src/model/ip.ts';
import {
  type Change,
  changeObject,
  type Hop,
  type KernelObject,
  type Key,
  keyOf,
  type Link,
  type LinkAddress,
  type Route,
  type Rule,
} from '../../src/model/object.ts';
import { hintOf } from './memory-hints.ts';
import { judge, judgeDelete, linkTo, type State } from './memory-laws.ts';
import { Store } from './memory-store.ts';
import { announced, followers, globalSysctls, kept, linkSysctls } from './memory-sysctl.ts';

/** Hears of every change that was not made by itself. */
export interface Listener {
  /** @param touched the object before and after, as far as there was one; empty for links, addresses, settings */
  hear(hint: Hint, touched: readonly KernelObject[]): void;
  hearNeighbour(ip: Ip, text: string): void;
}

const kernelProtocol = 2;

/** The rules of a fresh namespace. */
const firstRules = (
  [
    [4, 0, 255],
    [4, 32766, 254],
    [4, 32767, 253],
    [6, 0, 255],
    [6, 32766, 254],
  ] as const
).map(([of, priority, table]): Rule => {
  const any = { from: undefined, to: undefined, mark: undefined, iif: undefined };
  return { kind: 'rule', family: of, priority, protocol: kernelProtocol, table, ...any };
});

/**
 * A Linux router in memory: links, addresses, and all that hangs on them, whoever made it. Tests play the rest
 * of the world on it; {@link MemoryKernel} is our own side. What goes away with something else goes as silently
 * as on Linux.
 */
export class World implements State {
  readonly #store = new Store();
  readonly #links = new Map<number, Link>();
  readonly #unplugged = new Set<number>();
  readonly #listeners = new Set<Listener>();
  readonly #sysctls = globalSysctls();
  /** Link-layer addresses by the name of the link and the IP address. */
  readonly #neighbours = new Map<string, string>();
  /** The same, of the hosts that are in the neighbour table. */
  #lastIndex = 0;

  constructor() {
    for (const rule of firstRules) this.#store.put(rule);
    this.addLink('lo', '127.0.0.1/8', '::1/128');
  }

  get objects(): ReadonlyMap<Key, KernelObject> {
    return this.#store.objects;
  }

  get links(): ReadonlyMap<number, Link> {
    return this.#links;
  }

  get sysctls(): ReadonlyMap<string, string> {
    return this.#sysctls;
  }

  /** What the neighbour table knows of a host; undefined: it does not answer. */
  mac(link: string, ip: Ip): string | undefined {
    return this.#neighbours.get(`${link} ${ip}`);
  }

  get onLink(): Iterable<Route> {
    return this.#store.onLink;
  }

  users(id: number): readonly KernelObject[] {
    return this.#store.users(id);
  }

  listen(listener: Listener): void {
    this.#listeners.add(listener);
  }

  unlisten(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /**
   * Makes one change, as any program may.
   *
   * @param by who need not be told
   * @throws KernelError what Linux refuses
   */
  change(change: Change, by?: Listener): void {
    const object = changeObject(change);
    if (object.kind === 'sysctl') {
      if (change.verb === 'delete') throw new RangeError('a sysctl can not be deleted');
      judge(change.verb, object, this);
      const former = this.#sysctls.get(object.name);
      for (const name of followers(object.name, this.#sysctls))
        this.#sysctls.set(name, kept(name, object.value));
      if (former === object.value || !announced(object.name)) return;
      this.#tell({ kind: 'netconf', text: `sysctl changed: ${object.name}` }, by);
      return;
    }
    const stored = this.#asStored(object);
    const touched = [this.#store.objects.get(keyOf(stored)), stored].filter((one) => one !== undefined);
    if (change.verb === 'delete') {
      const found = this.#find(stored);
      judgeDelete(found, this);
      this.#store.drop(found);
    } else {
      judge(change.verb, stored, this);
      this.#store.put(stored);
    }
    const hint = hintOf(change.verb, stored);
    if (hint !== undefined) this.#tell(hint, by, touched);
  }

  /** Another program adds an object. */
  add(want: KernelObject): void {
    this.change({ verb: 'add', want });
  }

  /** Another program takes what is under the key, whoever made it, or adds it. */
  replace(want: KernelObject): void {
    this.change({ verb: 'replace', want, have: want });
  }

  /** Another program deletes it. */
  delete(have: KernelObject): void {
    this.change({ verb: 'delete', have });
  }

  /** Another program writes a setting. */
  setSysctl(name: string, value: string): void {
    this.change({ verb: 'add', want: { kind: 'sysctl', name, value } });
  }

  /**
   * A new interface that is up and has a carrier.
   *
   * @param addresses with the length of their network: `10.0.0.1/24`
   * @returns ifindex
   */
  addLink(name: string, ...addresses: readonly string[]): number {
    this.#lastIndex += 1;
    const index = this.#lastIndex;
    this.#links.set(index, { index, name, up: true, carrier: true, addresses: [] });
    for (const [path, value] of linkSysctls(name, this.#sysctls)) this.#sysctls.set(path, value);
    this.#tell({ kind: 'link', text: `link added: ${name}` });
    for (const address of addresses) this.addAddress(name, address);
    return index;
  }

  removeLink(name: string): void {
    const link = this.link(name);
    if (link.up) this.linkDown(name);
    for (const { ip } of this.link(name).addresses) this.removeAddress(name, ip);
    this.#store.dropWhere((object) => object.kind === 'neighbour' && object.link === link.index);
    for (const path of linkSysctls(name, this.#sysctls).keys()) this.#sysctls.delete(path);
    this.#links.delete(link.index);
    this.#tell({ kind: 'link', text: `link removed: ${name}` });
  }

  /** `ip link set NAME down` */
  linkDown(name: string): void {
    const link = this.link(name);
    const kept = link.addresses.filter(({ ip }) => family(ip) === 4);
    this.#links.set(link.index, { ...link, up: false, carrier: false, addresses: kept });
    this.#store.dropWhere(
      (object) =>
        (object.kind === 'nexthop' && object.link === link.index) ||
        (object.kind === 'neighbour' && object.link === link.index),
    );
    this.#dropHops(link.index);
    this.#tell({ kind: 'link', text: `link down: ${name}` });
  }

  /** `ip link set NAME up`: IPv6 addresses do not come back, and nothing of ours. */
  linkUp(name: string): void {
    const link = this.link(name);
    this.#links.set(link.index, { ...link, up: true, carrier: !this.#unplugged.has(link.index) });
    for (const address of link.addresses) this.#connect(link.index, address);
    this.#tell({ kind: 'link', text: `link up: ${name}` });
  }

  /** The cable is pulled: nexthop objects go, routes with a gateway of their own stay. */
  carrierLost(name: string): void {
    const link = this.link(name);
    this.#unplugged.add(link.index);
    this.#links.set(link.index, { ...link, carrier: false });
    this.#store.dropWhere((object) => object.kind === 'nexthop' && object.link === link.index);
    this.#tell({ kind: 'link', text: `carrier lost: ${name}` });
  }

  carrierBack(name: string): void {
    const link = this.link(name);
    this.#unplugged.delete(link.index);
    this.#links.set(link.index, { ...link, carrier: link.up });
    this.#tell({ kind: 'link', text: `carrier back: ${name}` });
  }

  /** @param address `10.0.0.1/24` */
  addAddress(name: string, address: string): void {
    const link = this.link(name);
    const added = parseAddress(address);
    this.#links.set(link.index, { ...link, addresses: [...link.addresses, added] });
    if (link.up) this.#connect(link.index, added);
    this.#tell({ kind: 'address', text: `address added: ${address} on ${name}` });
  }

  removeAddress(name: string, ip: Ip): void {
    const link = this.link(name);
    const rest = link.addresses.filter((address) => address.ip !== ip);
    for (const address of link.addresses) if (address.ip === ip) this.#disconnect(link.index, address);
    this.#links.set(link.index, { ...link, addresses: rest });
    for (const address of rest) if (link.up) this.#connect(link.index, address);
    if (family(ip) === 4) {
      this.#store.dropWhere((object) => object.kind === 'route' && object.src === ip);
      if (!rest.some((address) => family(address.ip) === 4)) {
        this.#dropHops(link.index, 4);
        this.#store.dropWhere(
          (object) => object.kind === 'neighbour' && object.link === link.index && family(object.ip) === 4,
        );
      }
    } else {
      for (const object of [...this.#store.objects.values()]) {
        // Linux lets go of an IPv6 source address, but not in routes by a nexthop object.
        if (object.kind === 'route' && object.src === ip && object.nhid === undefined) {
          this.#store.put({ ...object, src: undefined });
        }
      }
    }
    this.#tell({ kind: 'address', text: `address removed: ${ip} on ${name}` });
  }

  /** A host on a link is heard of, there is another one, or none any more. */
  setNeighbour(link: string, ip: Ip, mac: string | undefined): void {
    const key = `${link} ${ip}`;
    if (this.#neighbours.get(key) === mac) return;
    if (mac === undefined) this.#neighbours.delete(key);
    else this.#neighbours.set(key, mac);
    for (const listener of this.#listeners) listener.hearNeighbour(ip, `${ip} is at ${mac}`);
  }

  /** @throws RangeError when there is no such link: a fault of the test */
  link(name: string): Link {
    for (const link of this.#links.values()) if (link.name === name) return link;
    throw new RangeError(`no link ${name} in this world`);
  }

  #tell(hint: Hint, by?: Listener, touched: readonly KernelObject[] = []): void {
    for (const listener of this.#listeners) if (listener !== by) listener.hear(hint, touched);
  }

  #find(have: KernelObject): KernelObject {
    const there = this.#store.objects.get(keyOf(have));
    if (have.kind !== 'route') {
      if (there === undefined) throw new KernelError('ENOENT', '');
      return there;
    }
    if (there?.kind !== 'route' || there.protocol !== have.protocol || there.type !== have.type) {
      throw new KernelError('ESRCH', '');
    }
    return there;
  }

  /** As a dump would show it. */
  #asStored<T extends KernelObject>(object: T): T {
    if (object.kind !== 'route') return object;
    const metric = object.metric === 0 && family(object.dst) === 6 ? 1024 : object.metric;
    const hops = object.hops.map((hop) => ({ ...hop, link: hop.link ?? this.#linkOf(hop) }));
    return { ...object, metric, hops };
  }

  #linkOf({ via }: Hop): number | undefined {
    return via === undefined ? undefined : linkTo(via, undefined, this);
  }

  #connect(index: number, { ip, length }: LinkAddress): void {
    this.#putNew(this.#connected(index, ip, networkOf(ip, length), 'unicast', 254));
    this.#putNew(this.#connected(index, ip, networkOf(ip, family(ip) === 4 ? 32 : 128), 'local', 255));
  }

  #disconnect(index: number, { ip, length }: LinkAddress): void {
    this.#store.drop(this.#connected(index, ip, networkOf(ip, length), 'unicast', 254));
    this.#store.drop(this.#connected(index, ip, networkOf(ip, family(ip) === 4 ? 32 : 128), 'local', 255));
  }

  #connected(link: number, ip: Ip, dst: Route['dst'], type: 'unicast' | 'local', table: number): Route {
    return {
      kind: 'route',
      table,
      dst,
      metric: family(ip) === 6 && type === 'unicast' ? 256 : 0,
      protocol: kernelProtocol,
      type,
      nhid: undefined,
      hops: [{ via: undefined, link, weight: 1 }],
      src: family(ip) === 4 ? ip : undefined,
    };
  }

  #putNew(object: KernelObject): void {
    if (!this.#store.objects.has(keyOf(object))) this.#store.put(object);
  }

  /** Routes that name the link themselves; one with several hops lives, and keeps them all, while one does. */
  #dropHops(index: number, only?: Family): void {
    const dead = ({ link }: Hop) => link === index || (link !== undefined && !this.#links.get(link)?.up);
    this.#store.dropWhere((object) => {
      if (object.kind !== 'route' || !object.hops.some(({ link }) => link === index)) return false;
      const of = family(object.dst);
      // An IPv4 address stays reachable from within while its link is down.
      if ((only !== undefined && of !== only) || (of === 4 && object.type === 'local')) return false;
      return object.hops.every(dead);
    });
  }
}

function parseAddress(text: string): LinkAddress {
  const [ip = '', length = ''] = text.split('/');
  return { ip: parseIp(ip), length: Number(length) };
}
