import type { Family } from '../model/ip.ts';
import type { ByFamily } from '../model/probed.ts';

const families: readonly Family[] = [4, 6];
const nobody: ReadonlySet<string> = new Set();
const none: ByFamily = { 4: nobody, 6: nobody };
const noTimes: ReadonlyMap<string, number> = new Map();

interface Entry {
  /** Names of the nodes that have endpoints of the Service. */
  carrying: ByFamily;
  /** Names of those that have none any more, and since when, in ms; undefined: none has lost any yet. */
  left: Readonly<Record<Family, Map<string, number>>> | undefined;
  /** The names of `left`; another object whenever these change. */
  former: ByFamily;
}

/**
 * Which nodes had endpoints of a Service under Local until lately, and no node has come to the others since. These cover
 * for them, so that no flow of theirs moves when a pod is gone for a moment.
 */
export class FormerCarriers {
  readonly #entries = new Map<string, Entry>();
  readonly #leaving = new Set<string>();
  #turned = new Set<string>();

  /** Those of the Service `namespace/name`. A node whose endpoints are back may be among them. */
  of(service: string): ByFamily {
    return this.#entries.get(service)?.former ?? none;
  }

  /** Those of {@link of} in one family, with the time since when they have no endpoints, in ms. */
  since(service: string, of: Family): ReadonlyMap<string, number> {
    return this.#entries.get(service)?.left?.[of] ?? noTimes;
  }

  /** The Services of which nodes were forgotten since the last call. */
  takeTurned(): ReadonlySet<string> {
    const turned = this.#turned;
    if (turned.size > 0) this.#turned = new Set();
    return turned;
  }

  /** Whether time alone changes nothing. */
  get isIdle(): boolean {
    return this.#leaving.size === 0;
  }

  /**
   * Notes the nodes that have endpoints of a Service now.
   *
   * @param carrying undefined: it is gone, or not under Local
   * @param now ms
   */
  read(service: string, carrying: ByFamily | undefined, now: number): void {
    const entry = this.#entries.get(service);
    if (carrying === undefined) {
      if (entry === undefined) return;
      this.#entries.delete(service);
      this.#leaving.delete(service);
      return;
    }
    if (entry === undefined) {
      this.#entries.set(service, { carrying, left: undefined, former: none });
      return;
    }
    entry.left ??= { 4: new Map(), 6: new Map() };
    let isOther = false;
    for (const of of families) {
      const [before, left] = [entry.carrying[of], entry.left[of]];
      // With a node that comes to them the parts are others anyway, and flows move.
      if (!carrying[of].isSubsetOf(before.union(new Set(left.keys())))) {
        isOther ||= left.size > 0;
        left.clear();
        continue;
      }
      for (const node of before.difference(carrying[of])) {
        isOther ||= !left.has(node);
        left.set(node, now);
      }
    }
    entry.carrying = carrying;
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
    for (const service of this.#leaving) {
      const entry = this.#entries.get(service);
      if (entry?.left === undefined) continue;
      let isOther = false;
      for (const of of families) {
        for (const [node, since] of entry.left[of])
          if (now - since >= limit) isOther = entry.left[of].delete(node) || isOther;
      }
      if (!isOther) continue;
      this.#note(service, entry);
      this.#turned.add(service);
      isAny = true;
    }
    return isAny;
  }

  #note(service: string, entry: Entry): void {
    const { left } = entry;
    if (left === undefined) return;
    entry.former = { 4: new Set(left[4].keys()), 6: new Set(left[6].keys()) };
    if (left[4].size + left[6].size > 0) this.#leaving.add(service);
    else this.#leaving.delete(service);
  }
}
