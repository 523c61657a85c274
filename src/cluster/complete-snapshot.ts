import type { Feed, Snapshot } from '../model/cluster.ts';
import type { Cluster } from './cluster.ts';

/**
 * The first complete snapshot of a cluster.
 *
 * @param patience ms
 * @returns undefined when every list that is missing has failed, or the patience is over; the feeds say why
 */
export async function completeSnapshot(
  cluster: Cluster,
  patience: number,
  signal: AbortSignal,
): Promise<Snapshot | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const changes = cluster.changes(limit);
  if (cluster.snapshot().complete) return cluster.snapshot();
  try {
    for await (const _ of changes) {
      if (cluster.snapshot().complete) return cluster.snapshot();
      if (unsynced(cluster).every(({ trouble }) => trouble !== undefined)) break;
    }
  } catch (error) {
    if (!limit.aborted) throw error;
  }
  signal.throwIfAborted();
  return undefined;
}

/** The lists that are missing. */
export function unsynced(cluster: Cluster): readonly Feed[] {
  return cluster.snapshot().feeds.filter(({ synced }) => !synced);
}
