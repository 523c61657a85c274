import type { Delta, Origin, Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { namedAddresses } from './claims.ts';
import type { ClusterReader } from './cluster-reader.ts';
import type { Departures } from './evidence.ts';
import { mark, type NamedEip, newEip } from './named-eip.ts';

/** The Services as they were last read, and the EIPs that they name. */
export class Claimants {
  readonly #gateway: Gateway;
  readonly #departures: Departures;
  #services = new Map<string, Service>();
  readonly #eips = new Map<Ip, NamedEip>();

  constructor(gateway: Gateway, departures: Departures) {
    this.#gateway = gateway;
    this.#departures = departures;
  }

  /** undefined: no Service names the EIP. */
  get(eip: Ip): NamedEip | undefined {
    return this.#eips.get(eip);
  }

  /** The EIPs that Services name. */
  all(): Iterable<NamedEip> {
    return this.#eips.values();
  }

  get size(): number {
    return this.#eips.size;
  }

  /** Forgets an EIP that no Service names any more; until then it is kept, with what was known of it. */
  forget({ eip }: NamedEip): void {
    this.#eips.delete(eip);
  }

  /**
   * @param key of a Service
   * @param dirty gets the EIPs that it names
   */
  markNamed(key: string, dirty: NamedEip[]): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    for (const eip of namedAddresses(service, this.#gateway)) {
      const named = this.#eips.get(eip);
      if (named !== undefined) mark(named, dirty);
    }
  }

  /**
   * Reads changed Services again.
   *
   * @param delta 'all': read everything
   * @param dirty gets the EIPs that they name, or named before
   */
  read(cluster: ClusterReader, delta: Delta | 'all', dirty: NamedEip[]): void {
    if (delta === 'all' || delta.services === 'all') {
      this.#readAll(cluster, dirty);
      return;
    }
    const { services, byEvent } = delta;
    for (const key of services) {
      const before = this.#services.get(key);
      const after = cluster.service(key);
      if (after === undefined) this.#services.delete(key);
      else this.#services.set(key, after);
      this.#compare(key, before, after, byEvent.services.has(key) ? 'event' : 'list', dirty);
    }
  }

  #readAll(cluster: ClusterReader, dirty: NamedEip[]): void {
    const former = this.#services;
    const services = new Map<string, Service>();
    this.#services = services;
    for (const service of cluster.services()) {
      services.set(service.key, service);
      this.#compare(service.key, former.get(service.key), service, 'list', dirty);
    }
    for (const [key, service] of former)
      if (!services.has(key)) this.#compare(key, service, undefined, 'list', dirty);
  }

  #compare(
    key: string,
    before: Service | undefined,
    after: Service | undefined,
    origin: Origin,
    dirty: NamedEip[],
  ): void {
    if (before === after) return;
    const former = before === undefined ? none : namedAddresses(before, this.#gateway);
    const present = after === undefined ? none : namedAddresses(after, this.#gateway);
    for (const eip of former) {
      const named = this.#enter(eip);
      mark(named, dirty);
      if (present.includes(eip)) continue;
      unname(named, key);
      this.#departures.eipLost(eip, origin);
    }
    for (const eip of present) {
      const named = this.#enter(eip);
      mark(named, dirty);
      if (after !== undefined) name(named, key, after);
      if (!former.includes(eip)) this.#departures.eipNamed(eip);
    }
  }

  #enter(eip: Ip): NamedEip {
    const known = this.#eips.get(eip);
    if (known !== undefined) return known;
    const named = newEip(eip);
    this.#eips.set(eip, named);
    return named;
  }
}

const none: readonly never[] = [];

function name(eip: NamedEip, key: string, service: Service): void {
  const { named } = eip;
  if (named instanceof Map) named.set(key, service);
  else if (named === undefined || named.key === key) eip.named = service;
  else eip.named = new Map([[named.key, named] as const, [key, service] as const]);
}

function unname(eip: NamedEip, key: string): void {
  const { named } = eip;
  if (named instanceof Map) named.delete(key);
  if (named instanceof Map ? named.size === 0 : named?.key === key) eip.named = undefined;
}
