import type { KernelState } from '../model/desired.ts';
import type { Ip } from '../model/ip.ts';
import type { Key, NexthopGroup, Route } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import { routeAt, routeKey } from './eip-routes.ts';

/** The kernel's state, as the tables of the EIP routes read it. */
export class KernelView {
  /** Set at the beginning of each update. */
  state: KernelState;
  readonly #table: number;
  readonly #owner: Owner;

  /** @param table the routing table of the EIP routes */
  constructor(state: KernelState, table: number, owner: Owner) {
    this.state = state;
    this.#table = table;
    this.#owner = owner;
  }

  /** The group that the kernel has under this id. */
  group(id: number): NexthopGroup | undefined {
    const object = this.state.objects.get(`nexthop ${id}`);
    return object?.kind === 'group' ? object : undefined;
  }

  /**
   * The route of ours that the kernel has for the EIP.
   *
   * @param key {@link routeKey} of it, where the caller has it already
   */
  route(eip: Ip, key: Key = routeKey(eip, this.#table)): Route | undefined {
    return routeAt(key, this.#owner, this.state);
  }

  /** The EIP's route leads to this group. */
  leads(eip: Ip, to: { readonly id: number }): boolean {
    return this.route(eip)?.nhid === to.id;
  }

  /** The group could not be changed in place: it still has its former members. */
  isStuck({ id }: { readonly id: number }): boolean {
    return this.state.stuck.has(`nexthop ${id}`);
  }
}
