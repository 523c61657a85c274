import { Allocator, type Terms } from '../../../src/ipam/allocator.ts';
import type { Decision } from '../../../src/ipam/decision.ts';
import { due, type EventDraft, type Task } from '../../../src/ipam/due.ts';
import type { Allocation } from '../../../src/model/allocation.ts';
import type { AllocationRequest, Service } from '../../../src/model/cluster.ts';
import type { Pool } from '../../../src/model/gateway.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { openTerms, type PoolTerms } from '../../../src/model/pool.ts';
import { cannotShare, sharingOf } from '../../../src/model/sharing.ts';
import { request, service } from '../../scene.ts';
import { patched } from './fake-api.ts';

/** Builders for tests of the allocation, and a cluster whose statuses are written as the allocator decides. */

export const allocation: Allocation = {
  class: 'eiproute.io/gateway',
  classless: true,
  finalizer: true,
  lease: undefined,
};

export function pool(name: string, networks: readonly string[], terms: Partial<PoolTerms> = {}): Pool {
  return { name, addresses: networks.map(parsePrefix), terms: { ...openTerms, ...terms } };
}

/** 198.51.100.0/30: four addresses. */
export const four = pool('four', ['198.51.100.0/30']);

export const dual: Partial<AllocationRequest> = {
  clusterIps: ['10.96.0.10', '2001:db8:c::10'].map(parseIp),
  familyPolicy: 'RequireDualStack',
};

/** A Service that asks; its age is its name's, so that s1 is older than s2. */
export function asking(
  name: string,
  how: Partial<AllocationRequest> = {},
  rest: Partial<Service> = {},
): Service {
  const age = Number(name.replace(/\D/g, '')) || 0;
  return service(name, [], { request: request({ created: 1000 * age, ...how }), ...rest });
}

/** Asks for these addresses in our own words. */
export function named(...ips: readonly string[]): Partial<AllocationRequest> {
  return { annotations: { 'eiproute.io/addresses': ips.join(',') } };
}

export function key(value: string): Partial<AllocationRequest> {
  return { annotations: { 'eiproute.io/sharing-key': value } };
}

export function port(number: number, protocol: 'TCP' | 'UDP' = 'TCP'): Partial<Service> {
  return { ports: [{ name: '', protocol, port: number, nodePort: undefined }] };
}

/** Services, and an allocator that observes each change at once. */
export class FakeCluster {
  readonly services = new Map<string, Service>();
  readonly notes: (EventDraft & { readonly service: string })[] = [];
  /** Writes since the last look. */
  writes = 0;
  /** Addresses that a write showed while another Service showed them that cannot share them, in words. */
  readonly twice: string[] = [];
  routed: (ip: Ip) => boolean = () => false;
  answered: (service: Service) => boolean = () => true;
  now = '2026-01-01T00:00:00Z';
  allocator: Allocator;
  #terms: Terms;
  readonly #queued = new Set<string>();

