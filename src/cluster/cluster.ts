import type { Delta, Overview, Service, Snapshot } from '../model/cluster.ts';

/**
 * The port to the cluster: Kubernetes or a file; in tests a fake (lab/fake).
 *
 * Everything that is read shows one state: a list that replaces many objects takes effect at once for every reader,
 * after it has come in whole.
 */
export interface Cluster extends AsyncDisposable {
  /**
   * The whole state, and the same object while nothing has changed. After a change it costs time in proportion to
   * all Services: it is for commands, tests and full recomputes.
   */
  snapshot(): Snapshot;

  /**
   * One Service, in constant time.
   *
   * @param key `namespace/name`
   */
  service(key: string): Service | undefined;

  /** All Services, in no order and without a copy: not to be iterated across an `await`. */
  services(): Iterable<Service>;

  /** All but the Services; constant time unless Nodes or problems have changed. */
  overview(): Overview;

  /**
   * Yields what has changed since the call or the last yield; changes are merged while the consumer is busy. An empty
   * set of Services is yielded when only feeds, problems or `complete` have changed.
   */
  changes(signal: AbortSignal): AsyncIterable<Delta>;
}
