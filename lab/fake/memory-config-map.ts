import type { ConfigMapPort } from '../../src/cluster/config-map.ts';
import { ConfigMapStore } from '../../src/cluster/config-map-store.ts';
import type { Outcome } from '../../src/cluster/writer.ts';
import type { ObjectName } from '../../src/model/cluster.ts';

/** A ConfigMap that holds what it is told. */
export interface MemoryConfigMap extends ConfigMapPort {
  /** Makes or replaces the object, as a watch would show it; undefined: it is deleted. */
  put(object: { readonly uid: string; readonly data: Readonly<Record<string, string>> } | undefined): void;
  /** It cannot be read any more, for this reason. */
  fail(error: Error): void;
  /** What was written, in order: `key=value`. */
  readonly writes: readonly string[];
  /** Writes are not shown before {@link release}, as by a watch that lags. */
  hold(): void;
  release(): void;
  /** The answer to the next writes; undefined: they succeed. */
  refuse(outcome: Outcome | undefined): void;
}

/** Nothing is known of it before the first `put`. */
export function memoryConfigMap(name: ObjectName): MemoryConfigMap {
  const store = new ConfigMapStore(name);
  const writes: string[] = [];
  let refusal: Outcome | undefined;
  let held: (() => void)[] | undefined;
  const show: MemoryConfigMap['put'] = (object) => {
    const list = store.replacement();
    if (object) list.add({ metadata: { uid: object.uid }, data: object.data });
    list.commit().next();
    store.works();
    store.notify();
  };
  return {
    name,
    get state() {
      return store.state;
    },
    changes: (signal) => store.signal.listen(signal),
    set: async (key, value) => {
      if (refusal) return refusal;
      const { object } = store.state;
      if (object === undefined) return { kind: 'gone' };
      writes.push(`${key}=${value}`);
      const data = { ...Object.fromEntries(object.data), [key]: value };
      const shown = (): void => show({ uid: object.uid, data });
      if (held === undefined) shown();
      else held.push(shown);
      return { kind: 'done' };
    },
    put: show,
    fail: (error) => {
      store.fails(error, 'ready');
      store.notify();
    },
    writes,
    hold: () => {
      held = [];
    },
    release: () => {
      for (const shown of held ?? []) shown();
      held = undefined;
    },
    refuse: (outcome) => {
      refusal = outcome;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
