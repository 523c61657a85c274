import type { Resource } from '../model/cluster.ts';

export interface Page {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Where the next page starts; undefined: this is the last one. */
  readonly next: string | undefined;
}

/**
 * How the reflector talks to an API server. Every call throws {@link ApiError}, {@link ProtocolError}, {@link CredentialsError}, or the
 * error of the connection. After a 401 or a broken connection the next call reads the credentials and connects anew.
 */
export interface Transport {
  list(resource: Resource, limit: number, from: string | undefined, signal: AbortSignal): Promise<Page>;

  /**
   * Resolves when the server has accepted the watch; then yields events as they come, in batches, each event as
   * the server wrote it: `{ type, object }`. Ends when the server ends it; throws when the connection breaks.
   */
  watch(
    resource: Resource,
    resourceVersion: string,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly unknown[]>>;
}

/** The API server answered, but not what was asked for. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status, or the code of an error event inside a watch. */
  readonly status: number;
  /** ms that the server asks to wait; undefined: it does not say. */
  readonly retryAfter: number | undefined;

  constructor(status: number, message: string, retryAfter?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The API server answered, but not as an API server of Kubernetes does. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The credentials can not be read or made: a kubeconfig, a token file, an exec plugin. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
  /** What to do about it. */
  readonly advice: string;

  constructor(message: string, advice: string, options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
  }
}
