import type { ObjectName, Resource } from '../model/cluster.ts';

/** What can be listed and watched: a resource in the whole cluster, or the ConfigMap of this name. */
export type Listed = Resource | ObjectName;

export interface Page {
  /** To be iterated once; the iteration throws {@link ProtocolError} at an object that cannot be read. */
  readonly items: Iterable<unknown>;
  readonly resourceVersion: string;
  /** Continue token of the next page; undefined: this is the last one. */
  readonly next: string | undefined;
  /** Gives the memory of its text back, once its items were read; absent: it has none. */
  readonly release?: () => void;
}

/**
 * Access to an API server. Every call throws {@link ApiError}, {@link ProtocolError}, {@link CredentialsError} or a
 * connection error. After a 401 or a connection error the next call reads the credentials again and reconnects.
 */
export interface Transport {
  list(of: Listed, limit: number, from: string | undefined, signal: AbortSignal): Promise<Page>;

  /**
   * Resolves when the server has accepted the watch. Yields batches of events in their order: `{ type, object }`. Ends when the server ends the watch; throws when the connection breaks.
   */
  watch(
    of: Listed,
    resourceVersion: string,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly unknown[]>>;

  /**
   * Asks the server whether it is ready, on the connection that lists and watches use.
   *
   * @returns the HTTP status of /readyz, 200 when it is; any other answer is one as well, 403 included
   */
  probe(signal: AbortSignal): Promise<number>;

  /** Breaks all connections with this error: nothing comes through them any more, and no one says so. */
  disconnect(error: Error): void;
}

/** The API server answered with an error. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status, or the code of an error event inside a watch. */
  readonly status: number;
  /** ms of Retry-After; undefined: absent. */
  readonly retryAfter: number | undefined;

  constructor(status: number, message: string, retryAfter?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The API server sent an answer that violates the Kubernetes API. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The API server could not be reached, or the connection to it broke. The cause is the error of the socket. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  /** `https://192.0.2.1:6443` */
  readonly server: string;
  /** What the address was read from: the path of a kubeconfig. */
  readonly from: string;

  constructor(server: string, from: string, cause: Error) {
    super(cause.message, { cause });
    this.server = server;
    this.from = from;
  }
}

/** A kubeconfig, token file or exec plugin cannot be used. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
  /** What to do about it. */
  readonly advice: string;

  constructor(message: string, advice: string, options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
  }
}
