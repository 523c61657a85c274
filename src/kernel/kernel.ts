import type { Prefix } from '../model/ip.ts';
import type { Listing, NeighbourQuery } from '../model/listing.ts';
import type { Change, KernelObject, Key, Link, NftName } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';

/**
 * The port to the kernel. `LinuxKernel` and the fake kernel of lab/fake pass one contract suite (test/contract):
 * the fake refuses every change that Linux refuses.
 */
export interface Kernel extends AsyncDisposable {
  /**
   * Reads every object we own, and the ids that other programs use. The kernel is made to resolve the neighbours of
   * the scope that are not resolved; a hint follows when one answers.
   *
   * @throws KernelError when the kernel cannot be read
   */
  list(scope: Scope, signal: AbortSignal): Promise<Listing>;

  /**
   * Reads the interfaces with their addresses alone: what decides whether this gateway announces.
   *
   * @throws KernelError when the kernel cannot be read
   */
  links(signal: AbortSignal): Promise<readonly Link[]>;

  /**
   * Makes the changes, in order. One that is refused does not stop the others.
   *
   * - `add` never takes over an existing object: EEXIST, whether it is ours or not.
   * - `replace` replaces in place, without a gap. The caller has seen in a listing that the object is ours.
   * - `delete` is refused for a route, rule, nexthop, group or proxy neighbour that does not exist (ESRCH, ENOENT),
   *   and for a foreign route under the same key (ESRCH). `delete` of a sysctl restores its former value.
   *
   * @param answered may be called meanwhile, while the kernel has more to do
   * @returns one entry per change; undefined: the change is made
   */
  apply(
    changes: readonly Change[],
    signal: AbortSignal,
    answered?: Answered,
  ): Promise<readonly (KernelError | undefined)[]>;

  /**
   * Reports changes that other programs make to objects we depend on. A hint is a reason to list again, never the
   * state itself. The subscription begins with the call, before the first value is asked for: an event between a
   * call of `hints` and a later `list` is in one of the two. Every caller receives every hint; until the next
   * listing a late caller also receives hints about objects that are not ours.
   */
  hints(signal: AbortSignal): AsyncIterable<Hint>;

  /** Foreign objects that have these keys, to name them in a conflict. Expensive: it may read a whole table. */
  holders(keys: ReadonlySet<Key>, signal: AbortSignal): Promise<ReadonlyMap<Key, KernelObject>>;
}

/**
 * The kernel has answered the first `count` changes.
 *
 * @param outcomes of these, as `apply` returns them; what follows them is not known yet
 */
export type Answered = (count: number, outcomes: readonly (KernelError | undefined)[]) => void;

/** The objects of a role. */
export interface Scope {
  readonly owner: Owner;
  /** Routing tables we write to; 'all': every route with our protocol is ours. */
  readonly tables: readonly number[] | 'all';
  /** Sysctls we may set, as paths below /proc/sys. Those in the ledger are listed in any case. */
  readonly sysctls: readonly string[];
  /** The nftables tables we may make. No two have the same name in two families. */
  readonly nftTables: readonly NftName[];
  readonly neighbours: readonly NeighbourQuery[];
  /** What rules and routes of other programs may take the packets of: those are hints as well. Absent: our own alone. */
  readonly guarded?: GuardedRoutes;
}

/** Our host routes: another program's route in the same table takes their packets only when it is one to the same host. */
export interface GuardedRoutes {
  readonly table: number;
  /** The networks that their destinations are in. */
  readonly networks: readonly Prefix[];
}

export function holdsTable({ tables }: Scope, table: number): boolean {
  return tables === 'all' || tables.includes(table);
}

/** A reason to list again; `text` is for the journal: `route deleted: 198.51.100.10/32 by pid 4711`. */
export interface Hint {
  readonly kind:
    | 'link'
    | 'address'
    | 'route'
    | 'nexthop'
    | 'rule'
    /** A rule or a route of another program: nothing that a listing shows. */
    | 'foreign'
    | 'neighbour'
    | 'netconf'
    | 'nft'
    | 'overrun';
  readonly text: string;
}

/** The kernel refused a request. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  /** 'EEXIST', 'ENETUNREACH', … */
  readonly code: string;
  /** The text of the extended ack; empty when the kernel sent none. */
  readonly extack: string;

  constructor(code: string, extack: string, options?: ErrorOptions) {
    super(extack === '' ? code : `${code}: ${extack}`, options);
    this.code = code;
    this.extack = extack;
  }
}
