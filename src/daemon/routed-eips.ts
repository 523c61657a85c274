import { routeKey } from '../desire/eip-routes.ts';
import { isNat, usesNat } from '../desire/nat-mode.ts';
import { currentPoolFinder } from '../desire/pools.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { KernelObject, Key } from '../model/object.ts';
import type { Actual } from '../reconcile/actual.ts';
import { eipOf } from '../status/need.ts';

export interface RoutedEipsInputs {
  readonly gateway: () => Gateway;
  readonly actual: () => Pick<Actual, 'objects'> | undefined;
}

/**
 * The EIPs whose route to nodes is in the kernel, and whose packets come to it as they are: those of mode nat have the address
 * of a node by then.
 */
export class RoutedEips {
  readonly #inputs: RoutedEipsInputs;
  readonly #poolOf: ReturnType<typeof currentPoolFinder>;

  constructor(inputs: RoutedEipsInputs) {
    this.#inputs = inputs;
    this.#poolOf = currentPoolFinder(inputs.gateway);
  }

  has(eip: Ip): boolean {
    return this.#eipOf(this.#inputs.actual()?.objects.get(this.keyOf(eip))) === eip;
  }

  keyOf(eip: Ip): Key {
    return routeKey(eip, this.#inputs.gateway().table);
  }

  /** undefined: another object */
  *walk(): Generator<Ip | undefined> {
    for (const object of this.#inputs.actual()?.objects.values() ?? []) yield this.#eipOf(object);
  }

  #eipOf(object: KernelObject | undefined): Ip | undefined {
    const gateway = this.#inputs.gateway();
    if (object?.kind !== 'route' || object.table !== gateway.table || object.type !== 'unicast')
      return undefined;
    const eip = eipOf(object);
    if (eip === undefined || (usesNat(gateway) && isNat(gateway, this.#poolOf(eip)))) return undefined;
    return eip;
  }
}
