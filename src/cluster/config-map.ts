import type { ObjectName } from '../model/cluster.ts';
import type { Trouble } from './failure.ts';
import type { Outcome } from './writer.ts';

/** A ConfigMap as it is in the cluster. */
export interface ConfigMap {
  /** Another one after it was deleted and made again. */
  readonly uid: string;
  readonly data: ReadonlyMap<string, string>;
}

/** What is known of a ConfigMap. */
export interface ConfigMapState {
  /** It was read once; false: nothing is known of it. */
  readonly synced: boolean;
  /** As it was read last; undefined: there is none. */
  readonly object: ConfigMap | undefined;
  /** Why it cannot be read now; undefined: it can. */
  readonly trouble: ConfigMapTrouble | undefined;
}

export interface ConfigMapTrouble extends Trouble {
  /** The API server has answered: it is no trouble of the way there. */
  readonly answered: boolean;
}

/** The port to one ConfigMap. It is followed until it is disposed of. */
export interface ConfigMapPort extends AsyncDisposable {
  readonly name: ObjectName;
  /** The same object as long as nothing has changed. */
  readonly state: ConfigMapState;
  /** Yields when the state has changed since the call or the last yield. */
  changes(signal: AbortSignal): AsyncIterable<unknown>;
  /** Sets the value of one key, and leaves the others. The state shows it when the watch does. */
  set(key: string, value: string, signal: AbortSignal): Promise<Outcome>;
}
