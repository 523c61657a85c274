import { isDeepStrictEqual } from 'node:util';
import type { ProbeTerms } from '../config/config.ts';
import { drainReason, type Verdict, verdict } from '../desire/verdict.ts';
import type { Node } from '../model/cluster.ts';
import { compareIp, family, type Ip } from '../model/ip.ts';
import { noStandings, type ProxyHealth, type Standing } from '../model/probed.ts';
import { DrainingNodes } from '../probe/draining-nodes.ts';

export interface StandingsInputs {
  readonly nodes: readonly Node[];
  readonly silent: ReadonlySet<Ip>;
  /** Those that wait until they have answered for an EIP. */
  readonly waiting: ReadonlySet<Ip>;
  /** Names of those that hang. */
  readonly hung: ReadonlySet<string>;
  readonly terms: Pick<ProbeTerms, 'cordon' | 'drainLimit'>;
  /** @param node its name */
  readonly proxy: (node: string) => ProxyHealth;
  /** See {@link DrainingNodes.note}. */
  readonly lead: number;
  /** ms; must never run backwards */
  readonly now: number;
}

/**
 * ms by which agents hear that a node hangs before its traffic moves, as with a pod that shuts down: what begins there meanwhile is
 * lost.
 */
const hungLead = 500;

/** What every node may be sent, by its name and by its addresses: the verdicts on all of them. */
export class Standings {
  readonly #draining = new DrainingNodes();
  #standings = noStandings;
  #handing: readonly Ip[] = [];
  #verdicts: ReadonlyMap<string, Verdict> = new Map();

  /** The same map as long as nothing in it changes. */
  get standings(): ReadonlyMap<Ip, Standing> {
    return this.#standings;
  }

  /**
   * Addresses of nodes that keep flows which the gateways send to others: agents hand these over to them. Sorted; the same
   * array as long as nothing in it changes.
   */
  get handing(): readonly Ip[] {
    return this.#handing;
  }

  /** By name; of a node with two addresses the verdict on the one that is worse off. */
  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts;
  }

  /** Whether time alone may change them. */
  get isIdle(): boolean {
    return this.#draining.isIdle;
  }

  /** @returns whether the standings, or what the agents are told, are others than before */
  read({ nodes, silent, waiting, hung, terms, proxy, lead, now }: StandingsInputs): boolean {
    const { cordon, drainLimit: limit } = terms;
    const standings = new Map<Ip, Standing>();
    const verdicts = new Map<string, Verdict>();
    const handing: Ip[] = [];
    for (const node of nodes) {
      const known = { node, hung: hung.has(node.name), proxy: proxy(node.name), cordon };
      const ahead = known.hung ? Math.min(lead, hungLead) : lead;
      const drain = this.#draining.note(node.name, drainReason(known) !== undefined, now, ahead);
      const drainingFor = drain.ms;
      const on = (ips: readonly Ip[]): Verdict =>
        verdict({
          ...known,
          silent: ips.some((ip) => silent.has(ip)),
          waits: ips.some((ip) => waiting.has(ip)),
          drainingFor,
          limit,
        });
      verdicts.set(node.name, on(node.addresses));
      for (const ip of node.addresses) {
        const { kind } = on([ip]);
        // The one that is its nexthop: each node has one place in the order of those that drain.
        const isFirst = ip === node.addresses.find((one) => family(one) === family(ip));
        if (isFirst && (kind === 'draining' || (kind === 'carries' && drain.isOver))) handing.push(ip);
        if (kind === 'draining' && drain.isAhead) continue;
        if (kind !== 'carries' && kind !== 'left out') standings.set(ip, kind);
      }
    }
    this.#draining.keep(new Set(nodes.map(({ name }) => name)));
    this.#verdicts = verdicts;
    const isSame =
      standings.size === this.#standings.size &&
      [...standings].every(([ip, standing]) => this.#standings.get(ip) === standing);
    if (!isSame) this.#standings = standings;
    handing.sort(compareIp);
    const isTold = isDeepStrictEqual(handing, this.#handing);
    if (!isTold) this.#handing = handing;
    return !isSame || !isTold;
  }
}
