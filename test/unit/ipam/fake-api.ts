import type { Cluster } from '../../../src/cluster/cluster.ts';
import { type GrowingDelta, mergeDelta, nothing } from '../../../src/cluster/delta.ts';
import { Signal } from '../../../src/cluster/signal.ts';
import type { Outcome, StatusPatch, Writer } from '../../../src/cluster/writer.ts';
import type { Delta, Overview, Service, Snapshot } from '../../../src/model/cluster.ts';
import { compareIp, type Ip } from '../../../src/model/ip.ts';
import { cannotShare, sharingOf } from '../../../src/model/sharing.ts';
import { snapshot } from '../../scene.ts';
import type { VirtualClock } from '../cluster/virtual-clock.ts';

/** One version of an object; `service` is undefined once it is deleted. */
interface Version {
  readonly number: number;
  readonly service: Service | undefined;
}

export interface FakeApiOptions {
  readonly clock: VirtualClock;
  /** ms from a change to its event; events come in their order. */
  readonly lag: () => number;
  /** Whether the answer to a write is in the snapshot at once, or only when the watch tells. */
  readonly answers: boolean;
  /** Whether events older than such an answer are left out, or take the snapshot back. */
  readonly ordered: boolean;
  /** What happens to a write: it is taken, its connection breaks before that, or its answer is lost. */
  readonly fate: () => 'taken' | 'broken' | 'unanswered';
}

/** An API server for Services with a watch that lags behind it: what it holds, and what the cluster shows of it. */
export class FakeApi implements Cluster, Writer {
  readonly objects = new Map<string, Version>();
  /** The Services that were given addresses, in the order of the writes. */
  readonly served: string[] = [];
  /** Addresses that two Services showed that cannot share one, in words. */
  readonly twice: string[] = [];
  writes = 0;
  readonly #options: FakeApiOptions;
  readonly #stop: AbortSignal;
  readonly #shown = new Map<string, Version>();
  readonly #signal = new Signal<Delta, GrowingDelta>(mergeDelta);
  #snapshot: Snapshot | undefined;
  #number = 0;
  #latest = 0;

  constructor(options: FakeApiOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
  }

  /** A person creates a Service, or changes its spec; the status stays, but without its type it has no addresses. */
  put(service: Service): void {
    const before = this.objects.get(service.key)?.service;
    const { deleting = false } = before ?? {};
    const ingress = service.type === 'LoadBalancer' ? (before?.ingress ?? []) : [];
    const { conditions = [], finalizer = false } = before?.request ?? {};
    this.#change({ ...service, ingress, deleting, request: { ...service.request, conditions, finalizer } });
  }

  /** Another program writes the status of a Service. */
  overwrite(name: string, ...ips: readonly Ip[]): void {
    const service = this.objects.get(`default/${name}`)?.service;
    if (service !== undefined) this.#change({ ...service, ingress: ips });
  }

  delete(name: string): void {
    const service = this.objects.get(`default/${name}`)?.service;
    if (service === undefined) return;
    if (service.request.finalizer) this.#change({ ...service, deleting: true });
    else this.#remove(service);
  }

  /** A person deletes a Service and its finalizer by hand. */
  remove(name: string): void {
    const service = this.objects.get(`default/${name}`)?.service;
    if (service !== undefined) this.#remove(service);
  }

  ips(name: string): string {
    return this.objects.get(`default/${name}`)?.service?.ingress.join(' ') ?? '';
  }

