import type { Endpoint, Service } from '../model/cluster.ts';
import { compareIp, type Family, families, family, type Ip } from '../model/ip.ts';
import { type ByFamily, nobody, nobodyByFamily } from '../model/probed.ts';
import type { LeavingNodes } from '../model/publication.ts';
import type { ServiceChange } from './service-change.ts';

const noTimes: ReadonlyMap<string, number> = new Map();

/**
 * Nodes on which all endpoints of a Service under Local are terminating, while another node has ready ones. kube-proxy
 * on these nodes sends new connections to the terminating endpoints that still serve.
 */
export function endingNodes({ endpoints, externalTrafficPolicy }: Service, of: Family): ReadonlySet<string> {
  if (externalTrafficPolicy !== 'Local') return nobody;
  // The usual case, and a fast path: every Service under Local passes here.
  if (!endpoints.some(isEnding)) return nobody;
  const ready = new Set<string>();
  const ending = new Set<string>();
  for (const { ip, node, ready: isReady, terminating } of endpoints) {
    if (node === undefined || family(ip) !== of) continue;
    if (isReady) ready.add(node);
    else if (terminating) ending.add(node);
  }
  return ready.size === 0 ? nobody : ending.difference(ready);
}

function isEnding({ ready, terminating }: Endpoint): boolean {
  return terminating && !ready;
}

export interface LeavingInputs {
  /** Names of the nodes with endpoints of a Service that take new connections; undefined: it is not under Local. */
  carrying(service: Service): ByFamily | undefined;
  /** The EIPs of the Service `namespace/name` that agents can hand over. */
  eipsOf(service: string, of: Family): readonly Ip[];
  /** undefined: the node has no such address. */
  addressOf(node: string, of: Family): Ip | undefined;
  readonly terms: LeavingTerms;
}

export interface LeavingTerms {
  /** ms from the moment when agents can read of a leave until its traffic moves */
  readonly lead: number;
  /** ms after which the traffic moves even if no agent could be told */
  readonly longest: number;
  /** ms for which agents are still told of a node that has ready endpoints again: its traffic comes back first */
  readonly after: number;
  /** The most pairs of an EIP and a node that agents are told of at a time. */
  readonly most: number;
}

/** A node that leaves a Service in one family. Times are ms of the caller's clock. */
interface Leave {
  readonly service: string;
  readonly of: Family;
  readonly node: string;
  readonly since: number;
  /** The number of EIPs that agents are told of; 0: they are not told. */
  pairs: number;
  /** It still gets traffic. */
  isAhead: boolean;
  /** Since when agents can read of it; undefined: they cannot yet. */
  readable: number | undefined;
  /** Since when it has ready endpoints again; undefined: it has none. */
  back: number | undefined;
}

/**
 * Which nodes leave which Services under Local, kept up to date by what changes: {@link endingNodes} is its rule. The
 * agents are told first, and the traffic moves later.
 */
export class LeavingTable {
  readonly #inputs: LeavingInputs;
  /** By Service, and by node and family. */
  readonly #byService = new Map<string, Map<string, Leave>>();
  /** The leaves of all Services. */
  readonly #leaves = new Set<Leave>();
  /** The nodes that still get traffic, by Service; a Service without any is absent. */
  readonly #ahead = new Map<string, ByFamily>();
  #turned = new Set<string>();
  /** The pairs of all leaves. */
  #pairs = 0;

  constructor(inputs: LeavingInputs) {
    this.#inputs = inputs;
  }

  /** The nodes that still get the traffic of the Service `namespace/name`. */
  of(service: string): ByFamily {
    return this.#ahead.get(service) ?? nobodyByFamily;
  }

  /**
   * The nodes that the Service `namespace/name` has left and that keep their flows, and since when its endpoints end there.
   * Those that get its traffic still are not among them.
   */
  left(service: string, of: Family): ReadonlyMap<string, number> {
    const leaves = this.#byService.get(service);
    if (leaves === undefined) return noTimes;
    const gone = [...leaves.values()].filter((one) => one.of === of && hasLeft(one));
    return new Map(gone.map(({ node, since }) => [node, since]));
  }

  /** How many EIPs have left a node that keeps their flows, by its name. */
  counts(): ReadonlyMap<string, number> {
    const eips = new Map<string, Set<Ip>>();
    for (const leave of this.#leaves) {
      if (!hasLeft(leave)) continue;
      const own = this.#inputs.eipsOf(leave.service, leave.of);
      const others = eips.get(leave.node);
      if (others) for (const eip of own) others.add(eip);
      else eips.set(leave.node, new Set(own));
    }
    return new Map([...eips].map(([node, { size }]) => [node, size]));
  }

  /** The Services to which other nodes are ahead than at the last call, unless it came with the Service itself. */
  takeTurned(): ReadonlySet<string> {
    const turned = this.#turned;
    if (turned.size > 0) this.#turned = new Set();
    return turned;
  }

  /** Whether time alone changes nothing. */
  get isIdle(): boolean {
    return this.#leaves.size === 0;
  }

  /** Some node still gets traffic that is to move soon. */
  get isAhead(): boolean {
    return this.#ahead.size > 0;
  }

