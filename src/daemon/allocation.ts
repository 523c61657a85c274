import { systemClock } from '../cluster/clock.ts';
import type { KubernetesCluster } from '../cluster/kubernetes.ts';
import { candidates, carriers } from '../desire/carriers.ts';
import { reservedIn } from '../desire/reserved.ts';
import type { Terms } from '../ipam/allocator.ts';
import { Controller } from '../ipam/controller.ts';
import { Leadership } from '../ipam/leadership.ts';
import type { NodeAddresses } from '../ipam/nodes.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Node, Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { family, type Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import { termsOf } from '../model/pool.ts';
import type { Problem } from '../model/problem.ts';

/** The sources of the terms of the allocation. */
export interface AllocationInputs {
  readonly nodes: readonly Node[];
  /** The Service whose endpoints are the API servers. */
  readonly api: Service | undefined;
  readonly gateway: Gateway;
  readonly links: readonly Link[];
}

/** The terms of the allocation; the same object as long as nothing in them changes. */
export class CurrentTerms {
  #inputs: AllocationInputs | undefined;
  #terms: Terms | undefined;
  #nodes: readonly Node[] | undefined;

  of(inputs: AllocationInputs, allocation: Allocation): Terms {
    const { nodes, api, gateway, links } = inputs;
    const before = this.#terms;
    const known = this.#inputs;
    const isSame =
      known?.nodes === nodes && known.api === api && known.gateway === gateway && known.links === links;
    if (before !== undefined && before.allocation === allocation && isSame) return before;
    this.#inputs = inputs;
    const { pools } = gateway;
    const reserved = new Map([...reservedIn(inputs, gateway)].map(([ip, { name }]) => [ip, name]));
    const ofNodes = pools.some((pool) => termsOf(pool).nodeAddresses);
    const same =
      before?.pools === pools &&
      before.allocation === allocation &&
      sameEntries(before.reserved, reserved) &&
      (!ofNodes || this.#nodes === nodes);
    if (same) return before;
    this.#nodes = nodes;
    this.#terms = { pools, allocation, reserved, nodeAddresses: nodeAddresses(nodes) };
    return this.#terms;
  }
}

/** Under Cluster the addresses of all candidate nodes, under Local those of nodes with a usable endpoint. */
function nodeAddresses(nodes: readonly Node[]): NodeAddresses {
  const able = candidates(nodes.filter(({ autoscalerDeletes }) => !autoscalerDeletes));
  return (service) => {
    const versions = new Set(service.request.clusterIps.map(family));
    const local = service.externalTrafficPolicy === 'Local';
    return ([4, 6] as const)
      .filter((version) => versions.has(version))
      .flatMap((version) => {
        if (local) return carriers(service, able, version, 'equal').map(({ ip }) => ip);
        return [...able.byName.values()].flatMap(({ ipv4, ipv6 }) => (version === 4 ? ipv4 : ipv6) ?? []);
      });
  };
}

function sameEntries(a: ReadonlyMap<Ip, string>, b: ReadonlyMap<Ip, string>): boolean {
  return a === b || (a.size === b.size && [...a].every(([ip, holder]) => b.get(ip) === holder));
}

export interface AllocatingOptions {
  readonly allocation: Allocation;
  readonly writer: KubernetesCluster['writer'];
  readonly cluster: ConstructorParameters<typeof Controller>[0]['cluster'];
  /** Called in each pass. */
  readonly inputs: () => AllocationInputs;
  /** Whether an EIP's route is in the kernel. */
  readonly installed: (ip: Ip) => boolean;
  /** Whether a node's dataplane has said that it serves the Service `namespace/name`, where it can say so. */
  readonly answered: (service: string) => boolean;
  /** Holder identity in the Lease. */
  readonly identity: string;
  /** Called when the trouble with the Lease is another one. */
  readonly troubled: () => void;
}

/** The allocation with its Lease. */
export class Allocating {
  readonly controller: Controller;
  readonly #leadership: Leadership | undefined;

  constructor(options: AllocatingOptions) {
    const { allocation, writer, cluster, inputs, installed, answered, identity, troubled } = options;
    const terms = new CurrentTerms();
    const { lease } = allocation;
    this.#leadership =
      lease &&
      new Leadership({
        leases: writer,
        name: lease,
        identity,
        clock: systemClock,
        changed: () => this.controller.notify(),
        troubled,
      });
    this.controller = new Controller({
      cluster,
      writer,
      terms: () => {
        const now = inputs();
        return terms.of(now, now.gateway.allocation ?? allocation);
      },
      routed: installed,
      answered,
      // Without a dump the gateway's own addresses are unknown, and must not be assigned.
      leads: () => inputs().links.length > 0 && (this.#leadership?.leads ?? true),
      clock: systemClock,
    });
  }

  /** Whether this gateway writes, and the holder of the Lease; undefined: there is no Lease. */
  get lease(): { readonly leads: boolean; readonly holder: string | undefined } | undefined {
    const leadership = this.#leadership;
    return leadership && { leads: leadership.leads, holder: leadership.holder };
  }

  /** How often the Lease went from one gateway to another; undefined: there is no Lease. */
  get transitions(): number | undefined {
    return this.#leadership?.transitions;
  }

  /** Services without an address; undefined: another gateway gives them. */
  get waiting(): number | undefined {
    const { allocator } = this.controller;
    if (allocator === undefined) return undefined;
    let count = 0;
    for (const key of allocator.unsatisfied) if (allocator.decisions.get(key)?.ips.length === 0) count += 1;
    return count;
  }

  problems(): readonly Problem[] {
    const trouble = this.#leadership?.trouble;
    const problems = this.controller.problems();
    if (trouble === undefined) return problems;
    return [
      ...problems,
      {
        code: 'lease-trouble',
        // An API server that cannot be reached is told by the feeds as well; routes do not depend on it.
        severity: trouble.answered ? 'error' : 'warn',
        subject: 'Lease',
        message: `the Lease cannot be held: ${trouble.message}; this gateway gives no addresses, and only routes`,
        advice: trouble.advice,
        ...(trouble.answered ? {} : { unanswered: true }),
      },
    ];
  }

  async holdLease(signal: AbortSignal): Promise<void> {
    if (this.#leadership) return this.#leadership.run(signal);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}
