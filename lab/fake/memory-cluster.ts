import type { Cluster } from '../../src/cluster/cluster.ts';
import { resourceOf } from '../../src/cluster/raw.ts';
import { ClusterStore, resources, storeCluster } from '../../src/cluster/store.ts';
import type { Resource } from '../../src/model/cluster.ts';

/** A cluster that holds what it is told; every call is one change. */
export interface MemoryCluster extends Cluster {
  /**
   * Adds or replaces a Service, EndpointSlice or Node, given as JSON of the API.
   *
   * @throws TypeError when it is of another kind
   */
  set(...objects: readonly unknown[]): void;
  /** Deletes the same; only kind, name and namespace need to be there. */
  delete(...objects: readonly unknown[]): void;
  /** All lists are in; before that the snapshot is not complete. */
  complete(): void;
  /** A resource is not heard of any more, and why; undefined: it is. */
  trouble(resource: Resource, text: string | undefined): void;
}

/**
 * Starts empty and not complete.
 *
 * @param name absent: there is one cluster, without a name
 */
export function memoryCluster(now: () => number = Date.now, name?: string): MemoryCluster {
  const store = new ClusterStore(name);
  const indexOf = (object: unknown) => {
    const resource = resourceOf(object);
    if (resource === undefined)
      throw new TypeError(`no Service, EndpointSlice or Node: ${JSON.stringify(object)}`);
    store.heard(resource, now());
    return store.indexes[resource];
  };
  return {
    ...storeCluster(store, async () => {}),
    set(...objects) {
      for (const object of objects) indexOf(object).set(object);
      store.notify();
    },
    delete(...objects) {
      for (const object of objects) indexOf(object).delete(object);
      store.notify();
    },
    complete() {
      for (const resource of resources) {
        store.heard(resource, now());
        store.state(resource, { synced: true, trouble: undefined });
      }
      store.notify();
    },
    trouble(resource, text) {
      store.state(resource, { trouble: text });
      store.notify();
    },
  };
}
