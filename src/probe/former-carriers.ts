import { type Family, families } from '../model/ip.ts';
import { type ByFamily, nobodyByFamily } from '../model/probed.ts';
import { sameSet } from '../model/same-items.ts';
import type { KeptCarriers } from './kept.ts';

const noTimes: ReadonlyMap<string, number> = new Map();

type Left = Readonly<Record<Family, Map<string, number>>>;

/** A Service that nodes have left. */
interface Entry {
  /** Names of the nodes that have endpoints of the Service. */
  carrying: ByFamily;
  /** Names of those that have none any more, and since when, in ms. */
  readonly left: Left;
  /** The names of `left`; another object whenever these change. */
  former: ByFamily;
}

/**
 * Which nodes had endpoints of a Service under Local until lately, and no node has come to the others since. These cover
 * for them, so that no flow of theirs moves when a pod is gone for a moment.
 */
export class FormerCarriers {
  readonly #entries = new Map<string, Entry>();
  #turned = new Set<string>();
  /** From before the start, of Services that were not read yet. */
  readonly #recalled = new Map<string, Entry>();
  #changes = 0;

  /** Another number whenever {@link kept} returns something else than that time has passed. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * What a restart must not lose.
   *
   * @param most Services; those beyond are forgotten
   */
  kept(now: number, most = Number.POSITIVE_INFINITY): ReadonlyMap<string, KeptCarriers> {
    const kept = new Map<string, KeptCarriers>();
    for (const [service, { carrying, left }] of [...this.#recalled, ...this.#entries]) {
      if (kept.size >= most) break;
      const ages = (of: Family): ReadonlyMap<string, number> =>
        new Map([...left[of]].map(([node, since]) => [node, Math.round(now - since)]));
      kept.set(service, {
        carrying: { 4: [...carrying[4]], 6: [...carrying[6]] },
        left: { 4: ages(4), 6: ages(6) },
      });
    }
    return kept;
  }

  /** Goes on with what was {@link kept} before a restart: what has changed since is seen as if it changed now. */
  recall(kept: ReadonlyMap<string, KeptCarriers>, now: number): void {
    for (const [service, { carrying, left }] of kept) {
      const times = (of: Family): Map<string, number> =>
        new Map([...left[of]].map(([node, ms]) => [node, now - ms]));
      this.#recalled.set(service, {
        carrying: { 4: new Set(carrying[4]), 6: new Set(carrying[6]) },
        left: { 4: times(4), 6: times(6) },
        former: nobodyByFamily,
      });
    }
  }

  /** Those of the Service `namespace/name`. A node whose endpoints are back may be among them. */
  of(service: string): ByFamily {
    return this.#entries.get(service)?.former ?? nobodyByFamily;
  }

  /** Those of {@link of} in one family, with the time since when they have no endpoints, in ms. */
  since(service: string, of: Family): ReadonlyMap<string, number> {
    return this.#entries.get(service)?.left[of] ?? noTimes;
  }

  /** The Services of which nodes were forgotten since the last call. */
  takeTurned(): ReadonlySet<string> {
    const turned = this.#turned;
    if (turned.size > 0) this.#turned = new Set();
    return turned;
  }

  /** Whether time alone changes nothing. */
  get isIdle(): boolean {
    return this.#entries.size === 0 && this.#recalled.size === 0;
  }

  /** Whether nodes have left the Service `namespace/name`, also before the start. */
  isLeft(service: string): boolean {
    return this.#entries.has(service) || this.#recalled.has(service);
  }

  /**
   * Notes the nodes that have endpoints of a Service.
   *
   * @param before as of the last time; undefined: it was not there, or not under Local
   * @param carrying now; undefined: it is gone, or not under Local
   * @param now ms
   */
  read(service: string, before: ByFamily | undefined, carrying: ByFamily | undefined, now: number): void {
    const known = this.#entries.get(service) ?? this.#takeRecalled(service);
    if (carrying === undefined) {
      if (this.#entries.delete(service)) this.#changes += 1;
      return;
    }
    const carried = known?.carrying ?? before;
    if (carried === undefined) return;
    const entry = known ?? { carrying, left: { 4: new Map(), 6: new Map() }, former: nobodyByFamily };
    let isOther = false;
    for (const of of families) {
      const [former, left] = [carried[of], entry.left[of]];
      // With a node that comes to them the parts are others anyway, and flows move.
      if (!carrying[of].isSubsetOf(former.union(new Set(left.keys())))) {
        isOther ||= left.size > 0;
        left.clear();
        continue;
      }
      for (const node of former.difference(carrying[of])) {
        isOther ||= !left.has(node);
        left.set(node, now);
      }
    }
    entry.carrying = carrying;
    const isSame = families.every((of) => sameSet(carried[of], carrying[of]));
    if (isOther || (known !== undefined && !isSame)) this.#changes += 1;
    if (isOther) this.#note(service, entry);
  }

  /**
   * Forgets those that left too long ago.
   *
   * @param limit ms
   * @returns whether there were any
   */
  expire(now: number, limit: number): boolean {
    let isAny = false;
    for (const [service, { left }] of this.#recalled) {
      for (const of of families)
        for (const [node, since] of left[of]) if (now - since >= limit) left[of].delete(node);
      if (left[4].size + left[6].size === 0) this.#recalled.delete(service);
    }
    for (const [service, entry] of this.#entries) {
      let isOther = false;
      for (const of of families) {
        for (const [node, since] of entry.left[of])
          if (now - since >= limit) isOther = entry.left[of].delete(node) || isOther;
      }
      if (!isOther) continue;
      this.#note(service, entry);
      this.#turned.add(service);
      this.#changes += 1;
      isAny = true;
    }
    return isAny;
  }

  #takeRecalled(service: string): Entry | undefined {
    const recalled = this.#recalled.get(service);
    if (recalled === undefined) return undefined;
    this.#recalled.delete(service);
    this.#note(service, recalled);
    return recalled;
  }

  #note(service: string, entry: Entry): void {
    const { left } = entry;
    entry.former = { 4: new Set(left[4].keys()), 6: new Set(left[6].keys()) };
    if (left[4].size + left[6].size > 0) this.#entries.set(service, entry);
    else this.#entries.delete(service);
  }
}
