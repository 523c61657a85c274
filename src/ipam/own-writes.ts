import type { Outcome } from '../cluster/writer.ts';
import { type AllocatedAddresses, allocatedTo, allocatedType } from '../model/allocated-condition.ts';
import type { Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { Decision } from './decision.ts';
import type { Task } from './due.ts';
import { waitingSince } from './waiting.ts';

/** The state of one Service in the API after our last write; the watch may still show an older one. */
export interface OwnWrite {
  readonly uid: string;
  /** `status.loadBalancer.ingress` after our last write that the API confirmed. */
  readonly ips: readonly Ip[];
  /** Those of them that kube-proxy leaves alone, as in the Service; a write of ours leaves none. */
  readonly proxied: readonly Ip[] | undefined;
  /** The conditions of the same write. */
  readonly allocated: AllocatedAddresses | undefined;
  /** ms since the epoch since when it waits; Infinity: it does not, or its condition does not say so yet. */
  readonly since: number;
  /** Addresses of writes whose fate is not known: they are on their way, or the connection broke. */
  readonly unconfirmed: readonly Ip[];
}

/**
 * Our last writes to Services. A write names the version that it replaces: its success confirms that this version was
 * the current one, and defines the state of the API from then on. The watch may show older states afterwards; one of
 * them counts only when another write of ours for it succeeds.
 */
export class OwnWrites {
  readonly #writes = new Map<string, OwnWrite>();

  of(service: Service): OwnWrite | undefined {
    const found = this.#writes.get(service.key);
    return found?.uid === service.uid ? found : undefined;
  }

  /** Before the write is sent. */
  begin(service: Service, task: Task): void {
    if (task.kind !== 'status' || task.ingress === undefined) return;
    const before = this.of(service) ?? observed(service);
    const unconfirmed = [...new Set([...before.unconfirmed, ...task.ingress])];
    this.#writes.set(service.key, { ...before, unconfirmed });
  }

  /** @param before what was {@link of} the Service before {@link begin} */
  end(
    service: Service,
    task: Task,
    decision: Decision | undefined,
    outcome: Outcome,
    before: OwnWrite | undefined,
  ): void {
    const key = service.key;
    switch (outcome.kind) {
      case 'done':
        this.#writes.set(key, confirmed(service, task, decision));
        return;
      case 'stale':
      case 'gone':
        this.#restore(service, before);
        return;
      case 'refused':
        // An answer of the API to this write alone: nothing has happened. Otherwise it may have arrived.
        if (!outcome.everything) this.#restore(service, before);
        return;
      default:
        outcome satisfies never;
    }
  }

  forget(key: string): void {
    this.#writes.delete(key);
  }

  forgetAll(isGone: (key: string) => boolean): void {
    for (const key of this.#writes.keys()) if (isGone(key)) this.#writes.delete(key);
  }

  #restore(service: Service, before: OwnWrite | undefined): void {
    if (before === undefined) this.#writes.delete(service.key);
    else this.#writes.set(service.key, before);
  }
}

function observed(service: Service): OwnWrite {
  const { uid, ingress } = service;
  return {
    uid,
    ips: ingress,
    proxied: service.proxied,
    allocated: allocatedTo(service),
    since: waitingSince(service),
    unconfirmed: [],
  };
}

function confirmed(service: Service, task: Task, decision: Decision | undefined): OwnWrite {
  const base = observed(service);
  if (task.kind === 'finalizer') {
    // With the finalizer of a Service that is being deleted its status goes.
    return task.verb === 'remove' && service.deleting ? { ...base, ips: [], allocated: undefined } : base;
  }
  const ips = task.ingress ?? service.ingress;
  const { pool, enforce = false } = decision ?? {};
  const allocated = task.conditions.find(({ type }) => type === allocatedType);
  const waits = allocated?.status === 'False' ? Date.parse(allocated.lastTransitionTime) : Number.NaN;
  return {
    ...base,
    ips,
    proxied: task.ingress === undefined ? service.proxied : undefined,
    allocated: ips.length > 0 && pool !== undefined ? { ips, pool, enforce } : undefined,
    since: Number.isNaN(waits) ? Number.POSITIVE_INFINITY : waits,
  };
}
