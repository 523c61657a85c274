import type { Cluster } from '../../src/cluster/cluster.ts';
import type { Snapshot } from '../../src/model/cluster.ts';
import { late } from '../patience.ts';

/** The first snapshot for which something holds; fails in the end with what it saw last. */
export async function until(cluster: Cluster, holds: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
  const stop = new AbortController();
  try {
    const changes = cluster.changes(AbortSignal.any([late(), stop.signal]));
    if (holds(cluster.snapshot())) return cluster.snapshot();
    for await (const _ of changes) {
      const snapshot = cluster.snapshot();
      if (holds(snapshot)) return snapshot;
    }
    throw new Error(`it never came to that; at last: ${JSON.stringify(cluster.snapshot())}`);
  } finally {
    stop.abort();
  }
}

export function troubles({ feeds }: Snapshot): string {
  return feeds.map(({ trouble }) => trouble ?? '').join('\n');
}
