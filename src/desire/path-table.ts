import type { Delta, Node, Origin, Overview, ReadService, Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, families, family, type Ip } from '../model/ip.ts';
import { type FormerNodes, noFormerNodes, type ProbedServices, unprobed } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { sameItems } from '../model/same-items.ts';
import { alikeTo } from './alike.ts';
import { addressesOf, changedNames, turnedNames } from './candidate-changes.ts';
import { type CarrierSet, CarrierSets, type PathCounts } from './carrier-sets.ts';
import { addressProblems, type Candidates, type Carrier, candidates, everyNode } from './carriers.ts';
import { Claimants } from './claimants.ts';
import { claim, rememberedIn } from './claims.ts';
import { Departures, goByEndpoints, lackEndpoints } from './evidence.ts';
import { FormerPaths } from './former-paths.ts';
import { mark, type NamedEip, servicesNaming } from './named-eip.ts';
import { isNat, usesNat } from './nat-mode.ts';
import { type DependsOn, NodeDependents } from './node-dependents.ts';
import type { Path } from './path.ts';
import type { PathHistory } from './path-history.ts';
import { formerNodesOf, type Resolved, resolve, type Terms } from './paths.ts';
import { type PoolFinder, poolFinder } from './pools.ts';
import type { ServiceTable } from './service-table.ts';

/** What was read anew before an update of the table. */
export interface ReadChanges {
  readonly services: readonly ReadService[];
  readonly byEvent: Delta['byEvent'];
}

/** The changes of one update of the table. */
export interface PathChanges {
  /** EIPs that came, went, or changed their set or their Services. */
  readonly eips: readonly NamedEip[];
  /** Sets that have other carriers than before, under the same EIPs. */
  readonly sets: ReadonlySet<CarrierSet>;
}

/** What another list of nodes has changed by itself. */
interface NodeChanges {
  /** Of the nodes that came, went or have other addresses, and of those whose former addresses are others. */
  readonly names: ReadonlySet<string>;
  /** The sets of every node that have other carriers. */
  readonly every: readonly CarrierSet[];
}

const noNodeChanges: NodeChanges = { names: new Set(), every: [] };

/**
 * Which EIP goes to which nodes, kept up to date by what changed: an event costs the EIPs of one Service, and a node
 * the sets that it is in. {@link paths} is its specification.
 */
export class PathTable {
  /** How EIPs and nodes went that are not there any more. */
  readonly departures = new Departures();
  readonly #gateway: Gateway;
  readonly #poolOf: PoolFinder;
  readonly #claimants: Claimants;
  readonly #usesNat: boolean;
  #terms: Terms;
  readonly #sets = new CarrierSets();
  readonly #dependents = new NodeDependents();
  readonly #problems = new Map<Ip, readonly Problem[]>();
  #problemList: readonly Problem[] | undefined;
  #addressProblems: readonly Problem[] = [];
  #nodes: readonly Node[] | undefined;
  #formerNodes: FormerNodes = noFormerNodes;
  #candidates: Candidates = candidates([]);
  /** EIPs with a holder, by the name of their pool. */
  readonly #held = new Map<string, Record<Family, number>>();
  readonly #former = new FormerPaths();

  /** @param services read by the caller, before each update */
  constructor(gateway: Gateway, services: ServiceTable, probed: ProbedServices = unprobed) {
    this.#gateway = gateway;
    this.#poolOf = poolFinder(gateway.pools);
    this.#usesNat = usesNat(gateway);
    this.#terms = { gateway, poolOf: this.#poolOf, nodes: this.#candidates, probed, remembered: new Set() };
    this.#claimants = new Claimants(gateway, this.departures, services);
  }

