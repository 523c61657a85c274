import { isDeepStrictEqual } from 'node:util';
import type { ProbeTerms } from '../config/config.ts';
import { leftOut } from '../desire/carriers.ts';
import { drainReason, type NodeSignals, type Verdict, verdict } from '../desire/verdict.ts';
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
  /** Counts the changes of what `proxy` returns. */
  readonly proxyChanges: number;
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

type Signals = Pick<NodeSignals, 'node' | 'hung' | 'proxy' | 'cordon'>;

/**
 * What every node may be sent, by its name and by its addresses: the verdicts on all of them. Where several Nodes have an
 * address, it is that of one machine, which is sent what the Node that is best off may be sent: the others are stale.
 */
export class Standings {
  readonly #draining = new DrainingNodes();
  /** Those of the last read. */
  #inputs: StandingsInputs | undefined;
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

  /**
   * By name; of a node with two addresses the verdict on the one that is worse off. Of Nodes with one address each has its
   * own.
   */
  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts;
  }

  /** Whether time alone may change them. */
  get isIdle(): boolean {
    return this.#draining.isIdle;
  }

  /**
   * Costs all nodes when an input is another object than at the last read, or when time may change something.
   *
   * @returns whether the standings, or what the agents are told, are others than before
   */
  read(inputs: StandingsInputs): boolean {
    // An event must not cost what the nodes weigh.
    if (this.isIdle && sameInputs(this.#inputs, inputs)) return false;
    this.#inputs = inputs;
    return this.#judge(inputs);
  }

  #judge({ nodes, silent, waiting, hung, terms, proxy, lead, now }: StandingsInputs): boolean {
    const { cordon, drainLimit: limit } = terms;
    const signals = (node: Node): Signals => ({
      node,
      hung: hung.has(node.name),
      proxy: proxy(node.name),
      cordon,
    });
    const standings = new Map<Ip, Standing>();
    const drainedFor = new Map<Ip, number>();
    const handing: Ip[] = [];
    const machines = machinesOf(nodes);
    for (const [ip, holders] of machines) {
      const known = signals(speaker(holders, (node) => drainReason(signals(node)) !== undefined));
      const ahead = known.hung ? Math.min(lead, hungLead) : lead;
      const drain = this.#draining.note(ip, drainReason(known) !== undefined, now, ahead);
      drainedFor.set(ip, drain.ms);
      const { kind } = verdict({
        ...known,
        silent: silent.has(ip),
        waits: waiting.has(ip),
        drainingFor: drain.ms,
        limit,
      });
      // An address that is a nexthop: each node has one place in the order of those that drain.
      const isFirst = holders.some(
        ({ addresses }) => ip === addresses.find((one) => family(one) === family(ip)),
      );
      if (isFirst && (kind === 'draining' || (kind === 'carries' && drain.isOver))) handing.push(ip);
      if (kind === 'draining' && drain.isAhead) continue;
      if (kind !== 'carries' && kind !== 'left out') standings.set(ip, kind);
    }
    this.#draining.keep(new Set(machines.keys()));
    const verdicts = new Map<string, Verdict>();
    for (const node of nodes) {
      const { addresses } = node;
      const of = {
        silent: addresses.some((ip) => silent.has(ip)),
        waits: addresses.some((ip) => waiting.has(ip)),
        drainingFor: Math.max(0, ...addresses.map((ip) => drainedFor.get(ip) ?? 0)),
      };
      verdicts.set(node.name, verdict({ ...signals(node), ...of, limit }));
    }
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

function sameInputs(a: StandingsInputs | undefined, b: StandingsInputs): boolean {
  return (
    a?.nodes === b.nodes &&
    a.silent === b.silent &&
    a.waiting === b.waiting &&
    a.hung === b.hung &&
    a.terms === b.terms &&
    a.proxyChanges === b.proxyChanges
  );
}

/** The Nodes with each address: more than one where a Node is stale, or belongs to another cluster. Never empty. */
function machinesOf(nodes: readonly Node[]): ReadonlyMap<Ip, Holders> {
  const machines = new Map<Ip, [Node, ...Node[]]>();
  for (const node of nodes)
    for (const ip of node.addresses) {
      const known = machines.get(ip);
      if (known === undefined) machines.set(ip, [node]);
      else known.push(node);
    }
  return machines;
}

type Holders = readonly [Node, ...Node[]];

/** Of the Nodes with one address the one that is best off. */
function speaker(holders: Holders, drains: (node: Node) => boolean): Node {
  const [first, ...others] = holders;
  if (others.length === 0) return first;
  const able = holders.filter((node) => leftOut(node) === undefined);
  return able.find((node) => !drains(node)) ?? able[0] ?? holders.find((node) => !drains(node)) ?? first;
}
