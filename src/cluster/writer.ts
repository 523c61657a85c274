import type { LeaseName } from '../model/allocation.ts';
import type { Condition, Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';

/**
 * The port through which Services are written: only their status, their finalizer, and events about them. Each
 * write holds for the Service just as it was read: when it has changed since, the write is `stale` and nothing
 * has happened. What was written is in the cluster's snapshot when the promise resolves. Nothing here throws but
 * for the signal.
 */
export interface Writer {
  /** PATCH of `metadata.finalizers`; others in the list stay. */
  finalizer(service: Service, verb: 'add' | 'remove', signal: AbortSignal): Promise<Outcome>;
  /** PATCH of the status; conditions of others stay. */
  status(service: Service, patch: StatusPatch, signal: AbortSignal): Promise<Outcome>;
  /** Creates an event about a Service, or counts one that is there. */
  event(service: Service, event: ServiceEvent, signal: AbortSignal): Promise<Outcome>;
}

export interface StatusPatch {
  /** In this order; undefined: they stay as they are. */
  readonly ingress: readonly Ip[] | undefined;
  readonly conditions: readonly Condition[];
  /** Types of conditions that go. */
  readonly without: readonly string[];
}

export interface ServiceEvent {
  /** Of the event object, in the Service's namespace. */
  readonly name: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** 1: it is new */
  readonly count: number;
  /** ISO 8601, in whole seconds */
  readonly first: string;
  readonly last: string;
}

export type Outcome =
  | { readonly kind: 'done' }
  /** It has changed since it was read: think again. */
  | { readonly kind: 'stale' }
  /** There is no such object any more. */
  | { readonly kind: 'gone' }
  /** The API will not have it. */
  | {
      readonly kind: 'refused';
      /** In words for a person, with what to do. */
      readonly message: string;
      /** It would refuse any other write as well: no rights, no connection, too busy. */
      readonly everything: boolean;
      /** ms that the API asks to wait */
      readonly wait: number | undefined;
    };

/** One Lease as it stands. */
export interface Lease {
  /** undefined: nobody's */
  readonly holder: string | undefined;
  /** s after the last renewal that others have to wait */
  readonly duration: number;
  /** ISO 8601 with microseconds */
  readonly acquired: string | undefined;
  readonly renewed: string | undefined;
  /** How often it changed hands. */
  readonly transitions: number;
}

/** The port to a Lease. */
export interface Leases {
  /** With the version that a write has to name; throws what reading throws, with words for a person. */
  read(name: LeaseName, signal: AbortSignal): Promise<{ readonly lease: Lease; readonly version: string }>;
  /** @param version as it was read; `stale` when somebody was faster */
  write(name: LeaseName, lease: Lease, version: string, signal: AbortSignal): Promise<Outcome>;
}
