import type { Listing } from '../model/listing.ts';
import type { Change } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { GuardedRoutes, Hint, KernelError, Scope } from './kernel.ts';
import { groups, Monitor, neighbourGroup } from './monitor.ts';
import { withoutEchoes } from './netlink/echoes.ts';
import { withoutForeignRoutes } from './netlink/foreign-routes.ts';
import { accept, socketFilter } from './netlink/socket-filter.ts';
import { openTransport, SocketError, type Transport } from './netlink/transport.ts';
import type { Nft } from './nft.ts';
import { NftNotificationFilter, netfilter, nftGroup } from './nft-notification-filter.ts';
import { NotificationFilter } from './notification-filter.ts';

/** One call of `hints`, with its own sockets and filters: callers do not share state. */
export class Watch {
  readonly #filter: NotificationFilter;
  readonly #nftFilter: NftNotificationFilter;
  readonly #monitor: Monitor;
  readonly #transport: Transport;
  readonly #signal: AbortSignal;
  readonly #receiveBuffer: number;
  readonly #ownPort: number;
  #guarded: GuardedRoutes | undefined;
  #hearsNeighbours = false;
  #hearsNft = false;

  /**
   * @param ownPort port id of the command socket
   * @param receiveBuffer bytes of notifications that wait to be read; Linux makes twice as much of it
   */
  constructor(ownPort: number, receiveBuffer: number, nft: Nft, signal: AbortSignal) {
    this.#signal = signal;
    this.#receiveBuffer = receiveBuffer;
    this.#filter = new NotificationFilter();
    this.#nftFilter = new NftNotificationFilter(nft);
    this.#ownPort = ownPort;
    const filter = withoutOwn(ownPort);
    this.#transport = openTransport({ name: 'monitor', receiveBuffer, groups, filter });
    this.#monitor = new Monitor(signal);
    this.#monitor.listen(this.#transport, this.#filter);
  }

  get over(): boolean {
    return this.#signal.aborted;
  }

  hints(): AsyncIterable<Hint> {
    return this.#monitor.hints();
  }

  /** Lets in what the scope needs; called before the listing, so that no later event is missed. */
  listing({ owner, neighbours, nftTables, guarded }: Scope): void {
    if (this.over) return;
    if (guarded !== this.#guarded) this.#hear(owner, guarded);
    this.#guarded = guarded;
    if (neighbours.length > 0 && !this.#hearsNeighbours) {
      this.#transport.join(neighbourGroup);
      this.#hearsNeighbours = true;
    }
    if (nftTables.length > 0 && !this.#hearsNft) {
      const transport = openNftTransport(this.#receiveBuffer);
      if (transport) this.#monitor.listen(transport, this.#nftFilter);
      this.#hearsNft = true;
    }
  }

  #hear({ protocol }: Owner, guarded: GuardedRoutes | undefined): void {
    const own = withoutOwn(this.#ownPort);
    if (guarded === undefined) {
      this.#transport.filter(own);
      return;
    }
    const { networks } = guarded;
    const program = [...withoutEchoes(this.#ownPort), ...withoutForeignRoutes({ protocol, networks })];
    try {
      this.#transport.filter(socketFilter(program));
    } catch (error) {
      if (!(error instanceof SocketError) || error.code !== 'ENOMEM') throw error;
      // net.core.optmem_max has no room for so many networks. The notification filter leaves out the rest.
      this.#transport.filter(own);
    }
  }

  listed(scope: Scope, listing: Listing): void {
    this.#filter.listed(scope, listing);
    this.#nftFilter.listed(scope.nftTables);
  }

  applying(changes: readonly Change[]): void {
    this.#filter.applying(changes);
  }

  applied(changes: readonly Change[], outcomes: readonly (KernelError | undefined)[]): void {
    this.#filter.applied(changes, outcomes);
  }

  writing(sysctl: string): void {
    this.#filter.writing(sysctl);
  }

  wrote(sysctl: string, value: string | undefined): void {
    this.#filter.wrote(sysctl, value);
  }

  /** Waits until its sockets are closed; they close with the signal. */
  ended(): Promise<void> {
    return this.#monitor.ended();
  }
}

/** A socket for notifications of nf_tables; undefined on a kernel without nfnetlink, where no table can exist. */
function openNftTransport(receiveBuffer: number): Transport | undefined {
  try {
    return openTransport({
      name: 'nft',
      family: netfilter,
      receiveBuffer,
      groups: [nftGroup],
    });
  } catch (error) {
    if (error instanceof SocketError && error.code === 'EPROTONOSUPPORT') return undefined;
    throw error;
  }
}

/** Hears all but what our own socket has changed. */
function withoutOwn(port: number): Uint8Array {
  return socketFilter([...withoutEchoes(port), accept]);
}
