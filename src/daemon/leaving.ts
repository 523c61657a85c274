import type { ClusterReader } from '../desire/cluster-reader.ts';
import { isNat } from '../desire/nat-mode.ts';
import { currentPoolFinder, type PoolFinder } from '../desire/pools.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import { type LeavingNodes, mostLeaving } from '../model/publication.ts';
import { type LeavingInputs, LeavingTable, type LeavingTerms } from '../probe/leaving-table.ts';
import type { ServiceChange } from '../probe/service-change.ts';
import { Ticker } from '../probe/ticker.ts';
import { carrying } from './carrying.ts';

export interface LeavingSources extends Pick<LeavingInputs, 'addressOf'>, Pick<LeavingTerms, 'after'> {
  readonly cluster: ClusterReader;
  readonly gateway: () => Gateway;
  /** ms after which nothing is handed over any more */
  readonly limit: () => number;
  /** ms that this program ran */
  readonly now: () => number;
  /** Called when a node leaves, or agents are to be told otherwise. */
  readonly changed: () => void;
}

/** ms between two looks at whether the traffic of nodes that leave is to move */
const pace = 25;
/**
 * A pod that closes its listener when it is told to end refuses connections meanwhile, so the lead is short: it begins
 * when the API has taken the write. The table of an agent followed that by 130 ms, and by 215 at most, on a machine with a
 * load of four for each core; a thousand agents have to be sent it. The longest one has room for a write a second.
 */
const terms: Omit<LeavingTerms, 'after'> = { lead: 500, longest: 3000, most: mostLeaving };

/** The clock of a {@link LeavingTable}: what it is to do at a time is done here, what it knows is read from it. */
export class Leaving {
  readonly #sources: LeavingSources;
  readonly #table: LeavingTable;
  /** Ticks often while traffic is about to move. */
  readonly #ticker = new Ticker({
    pace,
    isIdle: () => !this.#table.isAhead,
    tick: () => {
      if (this.expire()) this.#sources.changed();
    },
  });
  readonly #poolOf: PoolFinder;

  constructor(sources: LeavingSources) {
    this.#sources = sources;
    this.#poolOf = currentPoolFinder(sources.gateway);
    this.#table = new LeavingTable({
      carrying,
      eipsOf: (service, of) => this.#routedEips(service, of),
      addressOf: sources.addressOf,
      terms: { ...terms, after: sources.after },
    });
  }

  /** What it knows. */
  get table(): Pick<LeavingTable, 'isIdle' | 'of' | 'left' | 'counts' | 'told' | 'takeTurned'> {
    return this.#table;
  }

  /** See {@link LeavingTable.read}. */
  read(change: ServiceChange, agents: 'told' | 'not told'): void {
    this.#table.read(change, agents, this.#sources.now);
    this.#ticker.begin();
  }

  /** The agents can read this. */
  readable(leaving: LeavingNodes): void {
    this.#table.readable(leaving, this.#sources.now());
  }

  /** Does what is due. @returns whether a node leaves, or agents are to be told otherwise */
  expire(): boolean {
    const { now, limit } = this.#sources;
    return !this.#table.isIdle && this.#table.expire(now(), limit());
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#ticker.run(signal);
  }

  /** Without those of mode nat, whose flows the gateway keeps where they are. */
  #routedEips(key: string, of: Family): readonly Ip[] {
    const service = this.#sources.cluster.service(key);
    if (service === undefined) return [];
    const gateway = this.#sources.gateway();
    return [...new Set([...service.ingress, ...service.externalIps])].filter((ip) => {
      const pool = family(ip) === of ? this.#poolOf(ip) : undefined;
      return pool !== undefined && !isNat(gateway, pool);
    });
  }
}
