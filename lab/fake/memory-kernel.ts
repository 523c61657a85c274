import {
  type Answered,
  type Hint,
  holdsTable,
  type Kernel,
  KernelError,
  type Scope,
} from '../../src/kernel/kernel.ts';
import { egressLink } from '../../src/model/egress-link.ts';
import type { Ip } from '../../src/model/ip.ts';
import { command } from '../../src/model/iproute.ts';
import type { Listing, Neighbour, NeighbourQuery } from '../../src/model/listing.ts';
import { natTableName } from '../../src/model/nat.ts';
import {
  type Change,
  changeObject,
  type KernelObject,
  type Key,
  keyOf,
  type Link,
  type Sysctl,
} from '../../src/model/object.ts';
import { isOwnId } from '../../src/model/owner.ts';
import { HintQueue } from './memory-hints.ts';
import type { Listener, World } from './memory-world.ts';

/** One change that was asked for, and how it went. */
export interface Entry {
  readonly change: Change;
  /** undefined: done. */
  readonly error: KernelError | undefined;
  /** In iproute2's words. */
  readonly command: string;
}

/** Our side of a {@link World}: the kernel port without a kernel. */
export class MemoryKernel implements Kernel, Listener {
  readonly #world: World;
  readonly #ledger: Map<string, string>;
  readonly #queues = new Set<HintQueue>();
  readonly #faults: { readonly match: (change: Change) => boolean; readonly error: KernelError }[] = [];
  readonly #blind: KernelError[] = [];
  readonly #journal: Entry[] = [];
  /** Keys that somebody else held when we asked for them last. */
  readonly #refused = new Set<Key>();
  #scope: Scope | undefined;

  /** @param ledger former values of sysctls, by path: hand the same one to the next instance to play a restart */
  constructor(world: World, ledger: Map<string, string> = new Map()) {
    this.#world = world;
    this.#ledger = ledger;
    world.listen(this);
  }

  /** Everything that was asked for since the start or the last {@link forget}, refused changes too. */
  get journal(): readonly Entry[] {
    return this.#journal;
  }

  /** The journal as a shell session; what was refused says so in a comment behind it. */
  transcript(): readonly string[] {
    return this.#journal.map(({ command: line, error }) => (error ? `${line}  # ${error.message}` : line));
  }

  forget(): void {
    this.#journal.length = 0;
  }

  /** The next change that matches is refused, once. */
  failNext(match: (change: Change) => boolean, code: string, extack = ''): void {
    this.#faults.push({ match, error: new KernelError(code, extack) });
  }

  /** The next `list` throws, once. */
  failList(code: string, extack = ''): void {
    this.#blind.push(new KernelError(code, extack));
  }

