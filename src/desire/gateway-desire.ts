import { isDeepStrictEqual } from 'node:util';
import type { Delta, Overview, ReadService, Service } from '../model/cluster.ts';
import {
  type Desire,
  type DesiredState,
  DesiredTable,
  type KernelState,
  noNexthops,
  type Remainder,
} from '../model/desired.ts';
import type { Why } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, families, type Ip, onlyIp } from '../model/ip.ts';
import { type Change, changeObject, type Key, keyOf, type Route } from '../model/object.ts';
import { type Owner, ownerOf } from '../model/owner.ts';
import type { ProbePaths } from '../model/probe-path.ts';
import { type Probed, unprobed } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { sameItems } from '../model/same-items.ts';
import { type Uniqueness, undetected } from '../model/uniqueness.ts';
import { AnnounceTable } from './announce-table.ts';
import { causes } from './causes.ts';
import type { ClusterReader } from './cluster-reader.ts';
import { isEipObject, keptFor, routeKey } from './eip-routes.ts';
import { fixedObjects, notInUse } from './gateway.ts';
import { alive } from './links.ts';
import { NatTable } from './nat-table.ts';
import { type PathChanges, PathTable } from './path-table.ts';
import { probeTable, probeWhy } from './probe-table.ts';
import { apiServices, changedOwners, type Reserved, reservedIn } from './reserved.ts';
import { RouteTable } from './route-table.ts';
import { ServiceTable } from './service-table.ts';

const none: readonly Problem[] = [];
const noPathChanges: PathChanges = { eips: [], sets: new Set() };

/** The inputs of a gateway's desire. */
export interface GatewaySources {
  readonly cluster: ClusterReader;
  /** What has changed since the last call. */
  takeDelta(): Delta;
  /** What was last read of each Service, where others read it too. Absent: the desire's own. */
  readonly services?: ServiceTable;
  /** Called with the Services that were read again, before they are acted on. Absent: nobody is told. */
  read?(services: readonly ReadService[]): void;
  /** What the gateway has seen of the nodes. */
  readonly probed?: Probed;
  /** An operator takes the traffic off this gateway. Absent: never. */
  isDraining?(): boolean;
  /** Who has the EIPs on the segment where this gateway answers for them. Absent: nobody else. */
  readonly uniqueness?: Uniqueness;
  /** Further problems; each list is the same array as long as nothing in it changes. */
  problems(): readonly (readonly Problem[])[];
}

/**
 * What a gateway wants in its kernel, kept up to date by what changed: an event costs what the change touches, and
 * not what the cluster weighs. {@link gatewayObjects} is its specification.
 */
export class GatewayDesire implements Desire {
  readonly table = new DesiredTable();
  readonly paths: PathTable;
  readonly #gateway: Gateway;
  readonly #owner: Owner;
  readonly #cluster: ClusterReader;
  readonly #probed: Probed;
  readonly #takeDelta: () => Delta;
  readonly #services: ServiceTable;
  readonly #read: (services: readonly ReadService[]) => void;
  readonly #isDraining: () => boolean;
  /** undefined: nothing is announced. */
  readonly announcing: AnnounceTable | undefined;
  /** undefined: no pool has mode nat. */
  readonly #nat: NatTable | undefined;
  readonly #otherProblems: () => readonly (readonly Problem[])[];
  readonly #frozen: Why;
  #isFirst = true;
  #routes: { readonly table: RouteTable; readonly link: number } | undefined;
  #reserved: Reserved = new Map();
  #fixedKeys: ReadonlySet<Key> = new Set();
  /** How many of them are routes. */
  #fixedRoutes = 0;
  /** EIPs whose routes stay while the interface is dead. */
  #kept: ReadonlySet<Ip> = new Set();
  /** The tables of nftables by which single nodes are asked. */
  readonly #probeTables = new Map<Family, Key>();
  /** What they were made of. */
  #probePaths: { readonly paths: ProbePaths; readonly isAlive: boolean } | undefined;
  #fixedProblems = none;
  #nodes: unknown;
  #apis: readonly Service[] = [];
  #apiPeers: unknown;
  #kernel: KernelState | undefined;
  #dumps = -1;
  #refusals = -1;
  /** What the problems were collected from. */
  #parts: readonly (readonly Problem[])[] = [];
  #isComplete = false;
  #problems = none;

