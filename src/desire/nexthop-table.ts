import { type DesiredTable, noNexthops } from '../model/desired.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Link, Nexthop, NexthopGroup } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { Standing } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { answering } from './answering.ts';
import type { Carrier } from './carriers.ts';
import { byPlace } from './covering.ts';
import { nexthopWhy } from './eip-routes.ts';
import { IdRange } from './ids.ts';
import type { KernelView } from './kernel-view.ts';
import {
  type Bar,
  barFor,
  barred,
  isAdoptable,
  refusedNexthops,
  unreachable,
  withoutAddress,
} from './nexthops.ts';

export interface NexthopTableInputs {
  readonly gateway: Pick<Gateway, 'defaultRoutes'>;
  readonly owner: Owner;
  readonly lan: Link;
  readonly desired: DesiredTable;
  readonly kernel: KernelView;
  readonly standings: ReadonlyMap<Ip, Standing>;
  readonly groups: 'plain' | 'resilient';
}

/** The nexthop of one node. */
interface Hop {
  readonly ip: Ip;
  node: string;
  id: number;
  /** The number of groups that it is in, and one more while a set names its node. */
  users: number;
  /** The kernel has accepted it since it last refused it. Until then no group uses it. */
  isAccepted: boolean;
}

/** A node by its address. */
interface Named {
  readonly node: string;
  /** In how many sets of carriers. */
  readonly sets: number;
}

/** What an update found out about nexthops, by the addresses of their nodes. */
export interface NexthopChanges {
  /** Accepted, refused or barred since, or with another standing than before. */
  readonly changed: ReadonlySet<Ip>;
  /** Refused, and a group may lead to it. */
  readonly refused: ReadonlySet<Ip>;
}

/**
 * One nexthop for each node that a set of carriers names. A nexthop is tried before a group uses it: what the kernel
 * refuses then changes nothing else.
 */
export class NexthopTable {
  readonly #gateway: Pick<Gateway, 'defaultRoutes'>;
  readonly #owner: Owner;
  readonly #lan: Link;
  readonly #desired: DesiredTable;
  readonly #kernel: KernelView;
  readonly #ids: IdRange;
  readonly #hops = new Map<Ip, Hop>();
  /** Without a user since the beginning of this update. */
  readonly #idle = new Set<Hop>();
  /** The kernel has not accepted them yet. */
  readonly #unaccepted = new Set<Hop>();
  readonly #named = new Map<Ip, Named>();
  /** Their nodes are in no set any more; they are in groups yet that are about to change. */
  readonly #retiring = new Set<Hop>();
  /** Ids of unused nexthops in the kernel, by address. */
  readonly #found = new Map<Ip, number>();
  /** Why addresses cannot be nexthops, whatever the kernel says; undefined: they can. */
  readonly #barred = new Map<Ip, Bar | undefined>();
  #refused: ReadonlyMap<Ip, string> = new Map();
  #standings: ReadonlyMap<Ip, Standing>;
  readonly #groups: 'plain' | 'resilient';
  /** Addresses whose standing has changed with this update. */
  #turned: ReadonlySet<Ip> = new Set();
  #links: readonly Link[];
  #refusals: number;
  #problems: readonly Problem[] | undefined;
  #numbering = 0;

  /** Adopts the ids of nexthops in the kernel that this table will desire. */
  constructor({ gateway, owner, lan, desired, kernel, standings, groups }: NexthopTableInputs) {
    this.#standings = standings;
    this.#groups = groups;
    this.#gateway = gateway;
    this.#owner = owner;
    this.#lan = lan;
    this.#desired = desired;
    this.#ids = new IdRange(owner.nexthopIds);
    this.#kernel = kernel;
    this.#links = kernel.state.links;
    this.#refusals = kernel.state.refusals;
    for (const object of kernel.state.objects.values()) {
      if (object.kind !== 'nexthop' || !isAdoptable(object, lan, owner)) continue;
      const twin = this.#found.get(object.via);
      if (twin === undefined || object.id < twin) this.#found.set(object.via, object.id);
    }
  }

