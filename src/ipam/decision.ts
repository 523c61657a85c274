import type { Ip } from '../model/ip.ts';
import type { Topic } from './waiters.ts';

/** What a Service of ours is given, and why it is not as it requests. */
export interface Decision {
  /** Its first family first; empty: it waits. */
  readonly ips: readonly Ip[];
  /** The pool they come from; undefined with no addresses. */
  readonly pool: string | undefined;
  readonly enforce: boolean;
  /** They are those of nodes, which need no route of ours. */
  readonly ofNodes: boolean;
  /** Why it is not as it asks; with no addresses: why it waits. */
  readonly unsatisfied: Unsatisfied | undefined;
  /** What may come free and would change this decision. */
  readonly waitsFor: readonly Topic[];
  /** What is not as it should be with the addresses that it has; they stay. */
  readonly warnings: readonly string[];
  /** Addresses that its status shows and that are not its own. */
  readonly lost: readonly Lost[];
}

export interface Unsatisfied {
  readonly reason:
    | 'NoClusterIP'
    | 'NotDualStack'
    | 'Contradiction'
    | 'InvalidAddress'
    | 'TooManyAddresses'
    | 'SameFamily'
    | 'WrongFamily'
    | 'OutsidePools'
    | 'NotAllowed'
    | 'TwoPools'
    | 'UnknownPool'
    | 'AddressUnfit'
    | 'AddressInUse'
    | 'NoPool'
    | 'NoFreeAddress'
    | 'ClusterAwaited'
    | 'NoNode'
    | 'PortInUse';
  /** Stable: the same as long as nothing changes for this Service. */
  readonly message: string;
  /** The address that it asks for and does not get; undefined: it is about no one address. */
  readonly about?: Ip;
}

export interface Lost {
  readonly ip: Ip;
  readonly why: string;
  /** Another Service has it. */
  readonly conflict: boolean;
}
