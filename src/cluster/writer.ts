import type { LeaseName } from '../model/allocation.ts';
import type { Condition, Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';

/**
 * The port for writes to Services: their status, their finalizer, and events about them. Each write is conditional
 * on the Service as it was read; when it has changed since, the outcome is `stale` and nothing is written. The cluster shows
 * the result when the promise resolves. Only an aborted signal makes a call throw.
 */
export interface Writer {
  /** PATCH of `metadata.finalizers`; other finalizers are kept. */
  finalizer(service: Service, verb: 'add' | 'remove', signal: AbortSignal): Promise<Outcome>;
  /** PATCH of the status; conditions of other controllers are kept. */
  status(service: Service, patch: StatusPatch, signal: AbortSignal): Promise<Outcome>;
  /** Creates an event about a Service, or increases the count of an existing one. */
  event(service: Service, event: ServiceEvent, signal: AbortSignal): Promise<Outcome>;
}

export interface StatusPatch {
  /** In this order; undefined: unchanged. */
  readonly ingress: readonly Ip[] | undefined;
  readonly conditions: readonly Condition[];
  /** Types of conditions to remove. */
  readonly without: readonly string[];
}

export interface ServiceEvent {
  /** Of the event object, in the Service's namespace. */
  readonly name: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** 1: a new event */
  readonly count: number;
  /** ISO 8601, in whole seconds */
  readonly first: string;
  readonly last: string;
}

/** Something was not written. */
export type Refusal = Extract<Outcome, { kind: 'refused' }>;

export type Outcome =
  | { readonly kind: 'done' }
  /** The Service has changed since it was read. */
  | { readonly kind: 'stale' }
  /** The object no longer exists. */
  | { readonly kind: 'gone' }
  /** The API refused the write, or could not be reached. */
  | {
      readonly kind: 'refused';
      /** The reason, and what to do about it. */
      readonly message: string;
      /** The API server has answered; false: the feeds tell that it does not. */
      readonly answered: boolean;
      /** Other writes would fail as well: no rights, no connection, too many requests. */
      readonly everything: boolean;
      /** ms of Retry-After */
      readonly wait: number | undefined;
    };

/** The state of a Lease. */
export interface Lease {
  /** undefined: it has no holder */
  readonly holder: string | undefined;
  /** Seconds after the last renewal for which the Lease is valid. */
  readonly duration: number;
  /** ISO 8601 with microseconds */
  readonly acquired: string | undefined;
  readonly renewed: string | undefined;
  /** Number of changes of the holder. */
  readonly transitions: number;
}

/** A request failed. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  /** What to do about it. */
  readonly advice: string;
  /** The API server has answered: it is no trouble of the way there. */
  readonly answered: boolean;

  constructor(message: string, advice: string, answered: boolean, options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
    this.answered = answered;
  }
}

/** The port to a Lease. */
export interface Leases {
  /** Returns the resourceVersion that a write has to name as well. @throws RequestError */
  read(name: LeaseName, signal: AbortSignal): Promise<{ readonly lease: Lease; readonly version: string }>;
  /** @param version as it was read; the outcome is `stale` when the Lease has changed since */
  write(name: LeaseName, lease: Lease, version: string, signal: AbortSignal): Promise<Outcome>;
}