  /** An update begins. */
  begin(standings: ReadonlyMap<Ip, Standing>): void {
    const before = this.#standings;
    if (standings === before) return;
    const turned = new Set(this.#turned);
    for (const ip of [...before.keys(), ...standings.keys()])
      if (before.get(ip) !== standings.get(ip)) turned.add(ip);
    this.#turned = turned;
    this.#standings = standings;
  }

  /** The same array as long as nothing about them changes. */
  get problems(): readonly Problem[] {
    this.#problems ??= [...this.#problemsOfNodes()];
    return this.#problems;
  }

  *#problemsOfNodes(): Generator<Problem> {
    const usable: Ip[] = [];
    for (const [ip, { node }] of this.#named) {
      const bar = this.#barFor(ip);
      const refused = this.#refused.get(ip);
      if (bar !== undefined) yield barred(node, ip, bar);
      else if (refused !== undefined) yield unreachable(node, ip, this.#lan.name, refused);
      else usable.push(ip);
    }
    const lan = this.#links.find(({ index }) => index === this.#lan.index);
    if (lan !== undefined) yield* withoutAddress(usable, lan);
  }

  /** The kernel has not answered for some nexthops yet: another update in this round continues with them. */
  get isWaiting(): boolean {
    for (const { ip } of this.#unaccepted) if (this.#isUntried(ip)) return true;
    return false;
  }

  /** Another number after each change of the id of a nexthop that is in use. */
  get numbering(): number {
    return this.#numbering;
  }

  /** Ids of nexthops that go once the groups that have them yet are changed. */
  get retiring(): ReadonlySet<number> {
    return this.#retiring.size === 0 ? noNexthops : new Set([...this.#retiring].map(({ id }) => id));
  }

  /** Its nexthop is one of {@link retiring}. */
  isRetiring(ip: Ip): boolean {
    const hop = this.#hops.get(ip);
    return hop !== undefined && this.#retiring.has(hop);
  }

  idOf(ip: Ip): number | undefined {
    return this.#hops.get(ip)?.id;
  }

  /** A set of carriers names these nodes. */
  name(carriers: readonly Carrier[]): void {
    for (const carrier of carriers) {
      const { ip, node } = carrier;
      const known = this.#named.get(ip);
      this.#named.set(ip, { node, sets: (known?.sets ?? 0) + 1 });
      if (known !== undefined) continue;
      this.#problems = undefined;
      if (this.#barFor(ip) === undefined) this.use(carrier);
      const hop = this.#hops.get(ip);
      if (hop !== undefined) this.#retiring.delete(hop);
    }
  }

  /** A set of carriers names these nodes no more. */
  unname(carriers: readonly Carrier[]): void {
    for (const { ip } of carriers) {
      const known = this.#named.get(ip);
      if (known === undefined) continue;
      if (known.sets > 1) {
        this.#named.set(ip, { ...known, sets: known.sets - 1 });
        continue;
      }
      this.#named.delete(ip);
      this.#problems = undefined;
      const hop = this.#hops.get(ip);
      if (hop !== undefined) this.#retiring.add(hop);
      if (this.#barFor(ip) === undefined) this.leave(ip);
    }
  }

  use({ ip, node }: Carrier): void {
    let hop = this.#hops.get(ip);
    if (hop === undefined) {
      const present = this.#foundId(ip);
      if (present !== undefined) this.#ids.use(present);
      const id = present ?? this.#ids.take(this.#kernel.state);
      hop = { ip, node, id, users: 0, isAccepted: present !== undefined };
      this.#hops.set(ip, hop);
      if (!hop.isAccepted) this.#unaccepted.add(hop);
    }
    hop.users += 1;
    if (node !== '') hop.node = node;
    this.#write(hop);
  }

  leave(ip: Ip): void {
    const hop = this.#hops.get(ip);
    if (hop === undefined) return;
    hop.users -= 1;
    // Another group may use it before the update is over.
    if (hop.users === 0) this.#idle.add(hop);
  }

  /** A node was recreated under another name with the same address. */
  rename(ip: Ip, node: string): void {
    const hop = this.#hops.get(ip);
    if (hop === undefined || hop.node === node) return;
    hop.node = node;
    this.#write(hop);
  }

  /** Ends the update: nexthops without a user are deleted. */
  releaseIdle(): void {
    for (const hop of this.#idle) {
      if (hop.users > 0) continue;
      this.#hops.delete(hop.ip);
      this.#unaccepted.delete(hop);
      this.#retiring.delete(hop);
      this.#ids.release(hop.id);
      // Its delete may still be held when the node comes back: then the id is used again.
      this.#found.set(hop.ip, hop.id);
      this.#desired.delete(`nexthop ${hop.id}`);
    }
    this.#idle.clear();
  }

  /**
   * The carriers that the kernel accepts and that are to get traffic, in the order of their places; undefined: some are
   * not tried yet.
   */
  usable(carriers: readonly Carrier[]): readonly Carrier[] | undefined {
    if (carriers.some(({ ip }) => this.#isUntried(ip))) return undefined;
    const accepted = carriers.filter(
      ({ ip }) => this.#hops.get(ip)?.isAccepted === true && this.#barFor(ip) === undefined,
    );
    return [...answering(accepted, this.#standings, this.#groups)].sort(byPlace);
  }

  /** The members of a group as carriers; undefined: some of them are none of our nexthops. */
  carriersOf({ members }: NexthopGroup): readonly Carrier[] | undefined {
    const carriers: Carrier[] = [];
    for (const { id, weight } of members) {
      const carrier = this.carrierOf(id, weight);
      if (carrier === undefined) return undefined;
      carriers.push(carrier);
    }
    return carriers.sort(byPlace);
  }

  /** The carrier that a nexthop in the kernel leads to; undefined: it is none of ours. */
  carrierOf(id: number, weight: number): Carrier | undefined {
    const hop = this.#kernel.state.objects.get(`nexthop ${id}`);
    if (hop?.kind !== 'nexthop' || !isAdoptable(hop, this.#lan, this.#owner)) return undefined;
    this.#found.set(hop.via, id);
    return { ip: hop.via, node: this.#named.get(hop.via)?.node ?? '', weight };
  }

  /** Reads which nodes the kernel accepts as nexthops. */
  read(): NexthopChanges {
    const { links, refusals, refused, objects } = this.#kernel.state;
    const changed = new Set<Ip>(this.#turned);
    this.#turned = new Set();
    for (const hop of this.#unaccepted) {
      const object = objects.get(`nexthop ${hop.id}`);
      if (object?.kind !== 'nexthop' || object.via !== hop.ip) continue;
      hop.isAccepted = true;
      this.#unaccepted.delete(hop);
      changed.add(hop.ip);
    }
    const revoked = new Set<Ip>();
    if (this.#refusals !== refusals) {
      const before = this.#refused;
      this.#refusals = refusals;
      // A table that this one replaced may have tried the node under another id.
      this.#refused = refusedNexthops(refused, ({ via, id }) => this.#hops.get(via)?.id === id);
      this.#problems = undefined;
      for (const ip of this.#refused.keys()) {
        if (!before.has(ip)) changed.add(ip);
        const hop = this.#hops.get(ip);
        if (hop === undefined || !hop.isAccepted) continue;
        hop.isAccepted = false;
        this.#unaccepted.add(hop);
        revoked.add(ip);
      }
    }
    if (this.#links !== links) for (const ip of this.#readLinks(links)) changed.add(ip);
    return { changed, refused: revoked };
  }

  /** @returns the addresses that are barred now and were not, or the other way round */
  #readLinks(links: readonly Link[]): readonly Ip[] {
    this.#links = links;
    this.#problems = undefined;
    const before = new Map(this.#barred);
    this.#barred.clear();
    const changed: Ip[] = [];
    for (const [ip, { node }] of this.#named) {
      const bar = this.#barFor(ip);
      const former = before.get(ip);
      if (bar === former) continue;
      changed.push(ip);
      if (former === undefined) this.leave(ip);
      else if (bar === undefined) this.use({ ip, node, weight: 1 });
    }
    return changed;
  }

  /**
   * Gives another id to the nexthops whose id another program has taken since the last dump.
   *
   * @returns the addresses of their nodes
   */
  leaveForeignIds(): ReadonlySet<Ip> {
    const moved = new Set<Ip>();
    for (const hop of this.#hops.values()) {
      if (!this.#kernel.state.foreignIds.has(hop.id)) continue;
      this.#desired.delete(`nexthop ${hop.id}`);
      hop.id = this.#ids.take(this.#kernel.state);
      this.#write(hop);
      moved.add(hop.ip);
    }
    if (moved.size > 0) this.#numbering += 1;
    return moved;
  }

  /** Forgets the ids of nexthops that have gone from the kernel. */
  forgetGone(): void {
    for (const [ip, id] of this.#found)
      if (!this.#kernel.state.objects.has(`nexthop ${id}`)) this.#found.delete(ip);
  }

  #write({ ip, node, id }: Hop): void {
    const known = this.#desired.get(`nexthop ${id}`);
    if (known?.why.node === node && known.object.kind === 'nexthop' && known.object.via === ip) return;
    const object: Nexthop = {
      kind: 'nexthop',
      id,
      protocol: this.#owner.protocol,
      via: ip,
      link: this.#lan.index,
    };
    this.#desired.set(object, nexthopWhy(node));
  }

  /** The id of the nexthop that the kernel has for an address. */
  #foundId(ip: Ip): number | undefined {
    const id = this.#found.get(ip);
    const object = this.#kernel.state.objects.get(`nexthop ${id}`);
    const isThere = object?.kind === 'nexthop' && object.via === ip && object.link === this.#lan.index;
    return isThere ? id : undefined;
  }

  #isUntried(ip: Ip): boolean {
    return this.#hops.get(ip)?.isAccepted === false && !this.#refused.has(ip);
  }

  #barFor(ip: Ip): Bar | undefined {
    if (this.#barred.has(ip)) return this.#barred.get(ip);
    const lan = this.#links.find(({ index }) => index === this.#lan.index) ?? this.#lan;
    const bar = barFor(ip, lan, this.#links, this.#gateway);
    this.#barred.set(ip, bar);
    return bar;
  }
}
