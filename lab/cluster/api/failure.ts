import type { JsonObject } from './json.ts';

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** An answer that is not the one hoped for. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly status: number;
  readonly reason: string;
  /** seconds */
  readonly retryAfter: number | undefined;

  constructor(status: number, message: string, reason?: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.reason = reason ?? reasons[status] ?? 'Unknown';
    this.retryAfter = retryAfter;
  }

  /** As a Kubernetes Status. */
  toStatus(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.retryAfter === undefined ? {} : { details: { retryAfterSeconds: this.retryAfter } }),
      code: this.status,
    };
  }
}