  /** Notifications that were not read yet are lost. */
  overrun(): void {
    for (const queue of this.#queues) queue.overrun();
  }

  hear(hint: Hint, touched: readonly KernelObject[]): void {
    if (touched.length > 0 && !touched.some((object) => this.#concerns(object))) return;
    for (const queue of this.#queues) queue.push(hint);
  }

  hearNeighbour(ip: Ip, text: string): void {
    if (!this.#scope?.neighbours.some((neighbour) => neighbour.ip === ip)) return;
    for (const queue of this.#queues) queue.push({ kind: 'neighbour', text });
  }

  async list(scope: Scope, signal: AbortSignal): Promise<Listing> {
    signal.throwIfAborted();
    this.#scope = scope;
    const blind = this.#blind.shift();
    if (blind !== undefined) throw blind;
    const objects = new Map<Key, KernelObject>();
    const foreignIds = new Set<number>();
    const lookedUp = new Set<number>();
    for (const [key, object] of this.#world.objects) {
      if (isOurs(object, scope)) objects.set(key, object);
      else if (object.kind === 'nexthop' || object.kind === 'group') foreignIds.add(object.id);
      else if (object.kind === 'rule') lookedUp.add(object.table);
    }
    for (const name of new Set([...scope.sysctls, ...this.#ledger.keys()])) {
      const value = this.#world.sysctls.get(name);
      if (value !== undefined) objects.set(`sysctl ${name}`, { kind: 'sysctl', name, value });
    }
    // What is in our way is so until ours is there.
    for (const key of this.#refused) if (objects.has(key)) this.#refused.delete(key);
    const links = [...this.#world.links.values()];
    return {
      objects,
      foreignIds,
      lookedUp,
      links,
      neighbours: scope.neighbours.flatMap((query) => this.#neighbour(query, links)),
      formerSysctls: new Map(this.#ledger),
    };
  }

  async links(signal: AbortSignal): Promise<readonly Link[]> {
    signal.throwIfAborted();
    const blind = this.#blind.shift();
    if (blind !== undefined) throw blind;
    return [...this.#world.links.values()];
  }

  async apply(
    changes: readonly Change[],
    signal: AbortSignal,
    answered?: Answered,
  ): Promise<readonly (KernelError | undefined)[]> {
    signal.throwIfAborted();
    const outcomes: (KernelError | undefined)[] = [];
    for (const change of changes) {
      outcomes.push(this.#make(change));
      answered?.(outcomes.length, outcomes);
    }
    return outcomes;
  }

  hints(signal: AbortSignal): AsyncIterable<Hint> {
    const queue = new HintQueue();
    this.#queues.add(queue);
    const end = () => {
      this.#queues.delete(queue);
      queue.close();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    return queue;
  }

  async holders(keys: ReadonlySet<Key>, signal: AbortSignal): Promise<ReadonlyMap<Key, KernelObject>> {
    signal.throwIfAborted();
    return new Map(
      [...keys].flatMap((key) => {
        const holder = this.#world.objects.get(key);
        return holder === undefined ? [] : [[key, holder] as const];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#world.unlisten(this);
    for (const queue of this.#queues) queue.close();
    this.#queues.clear();
  }

  #neighbour(query: NeighbourQuery, links: readonly Link[]): readonly Neighbour[] {
    const link = egressLink(query, links);
    const mac = link && this.#world.mac(link.name, query.ip);
    return link === undefined || mac === undefined ? [] : [{ ip: query.ip, link: link.index, mac }];
  }

  #make(change: Change): KernelError | undefined {
    const object = changeObject(change);
    const former = object.kind === 'sysctl' ? this.#ledger.get(object.name) : undefined;
    const line = command(change, (index) => this.#world.links.get(index)?.name ?? `if${index}`, former);
    const error = this.#try(change, object);
    if (error?.code === 'EEXIST') this.#refused.add(keyOf(object));
    this.#journal.push({ change, error, command: line });
    return error;
  }

  /** Before the first listing everything does. */
  #concerns(object: KernelObject): boolean {
    if (this.#scope === undefined || this.#refused.has(keyOf(object))) return true;
    const { owner } = this.#scope;
    if (object.kind === 'sysctl' || object.protocol === owner.protocol) return true;
    if (object.kind !== 'nexthop' && object.kind !== 'group') return false;
    return isOwnId(object.id, owner);
  }

  #try(change: Change, object: KernelObject): KernelError | undefined {
    const at = this.#faults.findIndex(({ match }) => match(change));
    if (at >= 0) return this.#faults.splice(at, 1)[0]?.error;
    try {
      if (object.kind === 'sysctl') this.#write(change, object);
      else this.#world.change(change, this);
      return undefined;
    } catch (error) {
      if (error instanceof KernelError) return error;
      throw error;
    }
  }

  #write(change: Change, { name, value }: Sysctl): void {
    const now = this.#world.sysctls.get(name);
    const former = this.#ledger.get(name);
    if (change.verb === 'delete') {
      if (former === undefined) throw new KernelError('ENOENT', `the ledger has no former value of ${name}`);
      this.#world.change({ verb: 'add', want: { kind: 'sysctl', name, value: former } }, this);
      this.#ledger.delete(name);
      return;
    }
    this.#world.change({ verb: 'add', want: { kind: 'sysctl', name, value } }, this);
    if (former === undefined && now !== undefined) this.#ledger.set(name, now);
  }
}

function isOurs(object: KernelObject, scope: Scope): boolean {
  const { owner } = scope;
  switch (object.kind) {
    case 'nexthop':
    case 'group':
      return object.protocol === owner.protocol && isOwnId(object.id, owner);
    case 'route':
      return object.protocol === owner.protocol && holdsTable(scope, object.table);
    case 'nft':
      return (
        object.protocol === owner.protocol &&
        scope.nftTables.some((table) => keyOf({ ...object, ...table }) === keyOf(object))
      );
    case 'nat-group':
    case 'nat-eip':
      return (
        object.protocol === owner.protocol &&
        scope.nftTables.some(({ name }) => name === natTableName(object.protocol).name)
      );
    case 'rule':
    case 'neighbour':
      return object.protocol === owner.protocol;
    case 'sysctl':
      return false;
    default:
      return object satisfies never;
  }
}
