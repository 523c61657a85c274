import type { Snapshot } from '../model/cluster.ts';

/** The port to the cluster: Kubernetes or a file; in tests memory (lab/fake). */
export interface Cluster extends AsyncDisposable {
  /** What is known now; cheap, and the same object while nothing has changed. */
  snapshot(): Snapshot;

  /**
   * Yields after every change of the snapshot; changes that pile up while the consumer is busy are one. The
   * content does not travel: ask for the snapshot.
   */
  changes(signal: AbortSignal): AsyncIterable<void>;
}
