import type { Service } from '../model/cluster.ts';
import type { DesiredTable, KernelState } from '../model/desired.ts';
import type { Gateway } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import {
  type KernelObject,
  type Key,
  type NatEip,
  type NatGroup,
  natEipKey,
  natGroupKey,
} from '../model/object.ts';
import { routeKey } from './eip-routes.ts';
import { isNat, usesNat } from './nat-mode.ts';
import { eipOf, natEip, natGroup, natGroupWhy, natWhy } from './nat-objects.ts';
import { type PoolFinder, poolFinder } from './pools.ts';

export interface NatTableInputs {
  readonly gateway: Gateway;
  readonly desired: DesiredTable;
  /** The Services that hold an EIP, the strongest claim first; undefined: nobody knows of any. */
  readonly holders: (eip: Ip) => readonly Service[] | undefined;
}

/** The routes and groups that were written or withdrawn since the last update. */
export interface Written {
  readonly eips: Iterable<Ip>;
  /** ids of nexthop groups */
  readonly groups: Iterable<number>;
}

/**
 * The groups and EIPs of the table of NAT, kept up to date by what changed: an EIP whose route was written costs its
 * ports, and a nexthop group that was written costs its buckets. {@link natObjects} is its specification.
 */
export class NatTable {
  readonly #gateway: Gateway;
  readonly #desired: DesiredTable;
  readonly #holders: NatTableInputs['holders'];
  readonly #poolOf: PoolFinder;
  /** The group of each EIP in the table. */
  readonly #groupOf = new Map<Ip, number>();
  /** The EIPs of each group. */
  readonly #eipsOf = new Map<number, Set<Ip>>();

  constructor({ gateway, desired, holders }: NatTableInputs) {
    this.#gateway = gateway;
    this.#desired = desired;
    this.#holders = holders;
    this.#poolOf = poolFinder(gateway.pools);
  }

  /** undefined: no pool has mode nat. */
  static of(inputs: NatTableInputs): NatTable | undefined {
    return usesNat(inputs.gateway) ? new NatTable(inputs) : undefined;
  }

  /** @param written 'all': any may have been */
  update({ objects }: Pick<KernelState, 'objects'>, written: Written | 'all'): void {
    const { eips, groups } = written === 'all' ? this.#known() : written;
    for (const id of groups) this.#readGroup(id);
    for (const eip of eips) this.#readEip(eip, objects);
  }

  /** EIPs and groups that are in the table, or may come to it. */
  #known(): Written {
    const eips = new Set(this.#groupOf.keys());
    for (const { object } of this.#desired.values()) {
      const eip = eipOf(object);
      if (eip !== undefined) eips.add(eip);
    }
    return { eips, groups: [...this.#eipsOf.keys()] };
  }

  readonly #find = (key: Key): KernelObject | undefined => this.#desired.get(key)?.object;

  /** A group that no EIP uses yet is written with the first. */
  #readGroup(id: number): void {
    const eips = this.#eipsOf.get(id);
    const [first] = eips ?? [];
    if (eips === undefined || first === undefined) return;
    const group = natGroup(id, family(first), this.#gateway, this.#find);
    if (group !== undefined) this.#write(group);
    else for (const eip of [...eips]) this.#drop(eip);
  }

  #readEip(eip: Ip, have: ReadonlyMap<Key, KernelObject>): void {
    if (!isNat(this.#gateway, this.#poolOf(eip))) return;
    const route = this.#find(routeKey(eip, this.#gateway.table));
    const inputs = { gateway: this.#gateway, services: this.#holders(eip), have };
    const made = route?.kind === 'route' ? natEip(eip, route, inputs) : undefined;
    const id = made?.ports[0]?.group;
    if (made === undefined || id === undefined || !this.#join(eip, id)) this.#drop(eip);
    else this.#write(made);
  }

  /** @returns false when the group has no node */
  #join(eip: Ip, id: number): boolean {
    const before = this.#groupOf.get(eip);
    if (before === id) return true;
    const others = this.#eipsOf.get(id);
    if (others === undefined) {
      const group = natGroup(id, family(eip), this.#gateway, this.#find);
      if (group === undefined) return false;
      this.#write(group);
      this.#eipsOf.set(id, new Set([eip]));
    } else others.add(eip);
    if (before !== undefined) this.#leave(eip, before);
    this.#groupOf.set(eip, id);
    return true;
  }

  #drop(eip: Ip): void {
    const group = this.#groupOf.get(eip);
    if (group === undefined) return;
    this.#desired.delete(natEipKey(eip));
    this.#groupOf.delete(eip);
    this.#leave(eip, group);
  }

  #leave(eip: Ip, id: number): void {
    const eips = this.#eipsOf.get(id);
    eips?.delete(eip);
    if (eips?.size !== 0) return;
    this.#eipsOf.delete(id);
    this.#desired.delete(natGroupKey(id));
  }

  #write(object: NatEip | NatGroup): void {
    this.#desired.set(object, object.kind === 'nat-eip' ? natWhy(object.eip) : natGroupWhy);
  }
}
