import type { ClusterReader } from '../desire/cluster-reader.ts';
import { clusterOf, type Service } from '../model/cluster.ts';
import type { ServiceChange } from '../probe/service-change.ts';

/** Which Services are read: by their keys, or all. */
export interface Reading {
  readonly keys: ReadonlySet<string> | 'all';
  readonly cluster: Pick<ClusterReader, 'service' | 'services'>;
  /** @param cluster the name of the one that the Service belongs to */
  readonly how: (cluster: string | undefined) => ServiceChange['how'];
}

/** The Services as they were last read. */
export class KnownServices {
  #services = new Map<string, Service>();

  /** @param key `namespace/name` */
  get(key: string): Service | undefined {
    return this.#services.get(key);
  }

  /** Reads Services again, and visits those that are others than before, and those that are not there. */
  read({ keys, cluster, how }: Reading, visit: (change: ServiceChange) => void): void {
    const known = this.#services;
    if (keys !== 'all') {
      for (const key of keys) {
        const before = known.get(key);
        const after = cluster.service(key);
        if (after === undefined) known.delete(key);
        else if (after === before) continue;
        else known.set(key, after);
        visit({ key, before, after, how: how(clusterOf(key)) });
      }
      return;
    }
    const services = new Map<string, Service>();
    this.#services = services;
    for (const after of cluster.services()) {
      const { key } = after;
      services.set(key, after);
      const before = known.get(key);
      if (after !== before) visit({ key, before, after, how: how(after.cluster) });
    }
    for (const [key, before] of known)
      if (!services.has(key)) visit({ key, before, after: undefined, how: how(clusterOf(key)) });
  }
}