  /**
   * Reads a Service that may have changed.
   *
   * @param agents 'told': agents read what is published. A node that was never seen to carry, as after a start of this
   *   program, loses the traffic at once all the same: other nodes have it already.
   */
  read({ key, before, after }: ServiceChange, agents: 'told' | 'not told', now: () => number): void {
    const known = this.#byService.get(key);
    const isLeft = after?.externalTrafficPolicy === 'Local' && after.endpoints.some(isEnding);
    // Nobody leaves it, as with nearly all Services.
    if (known === undefined && !isLeft) return;
    const carrying = after && this.#inputs.carrying(after);
    if (after === undefined || carrying === undefined) {
      for (const leave of known?.values() ?? []) this.#forget(leave);
      this.#byService.delete(key);
      this.#note(key);
      return;
    }
    const carried = before && this.#inputs.carrying(before);
    const leaves = known ?? new Map<string, Leave>();
    for (const of of families) {
      const ending = endingNodes(after, of);
      for (const leave of [...leaves.values()])
        if (leave.of === of && !ending.has(leave.node)) this.#end(leaves, leave, carrying[of], now);
      for (const node of ending) {
        const leave = leaves.get(idOf(node, of));
        if (leave !== undefined && leave.back === undefined) continue;
        const hasCarried = agents === 'told' && carried?.[of].has(node) === true;
        this.#begin(leaves, { service: key, of, node, since: now() }, hasCarried);
      }
    }
    if (leaves.size > 0) this.#byService.set(key, leaves);
    else this.#byService.delete(key);
    this.#note(key);
  }

  #begin(
    leaves: Map<string, Leave>,
    what: Pick<Leave, 'service' | 'of' | 'node' | 'since'>,
    hasCarried: boolean,
  ): void {
    const id = idOf(what.node, what.of);
    const before = leaves.get(id);
    if (before !== undefined) this.#forget(before);
    const { eipsOf, terms } = this.#inputs;
    const { length } = eipsOf(what.service, what.of);
    const pairs = this.#pairs + length <= terms.most ? length : 0;
    const leave = { ...what, pairs, isAhead: pairs > 0 && hasCarried, readable: undefined, back: undefined };
    this.#pairs += pairs;
    leaves.set(id, leave);
    this.#leaves.add(leave);
  }

  #end(leaves: Map<string, Leave>, leave: Leave, carrying: ReadonlySet<string>, now: () => number): void {
    // Its flows end with its endpoints. If new endpoints are in their place, the node carries again, and agents are
    // told of it for a while longer.
    if (carrying.has(leave.node) && leave.pairs > 0) {
      leave.isAhead = false;
      leave.back ??= now();
      return;
    }
    leaves.delete(idOf(leave.node, leave.of));
    this.#forget(leave);
  }

  /** Agents are told of it no more. */
  #forget(leave: Leave): void {
    this.#pairs -= leave.pairs;
    leave.pairs = 0;
    leave.isAhead = false;
    this.#leaves.delete(leave);
  }

  /**
   * What the agents are to be told.
   *
   * @param isOf whether a Service belongs to the cluster that it is for
   * @param isSilent whether nothing can be handed over to an address
   */
  told(isOf: (service: string) => boolean, isSilent: (ip: Ip) => boolean): LeavingNodes {
    const found = new Map<Ip, Set<Ip>>();
    for (const { service, of, node, pairs } of this.#leaves) {
      if (pairs === 0 || !isOf(service)) continue;
      const ip = this.#inputs.addressOf(node, of);
      if (ip === undefined || isSilent(ip)) continue;
      for (const eip of this.#inputs.eipsOf(service, of)) {
        const others = found.get(eip);
        if (others) others.add(ip);
        else found.set(eip, new Set([ip]));
      }
    }
    const sorted = [...found].sort(([a], [b]) => compareIp(a, b));
    return new Map(sorted.map(([eip, ips]) => [eip, [...ips].sort(compareIp)] as const));
  }

  /** The agents of a cluster can read this. */
  readable(told: LeavingNodes, now: number): void {
    if (!this.isAhead) return;
    for (const leave of this.#leaves) {
      if (!leave.isAhead || leave.readable !== undefined) continue;
      const ip = this.#inputs.addressOf(leave.node, leave.of);
      const eips = this.#inputs.eipsOf(leave.service, leave.of);
      if (ip !== undefined && eips.every((eip) => told.get(eip)?.includes(ip))) leave.readable = now;
    }
  }

  /**
   * Does what is due.
   *
   * @param limit ms after which nothing is handed over any more
   * @returns whether anything was due
   */
  expire(now: number, limit: number): boolean {
    const { lead, longest, after } = this.#inputs.terms;
    let isAny = false;
    for (const leave of this.#leaves) {
      const { service, since, readable, back } = leave;
      const isOver = now - since >= limit;
      if (
        leave.isAhead &&
        (isOver || now - since >= longest || (readable !== undefined && now - readable >= lead))
      ) {
        leave.isAhead = false;
        isAny = true;
        this.#turned.add(service);
        this.#note(service);
      }
      if (back !== undefined && now - back >= after) {
        const leaves = this.#byService.get(service);
        leaves?.delete(idOf(leave.node, leave.of));
        if (leaves?.size === 0) this.#byService.delete(service);
        this.#forget(leave);
        isAny = true;
      } else if (isOver) {
        // The leave stays by its Service, so that it does not begin again.
        isAny ||= leave.pairs > 0;
        this.#forget(leave);
      }
    }
    return isAny;
  }

  #note(service: string): void {
    const nodes = (of: Family): ReadonlySet<string> => {
      const leaves = [...(this.#byService.get(service)?.values() ?? [])];
      return new Set(leaves.filter((one) => one.of === of && one.isAhead).map(({ node }) => node));
    };
    const ahead = { 4: nodes(4), 6: nodes(6) };
    if (ahead[4].size + ahead[6].size > 0) this.#ahead.set(service, ahead);
    else this.#ahead.delete(service);
  }
}

/** Others get its traffic, and the agents hand its flows over to it. */
function hasLeft({ pairs, isAhead, back }: Leave): boolean {
  return pairs > 0 && !isAhead && back === undefined;
}

function idOf(node: string, of: Family): string {
  return `${node} ${of}`;
}
