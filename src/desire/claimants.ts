import type { Delta, Origin, Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { namedAddresses } from './claims.ts';
import type { ClusterReader } from './cluster-reader.ts';
import type { Departures } from './evidence.ts';

/** The Services as they were last read, and which of them name an EIP. */
export class Claimants {
  readonly #gateway: Gateway;
  readonly #departures: Departures;
  readonly #services = new Map<string, Service>();
  /** By EIP; several of them by key. Mostly it is one, for which a map would take more room than all else about it. */
  readonly #named = new Map<Ip, Service | Map<string, Service>>();

  constructor(gateway: Gateway, departures: Departures) {
    this.#gateway = gateway;
    this.#departures = departures;
  }

  /** The Services that name the EIP. */
  of(eip: Ip): readonly Service[] {
    const named = this.#named.get(eip);
    if (named === undefined) return none;
    return named instanceof Map ? [...named.values()] : [named];
  }

  /** The EIPs that a Service names, by its key. */
  named(key: string): readonly Ip[] {
    const service = this.#services.get(key);
    return service === undefined ? none : namedAddresses(service, this.#gateway);
  }

  /**
   * Reads changed Services again.
   *
   * @param delta 'all': read everything
   * @param dirty gets the EIPs that they name, or named before
   */
  read(cluster: ClusterReader, delta: Delta | 'all', dirty: Set<Ip>): void {
    if (delta === 'all' || delta.services === 'all') {
      this.#readAll(cluster, dirty);
      return;
    }
    const { services, byEvent } = delta;
    for (const key of services) {
      const origin = byEvent.services.has(key) ? 'event' : 'list';
      this.#readService(key, cluster.service(key), origin, dirty);
    }
  }

  #readAll(cluster: ClusterReader, dirty: Set<Ip>): void {
    const gone = new Set(this.#services.keys());
    for (const service of cluster.services()) {
      const key = service.key;
      gone.delete(key);
      this.#readService(key, service, 'list', dirty);
    }
    for (const key of gone) this.#readService(key, undefined, 'list', dirty);
  }

  #readService(key: string, after: Service | undefined, origin: Origin, dirty: Set<Ip>): void {
    const before = this.#services.get(key);
    if (before === after) return;
    const former = before === undefined ? none : namedAddresses(before, this.#gateway);
    const named = after === undefined ? none : namedAddresses(after, this.#gateway);
    if (after === undefined) this.#services.delete(key);
    else this.#services.set(key, after);
    for (const eip of former) {
      dirty.add(eip);
      if (named.includes(eip)) continue;
      this.#unname(eip, key);
      this.#departures.eipLost(eip, origin);
    }
    for (const eip of named) {
      dirty.add(eip);
      if (after !== undefined) this.#name(eip, key, after);
      if (!former.includes(eip)) this.#departures.eipNamed(eip);
    }
  }

  #name(eip: Ip, key: string, service: Service): void {
    const named = this.#named.get(eip);
    if (named instanceof Map) named.set(key, service);
    else if (named === undefined || named.key === key) this.#named.set(eip, service);
    else this.#named.set(eip, new Map([[named.key, named] as const, [key, service] as const]));
  }

  #unname(eip: Ip, key: string): void {
    const named = this.#named.get(eip);
    if (named === undefined) return;
    if (named instanceof Map) named.delete(key);
    if (named instanceof Map ? named.size === 0 : named.key === key) this.#named.delete(eip);
  }
}

const none: readonly never[] = [];
