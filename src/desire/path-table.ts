import { type Node, type Overview, type Service, type Snapshot, serviceName } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import { type Probed, unprobed } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { addressProblems, type Candidates, type Carrier, candidates } from './carriers.ts';
import { claim, namedAddresses } from './claims.ts';
import { goByEndpoints, lackEndpoints } from './evidence.ts';
import type { Path } from './path.ts';
import { type FormerPath, PathHistory } from './path-history.ts';
import { type Resolved, resolve } from './paths.ts';
import { type PoolFinder, poolFinder } from './pools.ts';

/** The part of the cluster that the table reads. */
export interface ClusterReader {
  /** @param key `namespace/name` */
  service(key: string): Service | undefined;
  services(): Iterable<Service>;
  overview(): Overview;
}

/**
 * EIPs with the same carriers. The one of all Services under Cluster is the same set whatever its nodes are, so that
 * a node that comes or goes changes one set and no EIP.
 */
export interface CarrierSet {
  readonly eips: Set<Ip>;
  /** Sorted by node name. */
  carriers: readonly Carrier[];
}

/** The changes of one update of the table. */
export interface PathChanges {
  /** EIPs that came, went, or changed their set or their Services. */
  readonly eips: ReadonlySet<Ip>;
  /** Sets that have other carriers than before, under the same EIPs. */
  readonly sets: ReadonlySet<CarrierSet>;
}

/** The state of one EIP. */
interface Entry {
  readonly services: readonly string[];
  /** undefined: no Service holds it. */
  readonly set: CarrierSet | undefined;
  /** Nodes whose coming and going may change the set; 'all' where a Cluster and a Local Service share the EIP. */
  readonly dependsOn: readonly string[] | 'all';
}

/**
 * Which EIP goes to which nodes, kept up to date by what changed: an event costs the EIPs of one Service, and a node
 * the sets that it is in. {@link paths} is its specification.
 */
export class PathTable {
  readonly #gateway: Gateway;
  readonly #poolOf: PoolFinder;
  readonly #probed: Pick<Probed, 'waiting'>;
  readonly #services = new Map<string, Service>();
  /** The Services that name an address; mostly one, for which a set would take more room than all else about it. */
  readonly #naming = new Map<Ip, string | Set<string>>();
  readonly #entries = new Map<Ip, Entry>();
  readonly #problems = new Map<Ip, readonly Problem[]>();
  #problemList: readonly Problem[] | undefined;
  #addressProblems: readonly Problem[] = [];
  /** EIPs by the names of nodes that they depend on. */
  readonly #dependents = new Map<string, Set<Ip>>();
  readonly #dependOnAll = new Set<Ip>();
  #nodes: readonly Node[] | undefined;
  #candidates: Candidates = candidates([]);
  readonly #every: Readonly<Record<4 | 6, CarrierSet>> = { 4: newSet([]), 6: newSet([]) };
  readonly #sets = new Map<string, CarrierSet>();
  /** In how many sets with EIPs a node is. */
  readonly #setsOfNode = new Map<string, number>();
  #routed = 0;
  #idle = 0;
  /** Where EIPs and sets went when the journal last looked, of those that changed since. */
  #formerPaths = new Map<Ip, FormerPath | undefined>();
  #formerCarriers = new Map<CarrierSet, readonly Carrier[]>();

  constructor(gateway: Gateway, probed: Pick<Probed, 'waiting'> = unprobed) {
    this.#gateway = gateway;
    this.#probed = probed;
    this.#poolOf = poolFinder(gateway.pools);
  }

