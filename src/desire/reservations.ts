import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { eipClaimed, eipReserved } from './eip-routes.ts';
import type { Path } from './path.ts';
import { changedOwners, type Reserved, reservedFor } from './reserved.ts';

/** Addresses in the pools that belong to something else, and the problem of each EIP that is among them. */
export class Reservations {
  #reserved: Reserved;
  readonly #problems = new Map<Ip, Problem>();
  #list: readonly Problem[] | undefined;

  constructor(reserved: Reserved) {
    this.#reserved = reserved;
  }

  /** The same array as long as nothing about them changes. */
  get problems(): readonly Problem[] {
    this.#list ??= [...this.#problems.values()];
    return this.#list;
  }

  /** @returns the addresses that belong to something else than before */
  replace(reserved: Reserved): readonly Ip[] {
    const before = this.#reserved;
    this.#reserved = reserved;
    return changedOwners(before, reserved);
  }

  /** Nothing else has the address, nor is there a problem left to be solved. */
  isFree(eip: Ip): boolean {
    return !(this.#reserved.has(eip) || this.#problems.has(eip));
  }

  /**
   * Whether the address of a path may be routed.
   *
   * @param isRouted whether the kernel has a route of ours for it; asked only when the address is reserved
   */
  allows(path: Path, isRouted: () => boolean): boolean {
    const { eip } = path;
    const claimed = this.#reserved.get(eip);
    if (claimed === undefined) {
      this.forget(eip);
      return true;
    }
    const by = reservedFor(eip, this.#reserved, isRouted());
    this.#problems.set(eip, by === undefined ? eipClaimed(path, claimed) : eipReserved(path, by));
    this.#list = undefined;
    return by === undefined;
  }

  /** The EIP goes nowhere. */
  forget(eip: Ip): void {
    if (this.#problems.delete(eip)) this.#list = undefined;
  }
}
