import { isNatTable } from '../../src/model/nat.ts';
import { type KernelObject, type Key, keyOf, type Route } from '../../src/model/object.ts';

/** Objects by key, with the threads between them: what goes takes along what cannot live without it. */
export class Store {
  readonly #objects = new Map<Key, KernelObject>();
  readonly #users = new Map<number, Set<Key>>();
  readonly #onLink = new Map<Key, Route>();

  get objects(): ReadonlyMap<Key, KernelObject> {
    return this.#objects;
  }

  /** Routes that lead out of a link themselves, without a gateway. */
  get onLink(): Iterable<Route> {
    return this.#onLink.values();
  }

  /** Routes and groups that name this nexthop or group. */
  users(id: number): readonly KernelObject[] {
    return [...(this.#users.get(id) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Takes the place of what is under the key; its users stay. */
  put(object: KernelObject): void {
    const key = keyOf(object);
    const former = this.#objects.get(key);
    if (former !== undefined) this.#forget(key, former);
    this.#objects.set(key, object);
    for (const id of targets(object)) {
      const users = this.#users.get(id);
      if (users === undefined) this.#users.set(id, new Set([key]));
      else users.add(key);
    }
    if (object.kind === 'route' && object.hops[0]?.link !== undefined && object.hops[0].via === undefined) {
      this.#onLink.set(key, object);
    }
  }

  /** A group shrinks with its members and goes with the last; routes go with their nexthop or group. */
  drop(object: KernelObject): void {
    const key = keyOf(object);
    const there = this.#objects.get(key);
    if (there === undefined) return;
    this.#forget(key, there);
    if (there.kind === 'nft' && isNatTable(there)) {
      this.dropWhere(
        (one) => (one.kind === 'nat-group' || one.kind === 'nat-eip') && one.protocol === there.protocol,
      );
    }
    if (there.kind !== 'nexthop' && there.kind !== 'group') return;
    for (const user of this.users(there.id)) {
      const members = user.kind === 'group' ? user.members.filter(({ id }) => id !== there.id) : [];
      if (user.kind === 'group' && members.length > 0) this.put({ ...user, members });
      else this.drop(user);
    }
    this.#users.delete(there.id);
  }

  dropWhere(doomed: (object: KernelObject) => boolean): void {
    for (const object of [...this.#objects.values()]) if (doomed(object)) this.drop(object);
  }

  #forget(key: Key, object: KernelObject): void {
    this.#objects.delete(key);
    this.#onLink.delete(key);
    for (const id of targets(object)) this.#users.get(id)?.delete(key);
  }
}

function targets(object: KernelObject): readonly number[] {
  if (object.kind === 'group') return object.members.map(({ id }) => id);
  return object.kind === 'route' && object.nhid !== undefined ? [object.nhid] : [];
}
