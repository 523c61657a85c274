import type { Candidates } from '../desire/carriers.ts';
import type { Node, Service } from '../model/cluster.ts';
import { type Family, family } from '../model/ip.ts';
import type { ByFamily, FormerNodes } from '../model/probed.ts';
import { FormerCarriers } from '../probe/former-carriers.ts';
import { FormerNodeTable } from '../probe/former-nodes.ts';
import type { Kept } from '../probe/kept.ts';
import type { ServiceChange } from '../probe/service-change.ts';
import { carrying, carryingNodes } from './carrying.ts';

export interface CoveringSources {
  /** ms after which a node is covered for no longer */
  readonly limit: () => number;
  /** ms that this program ran */
  readonly now: () => number;
}

/** Services of which a restart finds again who carried; each takes some 150 bytes of a file that is written once a second. */
const mostKept = 1000;

/** Which nodes carried until lately, so that others cover for them: {@link FormerCarriers}, {@link FormerNodeTable}. */
export class Covering {
  readonly #sources: CoveringSources;
  readonly #carriers = new FormerCarriers();
  readonly #nodes = new FormerNodeTable();

  constructor(sources: CoveringSources) {
    this.#sources = sources;
  }

  /** Whether time alone changes nothing. */
  get isIdle(): boolean {
    return this.#carriers.isIdle && this.#nodes.isIdle;
  }

  /** See {@link FormerNodeTable.current}. */
  get nodes(): FormerNodes {
    return this.#nodes.current;
  }

  /** See {@link FormerCarriers.of}. */
  of(service: string): ByFamily {
    return this.#carriers.of(service);
  }

  /** See {@link FormerCarriers.takeTurned}. */
  takeTurned(): ReadonlySet<string> {
    return this.#carriers.takeTurned();
  }

  readNodes(nodes: readonly Node[], candidates: Candidates): void {
    this.#nodes.read(nodes, carryingNodes(candidates), this.#sources.now());
  }

  readService({ key, before, after }: ServiceChange): void {
    // Nobody has carried it before.
    if (before === undefined && !this.#carriers.isLeft(key)) return;
    this.#carriers.read(key, before && carrying(before), after && carrying(after), this.#sources.now());
  }

  /** Forgets the nodes that went too long ago. @returns whether there were any */
  expire(): boolean {
    const { now, limit } = this.#sources;
    const isCarrier = !this.#carriers.isIdle && this.#carriers.expire(now(), limit());
    const isNode = !this.#nodes.isIdle && this.#nodes.expire(now(), limit());
    return isCarrier || isNode;
  }

  /** The nodes that the others cover for at a Service, by name, with the time since when they carry no more, in ms. */
  since(service: Service, of: Family): ReadonlyMap<string, number> {
    const { key, cluster, externalTrafficPolicy } = service;
    if (externalTrafficPolicy === 'Cluster') return this.#nodes.since(cluster, of);
    return new Map([...this.#deletedUnder(service, of), ...this.#carriers.since(key, of)]);
  }

  /** Nodes that were deleted while endpoints of a Service are listed there still, and when. */
  #deletedUnder({ endpoints }: Service, of: Family): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    if (this.#nodes.current.deleted.size === 0) return found;
    for (const { ip, node } of endpoints) {
      const at = node !== undefined && family(ip) === of ? this.#nodes.deletedAt(node) : undefined;
      if (node !== undefined && at !== undefined) found.set(node, at);
    }
    return found;
  }

  /** What a restart must not lose. */
  kept(): Kept {
    const now = this.#sources.now();
    return { services: this.#carriers.kept(now, mostKept), ...this.#nodes.kept(now) };
  }

  /** Another number whenever {@link kept} returns something else than that time has passed. */
  get changes(): number {
    return this.#carriers.changes + this.#nodes.changes;
  }

  /** Goes on with what was {@link kept} before a restart; to be called before the first round. */
  recall(kept: Kept): void {
    const now = this.#sources.now();
    this.#carriers.recall(kept.services, now);
    this.#nodes.recall(kept, now);
    this.expire();
  }
}
