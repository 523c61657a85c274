import type { Family, Ip } from './ip.ts';

/** What the gateway has seen of the nodes by itself: an input of the desire. */
export interface Probed {
  /**
   * Addresses of nodes that do not answer. No group leads there while one of its other nodes answers. The same set as
   * long as nothing in it changes.
   */
  readonly silent: ReadonlySet<Ip>;
  /**
   * Nodes that get no traffic of a Service yet, by their names.
   *
   * @param service `namespace/name`
   */
  waiting(service: string): Waiting;
  /** The Services that began or ceased to wait for a node since the last call: `namespace/name`. */
  takeTurned(): ReadonlySet<string>;
}

/** Nodes whose kube-proxy has not said yet that it serves the Service. Each family has rules of its own. */
export type Waiting = Readonly<Record<Family, ReadonlySet<string>>>;

const nobody: ReadonlySet<string> = new Set();

export const noneWaiting: Waiting = { 4: nobody, 6: nobody };

/** Without a probe every node answers, and none waits. */
export const unprobed: Probed = { silent: new Set(), waiting: () => noneWaiting, takeTurned: () => nobody };