  constructor(pools: readonly Pool[], rest: Partial<Terms> = {}) {
    this.#terms = { pools, allocation, reserved: new Map(), nodeAddresses: () => [], ...rest };
    this.allocator = new Allocator(this.#terms, (key) => this.#queued.add(key));
  }

  /** Adds or replaces Services, and writes until there is nothing to write. */
  set(...services: readonly Service[]): void {
    for (const one of services) this.services.set(one.key, one);
    this.allocator.observe(services, []);
    this.settle();
  }

  /** Changes a Service that is there. */
  change(name: string, how: Partial<Service> & { readonly how?: Partial<AllocationRequest> }): void {
    const { how: more = {}, ...rest } = how;
    const before = this.at(name);
    this.set({ ...before, ...rest, request: { ...before.request, ...more } });
  }

  delete(...names: readonly string[]): void {
    const keys = names.map((name) => `default/${name}`);
    for (const one of keys) this.services.delete(one);
    this.allocator.observe([], keys);
    this.settle();
  }

  /** As after a restart, also with another configuration: nothing but the statuses is known. */
  restart(pools = this.#terms.pools, rest: Partial<Terms> = {}): void {
    this.#terms = { ...this.#terms, pools, ...rest };
    this.#queued.clear();
    this.allocator = new Allocator(this.#terms, (key) => this.#queued.add(key));
    this.allocator.observe([...this.services.values()], []);
    this.settle();
  }

  /** As after a reload: what was decided and written before is known. */
  reload(pools = this.#terms.pools, rest: Partial<Terms> = {}): void {
    this.#terms = { ...this.#terms, pools, ...rest };
    this.allocator = new Allocator(this.#terms, (key) => this.#queued.add(key), { before: this.allocator });
    this.allocator.observe([...this.services.values()], []);
    this.settle();
  }

  settle(): void {
    for (const _ of Array(1000).keys()) {
      this.converge();
      const tasks = [...this.services.values()].flatMap((one) => {
        const task = this.due(one);
        return task ? [[one, task] as const] : [];
      });
      // One after the other, in an order that favours nobody and is always the same.
      const next = tasks[(Math.imul(this.writes + 1, 0x9e3779b1) >>> 16) % tasks.length];
      if (next === undefined) return;
      this.#write(...next);
    }
    throw new Error('it writes without end');
  }

  /** Decides about all that is queued, and writes nothing. */
  converge(): void {
    let steps = 0;
    for (const key of this.#queued) {
      this.#queued.delete(key);
      this.allocator.converge(key);
      steps += 1;
      if (steps > 10_000) throw new Error('it decides without end');
    }
  }

  due(one: Service): Task | undefined {
    return due(one, this.allocator.decisions.get(one.key), {
      allocation: this.#terms.allocation,
      routed: this.routed,
      answered: this.answered,
      lingers: ({ ingress }) => ingress.some(this.routed),
      unconfirmed: (service) => this.allocator.isUnconfirmed(service),
      now: this.now,
    });
  }

  at(name: string): Service {
    const found = this.services.get(name.includes('/') ? name : `default/${name}`);
    if (found === undefined) throw new Error(`no Service ${name}`);
    return found;
  }

  /** What its status shows, in words; empty: it is pending. */
  ips(name: string): string {
    return this.at(name).ingress.join(' ');
  }

  decision(name: string): Decision | undefined {
    return this.allocator.decisions.get(name.includes('/') ? name : `default/${name}`);
  }

  /** Why it is not as it asks: `AddressInUse`. */
  unsatisfied(name: string): string | undefined {
    return this.decision(name)?.unsatisfied?.reason;
  }

  /** Events of a Service: `IPAllocated`. */
  told(name: string): readonly string[] {
    return this.notes.filter((note) => note.service === `default/${name}`).map(({ reason }) => reason);
  }

  #write(one: Service, task: Task): void {
    const key = one.key;
    const end = this.allocator.begin(one, task);
    const now = this.#apply(one, task);
    for (const ip of now.ingress) if (!one.ingress.includes(ip)) this.#checkAlone(ip, now);
    this.services.set(key, now);
    this.writes += 1;
    end({ kind: 'done' });
    this.allocator.ended(key);
    this.allocator.observe([now], []);
  }

  #checkAlone(ip: Ip, one: Service): void {
    for (const other of this.services.values()) {
      if (other.name === one.name || other.type !== 'LoadBalancer' || !other.ingress.includes(ip)) continue;
      const why = cannotShare(sharingOf(one), sharingOf(other));
      if (why !== undefined) this.twice.push(`${ip}: ${one.name}, ${other.name}`);
    }
  }

  #apply(one: Service, task: Task): Service {
    if (task.kind === 'finalizer') {
      return { ...one, request: { ...one.request, finalizer: task.verb === 'add' } };
    }
    for (const note of task.events) this.notes.push({ ...note, service: one.key });
    return patched(one, task);
  }
}
