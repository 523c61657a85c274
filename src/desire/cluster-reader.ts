import type { Overview, Service, Snapshot } from '../model/cluster.ts';

/** The part of the cluster that the tables read. */
export interface ClusterReader {
  /** @param key `namespace/name` */
  service(key: string): Service | undefined;
  services(): Iterable<Service>;
  overview(): Overview;
}

/** A snapshot as the input of a table. */
export function readerOf(snapshot: Snapshot): ClusterReader {
  const services = new Map(snapshot.services.map((service) => [service.key, service]));
  return {
    service: (key) => services.get(key),
    services: () => services.values(),
    overview: () => snapshot,
  };
}
