import type { Family, Ip } from '../model/ip.ts';
import type { Route } from '../model/object.ts';

/** Which route does a packet match? */
export interface Question {
  readonly dst: Ip;
  /** Where it comes from; over IPv4 needed with `iif`. */
  readonly from?: Ip | undefined;
  /** ifindex of where it comes in; undefined: this host sends it. */
  readonly iif?: number | undefined;
  readonly mark?: number | undefined;
}

/** What the kernel answers, after all rules. */
export type Lookup =
  /** Over IPv6 perhaps another route over the same nexthop object, see {@link LookupPort.ask}. */
  | { readonly kind: 'route'; readonly route: Route }
  /** It has a route and cannot name it. */
  | { readonly kind: 'unnamed' }
  /** No route, or a route or rule that refuses; or the kernel would drop the packet for its source. */
  | { readonly kind: 'refused'; readonly code: string };

/** A rule that looks a table up. */
export interface TableRule {
  readonly table: number;
  /** A mark that it takes; undefined: it asks for none. */
  readonly mark: number | undefined;
  /** It takes packets by more than a {@link Question} says. */
  readonly isSelective: boolean;
}

/** The port to the kernel's own choice of a route. */
export interface LookupPort extends AsyncDisposable {
  /**
   * Over IPv6, Linux keeps for each nexthop object and processor a copy of the route that used it first, and takes packets
   * of all routes over that nexthop by it. The question is answered with what the copy was made of: another route, or
   * ENETUNREACH once that one is deleted, although the packets go (seen with 6.18). Only a program that connects is told
   * then whether there is a route. Where it is, the answer is `unnamed`, also for a packet that comes in: whether that
   * one is refused by a rule of its own cannot be asked.
   *
   * @param questions of one turn: the answers to some fifty are read at once
   * @returns one per question
   * @throws KernelError when the kernel cannot be asked
   */
  ask(questions: readonly Question[], signal: AbortSignal): Promise<readonly Lookup[]>;

  /** The rules of a family that look up tables. @throws KernelError */
  rules(of: Family, signal: AbortSignal): Promise<readonly TableRule[]>;
}
