import type { Listing, NeighbourQuery } from '../model/listing.ts';
import type { Change, KernelObject, Key } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';

/**
 * The port to the kernel. Two implementations, `linux` and the fake one of lab/fake, pass one contract
 * suite (test/contract); the fake one refuses what Linux refuses.
 */
export interface Kernel extends AsyncDisposable {
  /**
   * Reads everything we own, and everything whose keys or ids we must stay clear of. Neighbours that are not known
   * are asked for: once they answer, a hint tells.
   *
   * @throws KernelError when the kernel cannot be read; nothing is then known
   */
  list(scope: Scope, signal: AbortSignal): Promise<Listing>;

  /**
   * Makes the changes, in order. One that is refused does not stop the others.
   *
   * - `add` refuses to take over what is there: EEXIST, ours or not.
   * - `replace` replaces in place, without a gap. The caller has seen in a listing that the object is ours.
   * - `delete` of a route, rule, nexthop, group or neighbour that is gone already is refused (ESRCH, ENOENT); of
   *   a foreign route under the same key as well (ESRCH). `delete` of a sysctl restores its former value.
   *
   * @returns one entry per change, undefined where it was done
   */
  apply(changes: readonly Change[], signal: AbortSignal): Promise<readonly (KernelError | undefined)[]>;

  /**
   * Tells when something that is not our own write has touched what we depend on. A hint is a reason to look
   * again, never the truth. Subscribed from the call on, before the first value is asked for: what happens
   * between a call of `hints` and a later `list` is in one of the two. Each caller hears everything; until the next
   * listing one who came late hears more than concerns it.
   */
  hints(signal: AbortSignal): AsyncIterable<Hint>;

  /** Foreign objects that sit on these keys, to name them in a conflict. May read a whole table: ask seldom. */
  holders(keys: ReadonlySet<Key>, signal: AbortSignal): Promise<ReadonlyMap<Key, KernelObject>>;
}

/** What a role cares for. */
export interface Scope {
  readonly owner: Owner;
  /** Routing tables we write to; all: whatever has our protocol is ours. */
  readonly tables: readonly number[] | 'all';
  /** Sysctls we may set, as paths below /proc/sys. Those in the ledger are always listed as well. */
  readonly sysctls: readonly string[];
  /** Names of the nftables tables we may make, in family inet. */
  readonly nftTables: readonly string[];
  readonly neighbours: readonly NeighbourQuery[];
}

export function holdsTable({ tables }: Scope, table: number): boolean {
  return tables === 'all' || tables.includes(table);
}

/** Why to look again; `text` is for the journal: `route deleted: 198.51.100.10/32 by pid 4711`. */
export interface Hint {
  readonly kind:
    | 'link'
    | 'address'
    | 'route'
    | 'nexthop'
    | 'rule'
    | 'neighbour'
    | 'netconf'
    | 'nft'
    | 'overrun';
  readonly text: string;
}

/** The kernel said no. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  /** 'EEXIST', 'ENETUNREACH', … */
  readonly code: string;
  /** The kernel's extended ack; empty when it gave none. */
  readonly extack: string;

  constructor(code: string, extack: string, options?: ErrorOptions) {
    super(extack === '' ? code : `${code}: ${extack}`, options);
    this.code = code;
    this.extack = extack;
  }
}
