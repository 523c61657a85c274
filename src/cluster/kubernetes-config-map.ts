import type { ObjectName } from '../model/cluster.ts';
import { systemClock } from './clock.ts';
import type { ConfigMapPort } from './config-map.ts';
import { ConfigMapStore } from './config-map-store.ts';
import { requestTrouble, troubleText } from './failure.ts';
import { Heartbeat } from './heartbeat.ts';
import { HttpTransport } from './http.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { defaultPace, Reflector, type ReflectorPace, recoverySignal } from './reflector.ts';
import { ApiError } from './transport.ts';

/** ms for a write */
const patience = 5000;

/** All nodes of a cluster may follow one ConfigMap: after an outage they must not ask all at once. */
const gentle: ReflectorPace = { ...defaultPace, longestUnanswered: 10_000 };

/** A ConfigMap of an API server; its reflector runs until it is disposed of. */
export function kubernetesConfigMap(
  access: KubernetesAccess,
  name: ObjectName,
  pace: ReflectorPace = gentle,
): ConfigMapPort {
  const clock = systemClock;
  const store = new ConfigMapStore(name);
  const transport = new HttpTransport(access);
  const stop = new AbortController();
  const recovery = recoverySignal();
  // It asks after a refusal alone: what a dead connection hides is a minute old when the bookmarks stop.
  const heartbeat = new Heartbeat({
    transport,
    clock,
    heard: () => clock.now(),
    answered: () => {},
    ready: () => recovery.notify('ready'),
  });
  const running = new Reflector({ store, transport, pace, clock, recovery, heartbeat }).run(stop.signal);
  return {
    name,
    get state() {
      return store.state;
    },
    changes: (signal) => store.signal.listen(signal),
    set: async (key, value, signal) => {
      const path = `/api/v1/namespaces/${name.namespace}/configmaps/${name.name}`;
      const within = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
      try {
        await transport.send(
          'PATCH',
          path,
          'application/merge-patch+json',
          { data: { [key]: value } },
          within,
        );
        return { kind: 'done' };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof TypeError || error instanceof ReferenceError) throw error;
        if (error instanceof ApiError && error.status === 404) return { kind: 'gone' };
        const isRefused = error instanceof ApiError && error.status === 403;
        const readiness = isRefused ? await heartbeat.ask(signal) : 'ready';
        return {
          kind: 'refused',
          message: troubleText(requestTrouble(error, 'patch configmaps', readiness)),
          answered: error instanceof ApiError,
          everything: true,
          wait: error instanceof ApiError ? error.retryAfter : undefined,
        };
      }
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      await transport[Symbol.asyncDispose]();
    },
  };
}