  /** Notes when two Services that cannot share it show one address. */
  #check(): void {
    const holders = new Map<Ip, Service>();
    for (const { service } of this.objects.values()) {
      if (service?.type !== 'LoadBalancer') continue;
      for (const ip of service.ingress) {
        const other = holders.get(ip);
        if (other && cannotShare(sharingOf(service), sharingOf(other)) !== undefined) {
          this.twice.push(`${ip} is shown by ${other.name} and ${service.name}`);
        }
        holders.set(ip, service);
      }
    }
  }

  snapshot(): Snapshot {
    this.#snapshot ??= snapshot(
      [],
      [...this.#shown.values()]
        .flatMap(({ service }) => service ?? [])
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    );
    return this.#snapshot;
  }

  service(key: string): Service | undefined {
    return this.#shown.get(key)?.service;
  }

  services(): Iterable<Service> {
    return this.snapshot().services;
  }

  overview(): Overview {
    return this.snapshot();
  }

  changes(signal: AbortSignal): AsyncIterable<Delta> {
    return this.#signal.listen(signal);
  }

  finalizer(service: Service, verb: 'add' | 'remove', signal: AbortSignal): Promise<Outcome> {
    const finalizer = verb === 'add';
    return this.#write(service, (now) => ({ ...now, request: { ...now.request, finalizer } }), signal);
  }

  status(service: Service, patch: StatusPatch, signal: AbortSignal): Promise<Outcome> {
    return this.#write(service, (now) => patched(now, patch), signal);
  }

  async event(): Promise<Outcome> {
    return { kind: 'done' };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #write(service: Service, change: (now: Service) => Service, signal: AbortSignal): Promise<Outcome> {
    const { clock, answers, fate } = this.#options;
    const key = service.key;
    const shown = this.#shown.get(key);
    if (shown?.service !== service) return { kind: 'stale' };
    await clock.sleep(2, signal);
    const what = fate();
    if (what === 'broken') return broken;
    const now = this.objects.get(key);
    if (now?.service === undefined) return { kind: 'gone' };
    if (now.number !== shown.number) return { kind: 'stale' };
    this.writes += 1;
    const next = change(now.service);
    if (now.service.ingress.length === 0 && next.ingress.length > 0) this.served.push(next.name);
    if (next.deleting && !next.request.finalizer) this.#remove(next);
    else this.#change(next);
    this.#check();
    await clock.sleep(2, signal);
    if (what === 'unanswered') return broken;
    const after = this.objects.get(key);
    if (answers && after && this.#shown.get(key)?.number === shown.number) this.#show(key, after);
    return { kind: 'done' };
  }

  #change(service: Service): void {
    this.#number += 1;
    this.#tell(service.key, { number: this.#number, service });
  }

  #remove(service: Service): void {
    this.#number += 1;
    this.#tell(service.key, { number: this.#number, service: undefined });
  }

  #tell(key: string, version: Version): void {
    const { clock, lag } = this.#options;
    this.objects.set(key, version);
    this.#latest = Math.max(this.#latest, clock.now() + lag());
    const told = clock.sleep(this.#latest - clock.now(), this.#stop).then(() => {
      const { number } = this.#shown.get(key) ?? { number: 0 };
      if (this.#options.ordered && number >= version.number) return;
      if (number !== version.number) this.#show(key, version);
    });
    told.catch((error: unknown) => {
      if (!this.#stop.aborted) throw error;
    });
  }

  #show(key: string, version: Version): void {
    this.#shown.set(key, { ...version, service: version.service && { ...version.service } });
    this.#snapshot = undefined;
    this.#signal.notify({ ...nothing, services: new Set([key]) });
  }
}

const broken: Outcome = {
  kind: 'refused',
  message: 'the connection was reset',
  answered: false,
  everything: true,
  wait: undefined,
};

/** A Service after a write of its status. */
export function patched(service: Service, patch: StatusPatch): Service {
  const { request } = service;
  const rest = request.conditions.filter(
    ({ type }) => !patch.without.includes(type) && !patch.conditions.some((each) => each.type === type),
  );
  const conditions = [...rest, ...patch.conditions].sort((a, b) => (a.type < b.type ? -1 : 1));
  const ingress = patch.ingress === undefined ? service.ingress : [...patch.ingress].sort(compareIp);
  const hostnames = patch.ingress === undefined ? request.hostnames : [];
  return { ...service, ingress, request: { ...request, hostnames, conditions } };
}