  /**
   * Takes in Services that were read again, and the nodes.
   *
   * @param changes 'all': of all Services, in the first update
   * @param turned keys of Services that began or ceased to wait for a node, to cover for one, or to be left by one
   */
  update(overview: Overview, changes: ReadChanges | 'all', turned: Iterable<string> = []): PathChanges {
    const dirty: NamedEip[] = [];
    const origin = changes !== 'all' && changes.byEvent.nodes ? 'event' : 'list';
    const { names, every } = this.#readNodes(overview.nodes, origin, dirty);
    this.#readClusters(overview, dirty);
    if (changes === 'all') this.#claimants.begin(dirty);
    else this.#claimants.take(changes.services, changes.byEvent, dirty);
    for (const key of turned) this.#claimants.markNamed(key, dirty);
    const sets = new Set([...every, ...this.#follow(names, dirty)]);
    for (const named of dirty) this.#resolve(named);
    return { eips: dirty, sets };
  }

  /** A cluster was away and is listed now, or the other way round: other claims may be the strongest. */
  #readClusters(overview: Overview, dirty: NamedEip[]): void {
    const remembered = rememberedIn(overview);
    if (sameItems([...remembered], [...this.#terms.remembered])) return;
    this.#terms = { ...this.#terms, remembered };
    for (const named of this.#claimants.all()) mark(named, dirty);
  }

  /** The EIPs that are held by a Service, with where they go. */
  *paths(): Generator<Path> {
    for (const named of this.#claimants.all()) {
      const path = pathOf(named);
      if (path !== undefined) yield path;
    }
  }

  /** undefined: no Service holds the EIP. Without carriers: no node can serve it. */
  path(eip: Ip): Path | undefined {
    const named = this.#claimants.get(eip);
    return named && pathOf(named);
  }

  set(eip: Ip): CarrierSet | undefined {
    return this.#claimants.get(eip)?.set;
  }

  /** undefined: no Service names the EIP. */
  named(eip: Ip): NamedEip | undefined {
    return this.#claimants.get(eip);
  }

  /** The EIPs that Services name. */
  allNamed(): Iterable<NamedEip> {
    return this.#claimants.all();
  }

  /** The Services that hold the EIP are there, and have no endpoint that could serve it. */
  lacksEndpoints(eip: Ip): boolean {
    return lackEndpoints(this.holders(eip), this.#candidates, family(eip));
  }

  /** Where the EIP goes depends on its endpoints alone, and on no node that is not known. */
  goesByEndpoints(eip: Ip): boolean {
    return goByEndpoints(this.holders(eip), this.#candidates, family(eip));
  }

  /**
   * All Services that name the EIP, or named it last, are in clusters whose lists are in; false for an EIP that no Service
   * has named so far.
   *
   * @param isListed asked of the name of a cluster
   */
  isKnown(eip: Ip, isListed: (cluster: string | undefined) => boolean): boolean {
    const named = this.#claimants.get(eip);
    return named === undefined
      ? this.departures.isEipLost(eip)
      : servicesNaming(named).every(({ cluster }) => isListed(cluster));
  }

  /** A node that may carry traffic has this address. */
  isCarrier(ip: Ip): boolean {
    const of = family(ip);
    for (const nodes of this.#candidates.every.values())
      if (nodes[of].some((carrier) => carrier.ip === ip)) return true;
    return false;
  }

  get problems(): readonly Problem[] {
    this.#problemList ??= [...this.#addressProblems, ...[...this.#problems.values()].flat()];
    return this.#problemList;
  }

  get counts(): PathCounts {
    return this.#sets.counts;
  }

  /** The nodes that may carry traffic. */
  get candidates(): Candidates {
    return this.#candidates;
  }

  /** EIPs that a Service holds, by the pool and the family that they belong to. */
  held(pool: string, of: Family): number {
    return this.#held.get(pool)?.[of] ?? 0;
  }

  /** EIPs whose nodes are all among these; costs the sets of nodes that there are, and not their EIPs. */
  eipsWithin(ips: ReadonlySet<Ip>): Iterable<Ip> {
    return this.#sets.eipsWithin(ips);
  }

  /** Whether it is the set of every node of a cluster. */
  isEvery(set: CarrierSet): boolean {
    return this.#sets.isEvery(set);
  }

  /** How many EIPs go to nodes of this one of several clusters. */
  routedIn(cluster: string): number {
    return this.#sets.routedIn(cluster);
  }

  /** Changes since the last call; the former path of an EIP is undefined when it had none. */
  takeHistory(): PathHistory {
    return this.#former.take(this, this.#claimants.size === 0);
  }

  #readNodes(nodes: readonly Node[], origin: Origin, dirty: NamedEip[]): NodeChanges {
    const formerNodes = formerNodesOf(this.#gateway, this.#terms.probed);
    if (nodes === this.#nodes && formerNodes === this.#formerNodes) return noNodeChanges;
    const before = this.#candidates;
    const covered = this.#formerNodes;
    this.#nodes = nodes;
    this.#formerNodes = formerNodes;
    this.#candidates = candidates(nodes, formerNodes);
    this.#terms = { ...this.#terms, nodes: this.#candidates };
    this.#addressProblems = addressProblems(nodes);
    this.#problemList = undefined;
    const names = changedNames(before, this.#candidates);
    for (const name of turnedNames(covered, formerNodes)) names.add(name);
    this.#noteDepartures(before, names, origin);
    const every: CarrierSet[] = [];
    for (const cluster of new Set([...this.#sets.clusters, ...this.#candidates.every.keys()])) {
      for (const version of families) {
        const set = this.#sets.every(cluster, version);
        const carriers = everyNode(this.#candidates, cluster)[version];
        if (sameCarriers(set.carriers, carriers)) continue;
        // They cease to go somewhere, one by one.
        if (carriers.length === 0) for (const named of set.eips) mark(named, dirty);
        this.#refill(set, carriers);
        every.push(set);
      }
    }
    return { names, every };
  }

  /**
   * Takes in what nodes that came or went change for the EIPs that depend on them. The EIPs of one set are mostly alike, and
   * go on to be one set: then the set has other carriers, and no EIP is resolved.
   *
   * @param names of these nodes
   * @param dirty those that something else has changed; gets the EIPs that do not go with their set
   * @returns the sets that have other carriers now
   */
  #follow(names: ReadonlySet<string>, dirty: NamedEip[]): readonly CarrierSet[] {
    const changed: CarrierSet[] = [];
    const found: NamedEip[] = [];
    for (const named of this.#dependents.of(names)) mark(named, found);
    for (const [set, eips] of Map.groupBy(found, (named) => named.set)) {
      const carriers = set?.eips.size === eips.length ? this.#common(eips) : undefined;
      if (set === undefined || carriers === undefined || !this.#canBecome(set, carriers)) {
        for (const named of eips) dirty.push(named);
        continue;
      }
      for (const named of eips) named.isDirty = false;
      if (sameCarriers(set.carriers, carriers)) continue;
      this.#refill(set, carriers);
      changed.push(set);
    }
    return changed;
  }

  /** Where all of some EIPs of a family go; undefined: it is not sure that they go to the same nodes. */
  #common([first, ...others]: readonly NamedEip[]): readonly Carrier[] | undefined {
    const lone = first && this.#lone(first);
    if (first === undefined || lone === undefined) return undefined;
    const isAlike = alikeTo(lone, family(first.eip), this.#terms.probed);
    for (const named of others) {
      const other = this.#lone(named);
      if (other === undefined || !isAlike(other)) return undefined;
    }
    return resolve(first.eip, [lone], this.#terms).path?.carriers;
  }

  /** The one Service that names the EIP, when it is under Local. */
  #lone({ eip, named }: NamedEip): Service | undefined {
    if (named === undefined || named instanceof Map || !isLocal(named)) return undefined;
    // NAT has rules of its own.
    return this.#usesNat && isNat(this.#gateway, this.#poolOf(eip)) ? undefined : named;
  }

  /**
   * EIPs that begin or cease to go somewhere, and those that come to the EIPs of another set, do so one by one.
   *
   * @param set of EIPs under Local, so not that of every node
   */
  #canBecome(set: CarrierSet, carriers: readonly Carrier[]): boolean {
    if (set.carriers.length === 0 || carriers.length === 0) return false;
    const { first } = set.eips;
    if (first === undefined) return false;
    return sameCarriers(set.carriers, carriers) || !this.#sets.has(carriers, family(first.eip));
  }

  /** Gives a set other carriers, and notes the former ones for the journal. */
  #refill(set: CarrierSet, carriers: readonly Carrier[]): void {
    this.#former.noteSet(set);
    this.#sets.refill(set, carriers);
  }

  /** Notes the addresses that the named nodes have no more, and those that they have now. */
  #noteDepartures(before: Candidates, names: ReadonlySet<string>, origin: Origin): void {
    for (const name of names) {
      for (const ip of addressesOf(before.byName.get(name))) this.departures.nodeLost(ip, origin);
    }
    for (const name of names) {
      for (const ip of addressesOf(this.#candidates.byName.get(name))) this.departures.nodeNamed(ip);
    }
  }

  /** The Services that hold the EIP, of those that name it; the strongest claim first. */
  holders(eip: Ip): readonly Service[] {
    const named = this.#claimants.get(eip);
    if (named === undefined) return none;
    const { remembered } = this.#terms;
    return claim(eip, servicesNaming(named), this.#gateway, this.#poolOf(eip), remembered).holders;
  }

  #resolve(named: NamedEip): void {
    const { eip, set: before } = named;
    named.isDirty = false;
    const services = servicesNaming(named);
    const found = services.length === 0 ? unnamed : resolve(eip, services, this.#terms);
    this.#report(eip, found.problems);
    this.#former.note(named);
    const set = found.path && this.#setOf(eip, found.path.carriers);
    if ((before === undefined) !== (set === undefined)) this.#countHeld(eip, set === undefined ? -1 : 1);
    if (before !== set) {
      if (before !== undefined) this.#sets.leave(named, before);
      if (set !== undefined) this.#sets.join(named, set);
    }
    named.set = set;
    named.services = found.path?.services ?? none;
    this.#dependents.replace(named, this.#dependencies(services, set, eip));
    if (services.length === 0) this.#claimants.forget(named);
  }

  #setOf(eip: Ip, carriers: readonly Carrier[]): CarrierSet {
    const version = family(eip);
    // An EIP that goes nowhere is in no common set: it would begin to go somewhere unnoticed.
    if (carriers.length > 0)
      for (const [cluster, every] of this.#candidates.every)
        if (every[version] === carriers) return this.#sets.every(cluster, version);
    return this.#sets.of(carriers, version);
  }

  #countHeld(eip: Ip, step: 1 | -1): void {
    const pool = this.#poolOf(eip);
    if (pool === undefined) return;
    const held = this.#held.get(pool.name) ?? { 4: 0, 6: 0 };
    held[family(eip)] += step;
    this.#held.set(pool.name, held);
  }

  #dependencies(named: readonly Service[], set: CarrierSet | undefined, eip: Ip): DependsOn {
    const version = family(eip);
    if (!named.some(isLocal)) {
      // The EIP is in the common set, or lacks endpoints, unless there are no nodes at all.
      const hasNodes = ({ cluster }: Service): boolean =>
        everyNode(this.#candidates, cluster)[version].length > 0;
      return this.#sets.isEvery(set) || named.every(hasNodes) ? none : 'all';
    }
    // A Cluster and a Local Service share the EIP.
    if (!named.every(isLocal)) return 'all';
    const names: string[] = [];
    for (const service of named) {
      for (const { node } of service.endpoints) if (node !== undefined) names.push(node);
      for (const node of this.#terms.probed.formerCarriers(service.key)[version]) names.push(node);
    }
    return distinct(names);
  }

  #report(eip: Ip, problems: readonly Problem[]): void {
    if (problems.length === 0 && !this.#problems.has(eip)) return;
    if (problems.length === 0) this.#problems.delete(eip);
    else this.#problems.set(eip, problems);
    this.#problemList = undefined;
  }
}

const none: readonly never[] = [];
const unnamed: Resolved = { path: undefined, problems: none };

function pathOf({ eip, services, set }: NamedEip): Path | undefined {
  return set && { eip, services, carriers: set.carriers };
}

function isLocal({ externalTrafficPolicy }: Service): boolean {
  return externalTrafficPolicy === 'Local';
}

/** Nearly every Service is on a few nodes, of which a set costs more than to compare them. */
function distinct(names: readonly string[]): readonly string[] {
  return names.length > 8 ? [...new Set(names)] : names.filter((name, i) => names.indexOf(name) === i);
}

function sameCarriers(a: readonly Carrier[], b: readonly Carrier[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i];
      const isSame = one.ip === other?.ip && one.node === other.node;
      return isSame && one.weight === other.weight && one.place === other.place;
    })
  );
}
