import type { ReadService, Service } from '../model/cluster.ts';
import type { ClusterReader } from './cluster-reader.ts';

/** The Services as they were last read. The probe and the desire of a gateway act on the same ones. */
export class ServiceTable {
  #services: Map<string, Service> | undefined;

  /** @param key `namespace/name` */
  get(key: string): Service | undefined {
    return this.#services?.get(key);
  }

  /** In no order. */
  values(): Iterable<Service> {
    return this.#services?.values() ?? [];
  }

  /**
   * Reads Services again; the first time all of them.
   *
   * @returns those that are others than before, and those that are not there
   */
  read(keys: ReadonlySet<string> | 'all', cluster: ClusterReader): readonly ReadService[] {
    const known = this.#services;
    if (known === undefined || keys === 'all') return this.#readAll(known ?? new Map(), cluster);
    const read: ReadService[] = [];
    for (const key of keys) {
      const before = known.get(key);
      const after = cluster.service(key);
      if (after === undefined) known.delete(key);
      else if (after === before) continue;
      else known.set(key, after);
      read.push({ key, before, after });
    }
    return read;
  }

  #readAll(known: ReadonlyMap<string, Service>, cluster: ClusterReader): readonly ReadService[] {
    const services = new Map<string, Service>();
    this.#services = services;
    const read: ReadService[] = [];
    for (const after of cluster.services()) {
      const { key } = after;
      services.set(key, after);
      const before = known.get(key);
      if (after !== before) read.push({ key, before, after });
    }
    for (const [key, before] of known) if (!services.has(key)) read.push({ key, before, after: undefined });
    return read;
  }
}
