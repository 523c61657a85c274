import { statSync } from 'node:fs';
import { unionOf } from '../cluster/clusters.ts';
import { readState } from '../cluster/remembered-state.ts';
import { storeCluster } from '../cluster/store.ts';
import type { GatewayConfig } from '../config/config.ts';
import { rememberedFile, sourcesOf } from '../daemon/source.ts';
import type { Snapshot } from '../model/cluster.ts';

/** The last known state of all clusters, as a gateway left it on disk. */
export interface SavedCluster {
  /** undefined: nothing was saved */
  readonly snapshot: Snapshot | undefined;
  /** ms since the epoch when the oldest part was written; undefined: nothing was saved */
  readonly at: number | undefined;
}

export function savedCluster({
  source,
  stateDirectory,
}: Pick<GatewayConfig, 'source' | 'stateDirectory'>): SavedCluster {
  const found = sourcesOf(source).flatMap(({ name }) => {
    const file = rememberedFile(stateDirectory, name);
    const { state } = readState(file, name);
    return state === undefined ? [] : [{ name, state, at: statSync(file).mtimeMs }];
  });
  if (found.length === 0) return { snapshot: undefined, at: undefined };
  const parts = found.map(({ name = '', state }) => [name, storeCluster(state, async () => {})] as const);
  const [only] = found;
  const snapshot = only?.name === undefined ? only?.state.snapshot() : unionOf(new Map(parts)).snapshot();
  return { snapshot, at: Math.min(...found.map(({ at }) => at)) };
}
