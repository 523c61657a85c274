import type { Cluster } from '../cluster/cluster.ts';
import type { Delta, Service } from '../model/cluster.ts';

/**
 * The Services as of the last {@link take}. They do not change in between, so that a decision and its inputs stay
 * consistent.
 */
export class ServiceChanges {
  readonly #cluster: Pick<Cluster, 'service' | 'services'>;
  readonly #services = new Map<string, Service>();
  #pending: Set<string> | 'all' = 'all';

  constructor(cluster: Pick<Cluster, 'service' | 'services'>) {
    this.#cluster = cluster;
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  keys(): Iterable<string> {
    return this.#services.keys();
  }

  /** Notes changed Services, to be read later. */
  note({ services }: Delta): void {
    if (services === 'all') this.#pending = 'all';
    else if (this.#pending !== 'all') for (const key of services) this.#pending.add(key);
  }

  noteAll(): void {
    this.#pending = 'all';
  }

  /** Reads the Services that have changed since the last call; returns their keys. */
  take(): ReadonlySet<string> {
    const pending = this.#pending;
    this.#pending = new Set();
    const keys = pending === 'all' ? this.#allKeys() : pending;
    const changed = new Set<string>();
    for (const key of keys) {
      const service = this.#cluster.service(key);
      if (service === this.#services.get(key)) continue;
      changed.add(key);
      if (service === undefined) this.#services.delete(key);
      else this.#services.set(key, service);
    }
    return changed;
  }

  #allKeys(): ReadonlySet<string> {
    const keys = new Set(this.#services.keys());
    for (const service of this.#cluster.services()) keys.add(service.key);
    return keys;
  }
}
