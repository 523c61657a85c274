import { systemClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { Heartbeat } from './heartbeat.ts';
import { HttpTransport } from './http.ts';
import { apiPeer } from './kubeconfig.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { KubernetesWriter } from './kubernetes-writer.ts';
import { defaultPace, Reflector, type ReflectorPace, recoverySignal } from './reflector.ts';
import { ClusterStore, resources, storeCluster } from './store.ts';
import type { Leases, Writer } from './writer.ts';

/** A cluster with a writer. */
export interface KubernetesCluster extends Cluster {
  readonly writer: Writer & Leases;
  /** The address of the API server, `https://192.0.2.1:6443`; undefined: the kubeconfig was not read yet. */
  server(): string | undefined;
  /** When the credentials end, in ms since the epoch; undefined: they do not say. */
  credentialsEnd(): number | undefined;
  /** Yields when the API server is there again after an outage. */
  recoveries(signal: AbortSignal): AsyncIterable<unknown>;
}

/**
 * The cluster of an API server; its reflectors run until it is disposed of.
 *
 * @param access with the name of the cluster; absent: there is one, without a name
 */
export function kubernetesCluster(
  access: KubernetesAccess & { readonly name?: string },
  pace: ReflectorPace = defaultPace,
): KubernetesCluster {
  const store = new ClusterStore(access.name);
  const clock = systemClock;
  const transport = new HttpTransport(access, (entry) => {
    store.apiAt(apiPeer(entry));
    store.notify();
  });
  const stop = new AbortController();
  const recovery = recoverySignal();
  const heartbeat = new Heartbeat({
    transport,
    clock,
    heard: () => Math.max(...resources.map((resource) => store.feed(resource).heard ?? 0)),
    answered: () => {
      for (const reflector of reflectors) reflector.answered();
    },
    ready: () => recovery.notify('ready'),
  });
  const reflectors = resources.map(
    (resource) => new Reflector({ store: store.of(resource), transport, pace, clock, recovery, heartbeat }),
  );
  const running = Promise.all([
    heartbeat.run(stop.signal),
    ...reflectors.map((reflector) => reflector.run(stop.signal)),
  ]);
  const cluster = storeCluster(store, async () => {
    stop.abort();
    await running;
    await transport[Symbol.asyncDispose]();
  });
  return {
    ...cluster,
    writer: new KubernetesWriter(transport, store, heartbeat),
    server: () => transport.server,
    credentialsEnd: () => transport.credentialsEnd,
    recoveries: (signal) => recovery.listen(signal),
  };
}
