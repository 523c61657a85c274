import { changeObject, type KernelObject, type Key } from '../model/object.ts';
import type { PlannedChange } from './report.ts';

/** What was withdrawn within a window of time and has not come back, as the guard counts it. */
export interface Withdrawn {
  /** Keys of routes, each with the Service that lost it. */
  readonly routes: ReadonlyMap<Key, string>;
  /** Addresses of nexthops. */
  readonly nexthops: ReadonlySet<string>;
}

export const nothingWithdrawn: Withdrawn = { routes: new Map(), nexthops: new Set() };

/**
 * Remembers what the guard let go although the cluster does not show why. A controller that deletes one object after
 * the other is judged like one that deletes them all at once.
 */
export class Withdrawals {
  readonly #routes = new Map<Key, { readonly at: number; readonly service: string }>();
  readonly #nexthops = new Map<string, number>();

  /** @param at ms since the epoch */
  note(done: readonly PlannedChange[], isDoubtful: (one: PlannedChange) => boolean, at: number): void {
    for (const one of done) {
      const object = changeObject(one);
      if (one.verb !== 'delete') this.#restored(object, one);
      else if (!isDoubtful(one)) continue;
      else if (object.kind === 'route') this.#routes.set(one.key, { at, service: serviceOf(one) });
      else if (object.kind === 'nexthop') this.#nexthops.set(object.via, at);
    }
  }

  /** Since then, both in ms since the epoch. What is older is forgotten. */
  since(start: number): Withdrawn {
    if (this.#routes.size === 0 && this.#nexthops.size === 0) return nothingWithdrawn;
    for (const [key, { at }] of this.#routes) if (at < start) this.#routes.delete(key);
    for (const [via, at] of this.#nexthops) if (at < start) this.#nexthops.delete(via);
    return {
      routes: new Map([...this.#routes].map(([key, { service }]) => [key, service])),
      nexthops: new Set(this.#nexthops.keys()),
    };
  }

  forget(): void {
    this.#routes.clear();
    this.#nexthops.clear();
  }

  #restored(object: KernelObject, { key, verb }: PlannedChange): void {
    if (verb !== 'add') return;
    if (object.kind === 'route') this.#routes.delete(key);
    else if (object.kind === 'nexthop') this.#nexthops.delete(object.via);
  }
}

/** One Service may hold many EIPs, of both families. */
export function serviceOf({ key, why }: PlannedChange): string {
  return why.services?.join() ?? key;
}
