import type { Delta, Origin, ReadService, Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { namedAddresses } from './claims.ts';
import type { Departures } from './evidence.ts';
import { mark, type NamedEip, newEip } from './named-eip.ts';
import type { ServiceTable } from './service-table.ts';

/** The EIPs that Services name. */
export class Claimants {
  readonly #gateway: Gateway;
  readonly #departures: Departures;
  readonly #services: ServiceTable;
  readonly #eips = new Map<Ip, NamedEip>();

  constructor(gateway: Gateway, departures: Departures, services: ServiceTable) {
    this.#gateway = gateway;
    this.#departures = departures;
    this.#services = services;
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
   * Takes in all Services, for the first time.
   *
   * @param dirty gets the EIPs that they name
   */
  begin(dirty: NamedEip[]): void {
    for (const after of this.#services.values())
      this.#take({ key: after.key, before: undefined, after }, 'list', dirty);
  }

  /**
   * Takes in Services that were read again.
   *
   * @param byEvent of the delta that they were read for
   * @param dirty gets the EIPs that they name, or named before
   */
  take(read: readonly ReadService[], byEvent: Delta['byEvent'], dirty: NamedEip[]): void {
    for (const one of read) this.#take(one, byEvent.services.has(one.key) ? 'event' : 'list', dirty);
  }

  #take({ key, before, after }: ReadService, origin: Origin, dirty: NamedEip[]): void {
    const former = before === undefined ? none : namedAddresses(before, this.#gateway);
    const present = after === undefined ? none : namedAddresses(after, this.#gateway);
    for (const eip of former) mark(this.#enter(eip), dirty);
    for (const eip of without(former, present)) {
      unname(this.#enter(eip), key);
      this.#departures.eipLost(eip, origin);
    }
    for (const eip of present) {
      const named = this.#enter(eip);
      mark(named, dirty);
      if (after !== undefined) name(named, key, after);
    }
    for (const eip of without(present, former)) this.#departures.eipNamed(eip);
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

/** Of some addresses those that are not among others. A Service names one or two, and may name as many as an object holds. */
function without(some: readonly Ip[], others: readonly Ip[]): readonly Ip[] {
  if (some.length === 0 || others.length === 0) return some;
  if (others.length <= 2) return some.filter((ip) => !others.includes(ip));
  const known = new Set(others);
  return some.filter((ip) => !known.has(ip));
}

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