  /**
   * Reads changed Services and nodes again.
   *
   * @param keys of the Services; 'all': every one
   * @param turned keys of Services that began or ceased to wait for a node
   */
  update(
    cluster: ClusterReader,
    keys: ReadonlySet<string> | 'all',
    turned: Iterable<string> = [],
  ): PathChanges {
    const dirty = new Set<Ip>();
    const sets = this.#readNodes(cluster.overview().nodes, dirty);
    if (keys === 'all') this.#readAll(cluster, dirty);
    else for (const key of keys) this.#readService(key, cluster.service(key), dirty);
    for (const key of turned) {
      const service = this.#services.get(key);
      if (service !== undefined) for (const eip of namedAddresses(service, this.#gateway)) dirty.add(eip);
    }
    for (const eip of dirty) this.#resolve(eip);
    return { eips: dirty, sets };
  }

  /** The EIPs that are held by a Service, with where they go. */
  *paths(): Generator<Path> {
    for (const eip of this.#entries.keys()) {
      const path = this.path(eip);
      if (path !== undefined) yield path;
    }
  }

  /** undefined: no Service holds the EIP. Without carriers: no node can serve it. */
  path(eip: Ip): Path | undefined {
    const entry = this.#entries.get(eip);
    if (entry?.set === undefined) return undefined;
    return { eip, services: entry.services, carriers: entry.set.carriers };
  }

  set(eip: Ip): CarrierSet | undefined {
    return this.#entries.get(eip)?.set;
  }

  /** The Services that hold the EIP are there, and have no endpoint that could serve it. */
  lacksEndpoints(eip: Ip): boolean {
    return lackEndpoints(this.#holders(eip), family(eip));
  }

  /** Where the EIP goes depends on its endpoints alone, and on no node that is not known. */
  goesByEndpoints(eip: Ip): boolean {
    return goByEndpoints(this.#holders(eip), this.#candidates, family(eip));
  }

  /** A node that may carry traffic has this address. */
  isCarrier(ip: Ip): boolean {
    return this.#candidates.every[family(ip)].some((carrier) => carrier.ip === ip);
  }

  get problems(): readonly Problem[] {
    this.#problemList ??= [...this.#addressProblems, ...[...this.#problems.values()].flat()];
    return this.#problemList;
  }

  /** EIPs that go somewhere, EIPs that no node can serve, and nodes that take traffic. */
  get counts(): { readonly routed: number; readonly idle: number; readonly nodes: number } {
    return { routed: this.#routed, idle: this.#idle, nodes: this.#setsOfNode.size };
  }

  /** Changes since the last call; the former path of an EIP is undefined when it had none. */
  takeHistory(): PathHistory {
    const history = new PathHistory(this, this.#formerPaths, this.#formerCarriers);
    this.#formerPaths = new Map();
    this.#formerCarriers = new Map();
    return history;
  }

  /** @returns the Cluster sets that have other carriers now */
  #readNodes(nodes: readonly Node[], dirty: Set<Ip>): ReadonlySet<CarrierSet> {
    const changed = new Set<CarrierSet>();
    if (nodes === this.#nodes) return changed;
    const before = this.#candidates;
    this.#nodes = nodes;
    this.#candidates = candidates(nodes);
    this.#addressProblems = addressProblems(nodes);
    this.#problemList = undefined;
    const names = changedNames(before, this.#candidates);
    for (const name of names) for (const eip of this.#dependents.get(name) ?? []) dirty.add(eip);
    if (names.size > 0) for (const eip of this.#dependOnAll) dirty.add(eip);
    for (const version of [4, 6] as const) {
      const set = this.#every[version];
      const carriers = this.#candidates.every[version];
      if (sameCarriers(set.carriers, carriers)) continue;
      // They cease to go somewhere, one by one.
      if (carriers.length === 0) for (const eip of set.eips) dirty.add(eip);
      if (!this.#formerCarriers.has(set)) this.#formerCarriers.set(set, set.carriers);
      if (set.eips.size > 0) this.#countNodes(set, -1);
      this.#countEips(set, -set.eips.size);
      set.carriers = carriers;
      this.#countEips(set, set.eips.size);
      if (set.eips.size > 0) this.#countNodes(set, 1);
      changed.add(set);
    }
    return changed;
  }

  #readAll(cluster: ClusterReader, dirty: Set<Ip>): void {
    const gone = new Set(this.#services.keys());
    for (const service of cluster.services()) {
      const key = serviceName(service);
      gone.delete(key);
      this.#readService(key, service, dirty);
    }
    for (const key of gone) this.#readService(key, undefined, dirty);
  }

  #readService(key: string, after: Service | undefined, dirty: Set<Ip>): void {
    const before = this.#services.get(key);
    if (before === after) return;
    if (before !== undefined) {
      for (const eip of namedAddresses(before, this.#gateway)) {
        dirty.add(eip);
        const named = this.#naming.get(eip);
        if (typeof named === 'object') named.delete(key);
        if (named === key || (typeof named === 'object' && named.size === 0)) this.#naming.delete(eip);
      }
    }
    if (after === undefined) {
      this.#services.delete(key);
      return;
    }
    this.#services.set(key, after);
    for (const eip of namedAddresses(after, this.#gateway)) {
      dirty.add(eip);
      const named = this.#naming.get(eip);
      if (named === undefined) this.#naming.set(eip, key);
      else if (typeof named === 'object') named.add(key);
      else if (named !== key) this.#naming.set(eip, new Set([named, key]));
    }
  }

  /** The Services that name the EIP. */
  #named(eip: Ip): readonly Service[] {
    const keys = this.#naming.get(eip) ?? none;
    return (typeof keys === 'string' ? [keys] : [...keys]).flatMap((key) => this.#services.get(key) ?? []);
  }

  /** Those of them that hold it. */
  #holders(eip: Ip): readonly Service[] {
    return claim(eip, this.#named(eip), this.#gateway, this.#poolOf(eip)).holders;
  }

  #resolve(eip: Ip): void {
    const named = this.#named(eip);
    const terms = {
      gateway: this.#gateway,
      poolOf: this.#poolOf,
      nodes: this.#candidates,
      probed: this.#probed,
    };
    const found: Resolved =
      named.length === 0 ? { path: undefined, problems: [] } : resolve(eip, named, terms);
    this.#report(eip, found.problems);
    const before = this.#entries.get(eip);
    if (!this.#formerPaths.has(eip)) this.#formerPaths.set(eip, this.#formerPath(before));
    const set = found.path && this.#setOf(eip, found.path.carriers);
    if (before?.set !== set) {
      this.#leave(eip, before?.set);
      this.#join(eip, set);
    }
    const dependsOn = this.#dependencies(named, set, family(eip));
    this.#depend(eip, before?.dependsOn ?? [], dependsOn);
    if (named.length === 0) this.#entries.delete(eip);
    else {
      const { services = [] } = found.path ?? {};
      this.#entries.set(eip, { services, set, dependsOn });
    }
  }

  #formerPath(entry: Entry | undefined): FormerPath | undefined {
    if (entry?.set === undefined) return undefined;
    const carriers = this.#formerCarriers.get(entry.set) ?? entry.set.carriers;
    return carriers.length === 0 ? undefined : { carriers, services: entry.services };
  }

  #setOf(eip: Ip, carriers: readonly Carrier[]): CarrierSet {
    const every = this.#every[family(eip)];
    if (carriers === this.#candidates.every[family(eip)]) return every;
    const key = keyOfSet(carriers, family(eip));
    let set = this.#sets.get(key);
    if (set === undefined) {
      set = newSet(carriers);
      this.#sets.set(key, set);
    }
    return set;
  }

  #leave(eip: Ip, set: CarrierSet | undefined): void {
    if (set === undefined) return;
    this.#countEips(set, -1);
    if (set.eips.size === 1) this.#countNodes(set, -1);
    set.eips.delete(eip);
    if (set.eips.size > 0 || set === this.#every[family(eip)]) return;
    this.#sets.delete(keyOfSet(set.carriers, family(eip)));
  }

  #join(eip: Ip, set: CarrierSet | undefined): void {
    if (set === undefined) return;
    this.#countEips(set, 1);
    set.eips.add(eip);
    if (set.eips.size === 1) this.#countNodes(set, 1);
  }

  #countEips({ carriers }: CarrierSet, step: number): void {
    if (carriers.length > 0) this.#routed += step;
    else this.#idle += step;
  }

  #countNodes({ carriers }: CarrierSet, step: 1 | -1): void {
    for (const { node } of carriers) {
      const count = (this.#setsOfNode.get(node) ?? 0) + step;
      if (count === 0) this.#setsOfNode.delete(node);
      else this.#setsOfNode.set(node, count);
    }
  }

  #dependencies(named: readonly Service[], set: CarrierSet | undefined, of: 4 | 6): Entry['dependsOn'] {
    const local = named.filter(({ externalTrafficPolicy }) => externalTrafficPolicy === 'Local');
    // Under Cluster alone an EIP is in the common set, or lacks endpoints, unless there are no nodes at all.
    if (local.length === 0 && (set === this.#every[of] || this.#candidates.every[of].length > 0)) return none;
    if (local.length < named.length) return 'all';
    const names = new Set<string>();
    for (const { endpoints } of local)
      for (const { node } of endpoints) if (node !== undefined) names.add(node);
    return [...names];
  }

  #depend(eip: Ip, before: Entry['dependsOn'], after: Entry['dependsOn']): void {
    if (before === 'all') this.#dependOnAll.delete(eip);
    else {
      for (const name of before) {
        const eips = this.#dependents.get(name);
        eips?.delete(eip);
        if (eips?.size === 0) this.#dependents.delete(name);
      }
    }
    if (after === 'all') this.#dependOnAll.add(eip);
    else {
      for (const name of after) {
        const eips = this.#dependents.get(name);
        if (eips) eips.add(eip);
        else this.#dependents.set(name, new Set([eip]));
      }
    }
  }

  #report(eip: Ip, problems: readonly Problem[]): void {
    if (problems.length === 0 && !this.#problems.has(eip)) return;
    if (problems.length === 0) this.#problems.delete(eip);
    else this.#problems.set(eip, problems);
    this.#problemList = undefined;
  }
}

const none: readonly never[] = [];

function newSet(carriers: readonly Carrier[]): CarrierSet {
  return { eips: new Set(), carriers };
}

function keyOfSet(carriers: readonly Carrier[], of: 4 | 6): string {
  return `${of} ${carriers.map(({ node, ip, weight }) => `${node}=${ip}*${weight}`).join(' ')}`;
}

function sameCarriers(a: readonly Carrier[], b: readonly Carrier[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => one.ip === b[i]?.ip && one.node === b[i].node && one.weight === b[i].weight)
  );
}

/** The names of the nodes that came, went or have other addresses. */
function changedNames({ byName: before }: Candidates, { byName: after }: Candidates): ReadonlySet<string> {
  const names = new Set<string>();
  for (const name of before.keys()) if (!after.has(name)) names.add(name);
  for (const [name, { ipv4, ipv6 }] of after) {
    const known = before.get(name);
    if (known === undefined || known.ipv4 !== ipv4 || known.ipv6 !== ipv6) names.add(name);
  }
  return names;
}

/** A snapshot as the input of a table. */
export function readerOf(snapshot: Snapshot): ClusterReader {
  const services = new Map(snapshot.services.map((service) => [serviceName(service), service]));
  return {
    service: (key) => services.get(key),
    services: () => services.values(),
    overview: () => snapshot,
  };
}
