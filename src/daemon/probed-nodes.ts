import { isDeepStrictEqual } from 'node:util';
import { addressIn, type Candidates, candidates } from '../desire/carriers.ts';
import type { Node } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, families, family, type Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { ProxyTarget } from '../probe/proxy-health.ts';
import { type Targets, targetsOn } from '../probe/targets.ts';
import { gcThreshold, neighbourLimit } from './neighbour-limits.ts';

export interface ProbedNodesInputs {
  readonly gateway: () => Gateway;
  /** As of the last dump. */
  readonly links: () => readonly Link[];
  /** Called when other addresses are on the LAN, or it is another interface. */
  readonly followTargets: (targets: Targets) => void;
  /** Called when there are other nodes. */
  readonly followProxies: (proxies: readonly ProxyTarget[]) => void;
}

const none: readonly Problem[] = [];

/** The nodes that the probe asks, and their addresses on the LAN. */
export class ProbedNodes {
  readonly #inputs: ProbedNodesInputs;
  #nodes: unknown;
  #links: unknown;
  #lan = '';
  #candidates: Candidates = candidates([]);
  /** Those that are asked; the others are once the round is over. */
  #followed: Candidates | undefined;
  #problems = none;

  constructor(inputs: ProbedNodesInputs) {
    this.#inputs = inputs;
  }

  /** Of the limits of the neighbour table; the same array as long as nothing in it changes. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** undefined: the node has no such address. */
  addressOf(node: string, of: Family): Ip | undefined {
    return addressIn(this.#candidates.byName.get(node), of);
  }

  /** @returns those that may carry; undefined: the nodes are the same as before */
  read(nodes: readonly Node[]): Candidates | undefined {
    if (nodes === this.#nodes) return undefined;
    this.#nodes = nodes;
    this.#candidates = candidates(nodes);
    // A first round takes long, and the answers are wanted soon after it. Later on what forwards packets comes first.
    if (this.#followed === undefined) this.#followNodes();
    return this.#candidates;
  }

  /** A round is over: the links may be other ones. */
  rounded(): void {
    if (this.#followed !== this.#candidates) this.#followNodes();
    const links = this.#inputs.links();
    const { lan } = this.#inputs.gateway();
    if (links === this.#links && lan === this.#lan) return;
    // A dump makes a new list of the same links.
    const isSame = lan === this.#lan && isDeepStrictEqual(links, this.#links);
    this.#links = links;
    this.#lan = lan;
    if (!isSame) this.#followTargets();
  }

  #followNodes(): void {
    this.#followed = this.#candidates;
    this.#followTargets();
    const proxies = [...this.#candidates.byName].flatMap(([node, { ipv4, ipv6 }]) => {
      const ip = ipv4 ?? ipv6;
      return ip === undefined ? [] : [{ node, ip }];
    });
    this.#inputs.followProxies(proxies);
  }

  #followTargets(): void {
    const { lan: name } = this.#inputs.gateway();
    const lan = this.#inputs.links().find((link) => link.name === name && link.up && link.carrier);
    const every = [...this.#candidates.every.values()].flatMap((of) => [...of[4], ...of[6]]);
    // An address that nodes of two clusters have is one host.
    const hosts = new Map(every.map((carrier) => [carrier.ip, carrier]));
    const targets = targetsOn(lan, [...hosts.values()]);
    this.#inputs.followTargets(targets);
    const limits = families.flatMap((of) => {
      const { length } = targets.nodes.filter(({ ip }) => family(ip) === of);
      return length === 0 ? none : neighbourLimit(of, length, gcThreshold(of));
    });
    if (limits.length > 0 || this.#problems.length > 0) this.#problems = limits;
  }
}
