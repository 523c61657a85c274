import { type Clock, systemClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { HttpTransport } from './http.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { KubernetesWriter } from './kubernetes-writer.ts';
import { defaultPace, Reflector, type ReflectorPace } from './reflector.ts';
import { Signal } from './signal.ts';
import { ClusterStore, resources, storeCluster } from './store.ts';
import type { Leases, Writer } from './writer.ts';

/** A cluster with a writer. */
export interface KubernetesCluster extends Cluster {
  readonly writer: Writer & Leases;
  /** The address of the API server, `https://192.0.2.1:6443`; undefined: the kubeconfig was not read yet. */
  server(): string | undefined;
}

/** The cluster of an API server; its reflectors run until it is disposed of. */
export function kubernetesCluster(
  access: KubernetesAccess,
  pace: ReflectorPace = defaultPace,
  clock: Clock = systemClock,
): KubernetesCluster {
  const store = new ClusterStore();
  const transport = new HttpTransport(access);
  const stop = new AbortController();
  const recovery = new Signal(() => {});
  const running = Promise.all(
    resources.map((resource) =>
      new Reflector({ resource, transport, store, pace, clock, recovery }).run(stop.signal),
    ),
  );
  const cluster = storeCluster(store, async () => {
    stop.abort();
    await running;
    await transport[Symbol.asyncDispose]();
  });
  return { ...cluster, writer: new KubernetesWriter(transport, store), server: () => transport.server };
}
