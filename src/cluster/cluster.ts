import type { Delta, Overview, Service, Snapshot } from '../model/cluster.ts';

/**
 * The port to the cluster: Kubernetes or a file; in tests a fake (lab/fake).
 *
 * All readers show the same state. A list that replaces many objects becomes visible at once, when it is complete.
 */
export interface Cluster extends AsyncDisposable {
  /**
   * The whole state; the same object while nothing has changed. After a change it takes time proportional to the
   * number of Services, so it is meant for commands, tests and full recomputes.
   */
  snapshot(): Snapshot;

  /**
   * One Service, in constant time.
   *
   * @param key `namespace/name`
   */
  service(key: string): Service | undefined;

  /** Iterates all Services without a copy, in no order. The iteration must not span an `await`. */
  services(): Iterable<Service>;

  /** Everything but the Services, in constant time unless Nodes or problems have changed. */
  overview(): Overview;

  /**
   * Yields what has changed since the call or the last yield; changes are merged while the consumer is busy. An empty
   * set of Services is yielded when only feeds, problems or `complete` have changed.
   */
  changes(signal: AbortSignal): AsyncIterable<Delta>;
}
