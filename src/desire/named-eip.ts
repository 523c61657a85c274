import type { Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Linked } from './linked-list.ts';
import type { DependsOn } from './node-dependents.ts';
import type { Placement } from './placements.ts';

/**
 * An EIP that Services name, and where it goes. It is made once, and handed from table to table: to look it up in each of
 * them would cost more than what is read there. It is linked with the others of its set.
 */
export interface NamedEip extends Linked<NamedEip> {
  readonly eip: Ip;

  // Claimants writes this.
  /** The Services that name it; several of them by key. Mostly it is one, for which a map would take more room than the rest. */
  named: Service | Map<string, Service> | undefined;

  // PathTable writes these, and NodeDependents the third.
  /** As in its {@link Path}; empty where no Service holds it. */
  services: readonly string[];
  /** undefined: no Service holds it. */
  set: CarrierSet | undefined;
  dependsOn: DependsOn;
  /** Its path is to be resolved again in this update. */
  isDirty: boolean;

  // RouteTable and Placements write this.
  /** How it is routed; undefined: it is not. */
  placement: Placement | undefined;
}

const none: readonly never[] = [];

/** An EIP about which nothing is known yet. */
export function newEip(eip: Ip): NamedEip {
  return {
    eip,
    named: undefined,
    services: none,
    set: undefined,
    previous: undefined,
    next: undefined,
    dependsOn: none,
    isDirty: false,
    placement: undefined,
  };
}

/** The Services that name the EIP; none: the last has ceased to. */
export function servicesNaming({ named }: NamedEip): readonly Service[] {
  if (named === undefined) return none;
  return named instanceof Map ? [...named.values()] : [named];
}

/** Adds the EIP to those whose paths are to be resolved again. */
export function mark(named: NamedEip, dirty: NamedEip[]): void {
  if (named.isDirty) return;
  named.isDirty = true;
  dirty.push(named);
}