  constructor(
    gateway: Gateway,
    { cluster, takeDelta, problems, probed = unprobed, isDraining = () => false, ...sources }: GatewaySources,
  ) {
    const { uniqueness = undetected, services = new ServiceTable(), read = () => {} } = sources;
    this.#otherProblems = problems;
    this.#gateway = gateway;
    this.#owner = ownerOf(gateway.protocol);
    this.#cluster = cluster;
    this.#takeDelta = takeDelta;
    this.#services = services;
    this.#read = read;
    this.#frozen = keptFor(gateway.lan);
    this.#probed = probed;
    this.paths = new PathTable(gateway, services, probed);
    this.#isDraining = isDraining;
    this.#nat = NatTable.of({
      gateway,
      desired: this.table,
      holders: (eip) => {
        const holders = this.paths.holders(eip);
        return holders.length === 0 ? undefined : holders;
      },
    });
    const { announce } = gateway;
    this.announcing =
      announce &&
      new AnnounceTable({ gateway, announce, owner: this.#owner, desired: this.table, uniqueness });
  }

  update(kernel: KernelState): DesiredState {
    const delta = this.#takeDelta();
    const services = this.#services.read(delta.services, this.#cluster);
    this.#read(services);
    const overview = this.#cluster.overview();
    const read = this.#isFirst ? 'all' : { services, byEvent: delta.byEvent };
    const changes = this.paths.update(overview, read, this.#probed.takeTurned());
    this.#isFirst = false;
    const isReservedAnew = this.#readReserved(kernel);
    const lan = alive(kernel.links, this.#gateway.lan);
    let remaining: Remainder = 'nothing';
    const before = this.#routes;
    let isFrozenAnew = false;
    if (lan === undefined) {
      isFrozenAnew = this.#routes !== undefined || this.#dumps !== kernel.dumps;
      if (isFrozenAnew) this.#freeze(kernel);
      this.#routes = undefined;
    } else {
      const isNew = this.#routes?.link !== lan.index;
      if (isNew) this.#rebuild(kernel, lan.index);
      // A new table has read all paths.
      const since = isNew ? noPathChanges : changes;
      remaining =
        this.#routes?.table.update(since, this.#reserved, kernel, this.#probed.standings) ?? 'nothing';
    }
    this.#setProbeTables(lan !== undefined);
    const written = this.#routes?.table.takeWritten() ?? [];
    const groups = this.#routes?.table.takeWrittenGroups() ?? [];
    const isAnew = this.#routes !== before;
    const isAny = isAnew || isFrozenAnew || (lan === undefined && changes.eips.length > 0);
    this.#nat?.update(kernel, isAny ? 'all' : { eips: written, groups });
    const { areNodesHeard } = this.#probed;
    const announcing = { isDraining: this.#isDraining(), areNodesHeard };
    if (this.announcing?.update(kernel, announcing, isAnew ? 'all' : written)) remaining = 'objects';
    if (
      isReservedAnew ||
      this.#reserved.size > 0 ||
      this.#dumps !== kernel.dumps ||
      this.#refusals !== kernel.refusals
    )
      this.#fix(kernel);
    if (this.#dumps !== kernel.dumps) this.#forgetDepartures(kernel);
    this.#kernel = kernel;
    this.#dumps = kernel.dumps;
    this.#refusals = kernel.refusals;
    const collected = (): readonly Problem[] => this.#collect(overview);
    const retiring = this.#routes?.table.retiring ?? noNexthops;
    return {
      // When they are read: what forwards packets does not wait for them.
      get problems() {
        return collected();
      },
      complete: overview.complete,
      remaining,
      lacking: this.#lacking(),
      retiring,
    };
  }

  /**
   * What should be routed counts, not what can be. The routes of the table are those of EIPs that nodes can serve,
   * but for the ones that a dead interface has left behind: Linux keeps none or a few.
   */
  #lacking(): number {
    const { paths, table } = this;
    const others = this.#fixedRoutes + (this.announcing?.routes ?? 0);
    if (this.#routes !== undefined) return paths.counts.routed - (table.counts.route - others);
    let kept = 0;
    for (const eip of this.#kept) if ((paths.path(eip)?.carriers.length ?? 0) > 0) kept += 1;
    return paths.counts.routed - kept;
  }

  /** The EIPs that {@link DesiredState.lacking} counts; a walk over all. */
  *unrouted(): Generator<Ip> {
    const { table } = this.#gateway;
    for (const { eip, carriers } of this.paths.paths())
      if (carriers.length > 0 && this.table.get(routeKey(eip, table)) === undefined) yield eip;
  }

  isEvident(change: Change): boolean {
    const object = changeObject(change);
    const { departures } = this.paths;
    if (change.verb === 'delete') {
      if (object.kind === 'nexthop')
        return this.paths.isCarrier(object.via) || departures.isNodeTaken(object.via);
      return object.kind === 'route' && this.#isWithdrawalEvident(object);
    }
    const eip = object.kind === 'route' ? onlyIp(object.dst) : undefined;
    if (object.kind === 'group') return this.#routes?.table.goesByEndpoints(object.id) ?? false;
    return eip !== undefined && this.paths.goesByEndpoints(eip);
  }

  isDecided(change: Change): boolean {
    const listed = new Set<string | undefined>();
    for (const { name, complete } of this.#cluster.overview().clusters ?? []) if (complete) listed.add(name);
    if (listed.size === 0) return false;
    const object = changeObject(change);
    switch (object.kind) {
      case 'route': {
        const eip = object.nhid === undefined ? undefined : onlyIp(object.dst);
        return eip !== undefined && this.paths.isKnown(eip, (cluster) => listed.has(cluster));
      }
      case 'nat-eip':
        return this.paths.isKnown(object.eip, (cluster) => listed.has(cluster));
      // Where the route or the NAT of an EIP stays, so does what it leads to. Without them these forward nothing.
      case 'nexthop':
      case 'group':
      case 'nat-group':
        return true;
      default:
        return false;
    }
  }

  /** Its Services or their endpoints were taken away, or the nodes that it leads to. */
  #isWithdrawalEvident(route: Route): boolean {
    const eip = onlyIp(route.dst);
    if (eip === undefined || route.nhid === undefined) return false;
    if (this.paths.lacksEndpoints(eip)) return true;
    if (this.paths.path(eip) === undefined) return this.paths.departures.isEipTaken(eip);
    const ends = this.#ends(route.nhid);
    return ends.length > 0 && ends.every((ip) => this.paths.departures.isNodeTaken(ip));
  }

  /** The addresses that a nexthop or a group in the kernel leads to. */
  #ends(id: number): readonly Ip[] {
    const object = this.#kernel?.objects.get(`nexthop ${id}`);
    if (object?.kind === 'group') return object.members.flatMap((member) => this.#ends(member.id));
    return object?.kind === 'nexthop' ? [object.via] : [];
  }

  #forgetDepartures({ objects }: KernelState): void {
    this.paths.departures.forget(
      (eip) => objects.has(routeKey(eip, this.#gateway.table)),
      () => {
        const all = [...objects.values()];
        return new Set(all.flatMap((object) => (object.kind === 'nexthop' ? [object.via] : [])));
      },
    );
  }

  /**
   * Addresses of the pools that belong to something else: nearly always none.
   *
   * @returns whether they are others than before
   */
  #readReserved(kernel: KernelState): boolean {
    const { nodes, apiPeers } = this.#cluster.overview();
    const apis = apiServices(this.#cluster);
    const isRead =
      nodes === this.#nodes &&
      apiPeers === this.#apiPeers &&
      sameItems(apis, this.#apis) &&
      this.#dumps === kernel.dumps;
    if (isRead) return false;
    const reserved = reservedIn({ nodes, apis, apiPeers, links: kernel.links }, this.#gateway);
    const isOther = changedOwners(this.#reserved, reserved).length > 0;
    this.#nodes = nodes;
    this.#apis = apis;
    this.#apiPeers = apiPeers;
    if (isOther) this.#reserved = reserved;
    return isOther;
  }

  /**
   * The objects that depend on no Service, with one exception: a pool keeps its unreachable route when a node claims an
   * address of it that is routed as an EIP. So they come after the routes.
   */
  #fix(kernel: KernelState): void {
    const keys = new Set<Key>();
    let routes = 0;
    const { table } = this.#gateway;
    const inUse = {
      has: (eip: Ip) =>
        (this.paths.path(eip)?.carriers.length ?? 0) > 0 &&
        this.table.get(routeKey(eip, table)) !== undefined,
    };
    this.#fixedProblems = fixedObjects(
      {
        gateway: this.#gateway,
        have: kernel,
        refused: kernel.refused,
        reserved: notInUse(this.#reserved, inUse),
      },
      (object, why) => {
        const key = keyOf(object);
        if (keys.has(key)) return;
        keys.add(key);
        if (object.kind === 'route') routes += 1;
        this.table.set(object, why, key);
      },
    );
    this.#fixedRoutes = routes;
    for (const key of this.#fixedKeys) if (!keys.has(key)) this.table.delete(key);
    this.#fixedKeys = keys;
  }

  #setProbeTables(isAlive: boolean): void {
    const { probePaths: paths } = this.#probed;
    const known = this.#probePaths;
    if (known?.paths === paths && known.isAlive === isAlive) return;
    this.#probePaths = { paths, isAlive };
    for (const version of families) {
      const before = this.#probeTables.get(version);
      const table = isAlive ? probeTable(this.#gateway, paths[version], version) : undefined;
      if (table === undefined) {
        if (before !== undefined) this.table.delete(before);
        this.#probeTables.delete(version);
        continue;
      }
      const key = keyOf(table);
      this.#probeTables.set(version, key);
      this.table.set(table, probeWhy, key);
    }
  }

  /** Linux deletes the objects of a dead interface; the remaining ones stay as they are. */
  #freeze(kernel: KernelState): void {
    for (const { key, object } of [...this.table.values()]) {
      if (isEipObject(object) && !kernel.objects.has(key)) this.table.delete(key);
    }
    const kept = new Set<Ip>();
    for (const [key, object] of kernel.objects) {
      if (!isEipObject(object)) continue;
      this.table.set(object, this.#frozen, key);
      const eip = object.kind === 'route' ? onlyIp(object.dst) : undefined;
      if (eip !== undefined) kept.add(eip);
    }
    this.#kept = kept;
  }

  #rebuild(kernel: KernelState, link: number): void {
    const lan = kernel.links.find(({ index }) => index === link);
    if (lan === undefined) return;
    // Objects that the new table does not desire still have the reason of the freeze, and are dropped.
    if (this.table.counts.nexthop > 0) this.#freeze(kernel);
    const { paths, table: desired } = this;
    const inputs = {
      gateway: this.#gateway,
      owner: this.#owner,
      lan,
      paths,
      desired,
      reserved: this.#reserved,
      standings: this.#probed.standings,
    };
    this.#routes = { table: new RouteTable(inputs, kernel), link };
    for (const { key, why } of [...desired.values()]) if (why === this.#frozen) desired.drop(key);
  }

  #collect({ complete: isComplete, problems }: Overview): readonly Problem[] {
    const parts = [
      problems,
      this.paths.problems,
      this.#fixedProblems,
      this.#routes?.table.problems ?? none,
      ...this.#otherProblems(),
    ];
    // Some make their list anew each time: what acts on the problems must not cost what stands because of that.
    const isSame =
      isComplete === this.#isComplete &&
      parts.length === this.#parts.length &&
      parts.every((part, at) => part === this.#parts[at] || isDeepStrictEqual(part, this.#parts[at]));
    if (!isSame) {
      this.#parts = parts;
      this.#isComplete = isComplete;
      this.#problems = causes(parts.flat(), isComplete);
    }
    return this.#problems;
  }
}
