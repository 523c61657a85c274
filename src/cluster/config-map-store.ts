import { isDeepStrictEqual } from 'node:util';
import type { ObjectName } from '../model/cluster.ts';
import type { ConfigMap, ConfigMapState, ConfigMapTrouble } from './config-map.ts';
import { configMapTrouble } from './failure.ts';
import type { Heartbeat } from './heartbeat.ts';
import { part } from './raw.ts';
import type { ReflectorStore } from './reflector.ts';
import { Signal } from './signal.ts';
import { ApiError } from './transport.ts';
import { uidOf } from './versions.ts';

/** Keeps one ConfigMap for its reflector, and tells who listens what has changed. */
export class ConfigMapStore implements ReflectorStore {
  readonly of: ObjectName;
  readonly signal = new Signal(() => {});
  #state: ConfigMapState = { synced: false, object: undefined, trouble: undefined };
  /** The state was changed, and nobody was told yet. */
  #isNew = false;

  constructor(of: ObjectName) {
    this.of = of;
  }

  get state(): ConfigMapState {
    return this.#state;
  }

  isSynced(): boolean {
    return this.#state.synced;
  }

  set(object: unknown): void {
    this.#change({ object: configMapOf(object) });
  }

  delete(): void {
    this.#change({ object: undefined });
  }

  replacement(): { add(raw: unknown): void; commit(): Iterator<void> } {
    let listed: ConfigMap | undefined;
    const change = (): void => this.#change({ object: listed, synced: true });
    return {
      add: (raw) => {
        listed = configMapOf(raw);
      },
      commit: () => {
        change();
        return [].values();
      },
    };
  }

  async commit(replacement: ReturnType<ConfigMapStore['replacement']>): Promise<void> {
    replacement.commit().next();
  }

  heard(): void {}

  works(): void {
    this.#change({ trouble: undefined });
  }

  fails(error: unknown, readiness: Awaited<ReturnType<Heartbeat['ask']>>): void {
    const trouble: ConfigMapTrouble = {
      ...configMapTrouble(error, this.of, readiness),
      answered: error instanceof ApiError,
    };
    this.#change({ trouble });
  }

  notify(): void {
    if (!this.#isNew) return;
    this.#isNew = false;
    this.signal.notify();
  }

  #change(change: Partial<ConfigMapState>): void {
    const next = { ...this.#state, ...change };
    if (isDeepStrictEqual(next, this.#state)) return;
    this.#state = next;
    this.#isNew = true;
  }
}

/** @param raw a v1 ConfigMap as JSON */
function configMapOf(raw: unknown): ConfigMap {
  const data: object = part(part(raw).data);
  const entries = Object.entries(data).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return { uid: uidOf(raw) ?? '', data: new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1))) };
}
