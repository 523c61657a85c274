import type { Outcome, ServiceEvent, StatusPatch, Writer } from '../cluster/writer.ts';
import type { Service } from '../model/cluster.ts';

/** Writes each Service to the cluster that it is in. */
export class ClusterWriter implements Writer {
  readonly #writers: ReadonlyMap<string | undefined, Writer>;

  /** @param writers by the name of the cluster; undefined: it is the only one */
  constructor(writers: ReadonlyMap<string | undefined, Writer>) {
    this.#writers = writers;
  }

  finalizer(service: Service, verb: 'add' | 'remove', signal: AbortSignal): Promise<Outcome> {
    return this.#of(service).finalizer(service, verb, signal);
  }

  status(service: Service, patch: StatusPatch, signal: AbortSignal): Promise<Outcome> {
    return this.#of(service).status(service, patch, signal);
  }

  event(service: Service, event: ServiceEvent, signal: AbortSignal): Promise<Outcome> {
    return this.#of(service).event(service, event, signal);
  }

  #of({ cluster }: Service): Writer {
    const writer = this.#writers.get(cluster);
    if (writer === undefined) throw new Error(`no writer of cluster ${cluster}`);
    return writer;
  }
}
