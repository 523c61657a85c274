import type { Cluster } from '../cluster/cluster.ts';
import { type Service, serviceName } from '../model/cluster.ts';

/** The Services that have changed, come or gone, by their keys. */
export interface Delta {
  readonly services: ReadonlySet<string> | 'all';
}

/**
 * What has changed in a cluster since it was last asked for. The one place where this room derives keys from
 * snapshots, by identity: an unchanged Service is the same object.
 */
export class ServiceChanges {
  readonly #cluster: Cluster;
  #seen: readonly Service[] = [];
  readonly #services = new Map<string, Service>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  keys(): Iterable<string> {
    return this.#services.keys();
  }

  take(): Delta {
    const { services } = this.#cluster.snapshot();
    const { changed, gone } = changesBetween(this.#seen, services);
    this.#seen = services;
    for (const key of gone) this.#services.delete(key);
    for (const service of changed) this.#services.set(serviceName(service), service);
    return { services: new Set([...changed.map(serviceName), ...gone]) };
  }
}

/** What two snapshots differ in, by identity. */
interface Changes {
  readonly changed: readonly Service[];
  readonly gone: readonly string[];
}

/** @param before sorted by `namespace/name`, as is `after` */
function changesBetween(before: readonly Service[], after: readonly Service[]): Changes {
  const changed: Service[] = [];
  const gone: string[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const old = before[i];
    const now = after[j];
    if (old === now) {
      i += 1;
      j += 1;
      continue;
    }
    const order = compare(old, now);
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
    if (order < 0 && old) gone.push(serviceName(old));
    else if (now) changed.push(now);
  }
  return { changed, gone };
}

/** What is not there comes last. */
function compare(a: Service | undefined, b: Service | undefined): number {
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  const one = serviceName(a);
  const two = serviceName(b);
  return one < two ? -1 : one > two ? 1 : 0;
}
