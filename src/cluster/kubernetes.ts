import { type Clock, systemClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { HttpTransport } from './http.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { KubernetesWriter } from './kubernetes-writer.ts';
import { defaultPace, Reflector, type ReflectorPace } from './reflector.ts';
import { resources, Store } from './store.ts';
import type { Leases, Writer } from './writer.ts';

/** A cluster that can be written as well. */
export interface KubernetesCluster extends Cluster {
  readonly writer: Writer & Leases;
}

/** The cluster as its API server tells it; starts at once and runs until it is disposed of. */
export function kubernetesCluster(
  access: KubernetesAccess,
  pace: ReflectorPace = defaultPace,
  clock: Clock = systemClock,
): KubernetesCluster {
  const store = new Store();
  const transport = new HttpTransport(access);
  const stop = new AbortController();
  const running = Promise.all(
    resources.map((resource) => new Reflector(resource, transport, store, pace, clock).run(stop.signal)),
  );
  return {
    writer: new KubernetesWriter(transport, store),
    snapshot: () => store.snapshot(),
    changes: (signal) => store.pulse.beats(signal),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await transport[Symbol.asyncDispose]();
    },
  };
}
