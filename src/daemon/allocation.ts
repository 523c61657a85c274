import type { Clock } from '../cluster/clock.ts';
import type { Leases, Writer } from '../cluster/writer.ts';
import { candidates, carriers, everyNode } from '../desire/carriers.ts';
import { reservedIn } from '../desire/reserved.ts';
import type { Terms } from '../ipam/allocator.ts';
import { ClusterWriter } from '../ipam/cluster-writer.ts';
import { type AssignmentChange, Controller } from '../ipam/controller.ts';
import { Leadership } from '../ipam/leadership.ts';
import type { NodeAddresses } from '../ipam/nodes.ts';
import type { Allocation } from '../model/allocation.ts';
import type { ApiPeer, Node, Service } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import { families, family, type Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import { termsOf } from '../model/pool.ts';
import type { Problem } from '../model/problem.ts';
import { sameItems } from '../model/same-items.ts';
import type { LeaseStatus } from '../status/status.ts';
import type { Watch } from './daemon-role.ts';
import type { GatewayCluster } from './gateway-clusters.ts';

/** The sources of the terms of the allocation. */
export interface AllocationInputs {
  readonly nodes: readonly Node[];
  /** The Services whose endpoints are the API servers. */
  readonly apis: readonly Service[];
  /** As in the overview of the cluster. */
  readonly apiPeers?: readonly ApiPeer[] | undefined;
  readonly gateway: Gateway;
  readonly links: readonly Link[];
}

/** The terms of the allocation; the same object as long as nothing in them changes. */
export class CurrentTerms {
  #inputs: AllocationInputs | undefined;
  #terms: Terms | undefined;
  #nodes: readonly Node[] | undefined;

  of(inputs: AllocationInputs, allocation: Allocation): Terms {
    const { nodes, apis, gateway, links } = inputs;
    const before = this.#terms;
    const known = this.#inputs;
    const isSame =
      known?.nodes === nodes &&
      sameItems(known.apis, apis) &&
      known.apiPeers === inputs.apiPeers &&
      known.gateway === gateway &&
      known.links === links;
    if (before !== undefined && before.allocation === allocation && isSame) return before;
    this.#inputs = inputs;
    const { pools } = gateway;
    const inUse = [...reservedIn(inputs, gateway)];
    const reserved = new Map(inUse.map(([ip, { name }]) => [ip, name]));
    const claimed = new Set(inUse.flatMap(([ip, { isClaim }]) => (isClaim ? [ip] : [])));
    const ofNodes = pools.some((pool) => termsOf(pool).nodeAddresses);
    const same =
      before?.pools === pools &&
      before.allocation === allocation &&
      sameEntries(before.reserved, reserved) &&
      (!ofNodes || this.#nodes === nodes);
    if (same) return before;
    this.#nodes = nodes;
    this.#terms = { pools, allocation, reserved, claimed, nodeAddresses: nodeAddresses(nodes) };
    return this.#terms;
  }
}

/** Under Cluster the addresses of all candidate nodes, under Local those of nodes with a usable endpoint. */
function nodeAddresses(nodes: readonly Node[]): NodeAddresses {
  const able = candidates(nodes.filter(({ autoscalerDeletes }) => !autoscalerDeletes));
  return (service) => {
    const versions = new Set(service.request.clusterIps.map(family));
    const local = service.externalTrafficPolicy === 'Local';
    return families
      .filter((version) => versions.has(version))
      .flatMap((version) => {
        if (local) return carriers(service, able, version, 'equal').map(({ ip }) => ip);
        return everyNode(able, service.cluster)[version].map(({ ip }) => ip);
      });
  };
}

function sameEntries(a: ReadonlyMap<Ip, string>, b: ReadonlyMap<Ip, string>): boolean {
  return a === b || (a.size === b.size && [...a].every(([ip, holder]) => b.get(ip) === holder));
}

export interface AllocatingOptions {
  readonly allocation: Allocation;
  /** By the name of the cluster, in the order of the configuration; undefined: it is the only one. */
  readonly writers: ReadonlyMap<string | undefined, Writer & Leases>;
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
  readonly clock: Clock;
}

/**
 * The allocation with its Leases, one in each cluster.
 *
 * All clusters share one allocation of addresses, so one gateway writes to all of them: it takes the Leases in the order
 * of the configuration, and lets go of a later one while another gateway holds an earlier one. A cluster whose Lease cannot be
 * read or renewed is passed over: nobody of this gateway writes there, and the others go on.
 */
export class Allocating {
  readonly controller: Controller;
  /** By the name of the cluster; empty: there is no Lease. */
  readonly #leaderships = new Map<string | undefined, Leadership>();

  constructor(options: AllocatingOptions) {
    const { allocation, writers, cluster, inputs, installed, answered, identity, troubled, clock } = options;
    const terms = new CurrentTerms();
    const { lease } = allocation;
    if (lease !== undefined) {
      for (const [cluster, leases] of writers) {
        const earlier = [...this.#leaderships.values()];
        const leadership = new Leadership({
          leases,
          name: lease,
          identity,
          clock,
          changed: () => this.controller.notify(),
          troubled,
          admits: () => earlier.every(isSettled),
        });
        this.#leaderships.set(cluster, leadership);
      }
    }
    this.controller = new Controller({
      cluster,
      writer: new ClusterWriter(writers),
      terms: () => {
        const now = inputs();
        return terms.of(now, now.gateway.allocation ?? allocation);
      },
      routed: installed,
      answered,
      // Without a dump the gateway's own addresses are unknown, and must not be assigned.
      leads: () => inputs().links.length > 0 && this.#leads(),
      turn: (name) => (this.#leaderships.size === 0 ? 0 : this.#leaderships.get(name)?.turn),
      clock,
    });
  }

  /** Whether this gateway writes, and the holder of the Lease; undefined: there is no Lease, or there are several. */
  get lease(): LeaseStatus | undefined {
    return this.leaseOf(undefined);
  }

  /** The same of one of several clusters. */
  leaseOf(cluster: string | undefined): LeaseStatus | undefined {
    const leadership = this.#leaderships.get(cluster);
    return leadership && { leads: leadership.leads, holder: leadership.holder };
  }

  /** How often a Lease went from one gateway to another; undefined: there is no Lease. */
  get transitions(): number | undefined {
    if (this.#leaderships.size === 0) return undefined;
    return [...this.#leaderships.values()].reduce((sum, { transitions }) => sum + transitions, 0);
  }

  #leads(): boolean {
    const all = [...this.#leaderships.values()];
    return all.every(isSettled) && (all.length === 0 || all.some(({ leads }) => leads));
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
    const problems = this.controller.problems();
    const troubles = [...this.#leaderships].flatMap(([name, { trouble }]): readonly Problem[] => {
      if (trouble === undefined) return [];
      const where = name === undefined ? '' : ` of cluster ${name}`;
      const there = name === undefined ? '' : ' there';
      return [
        {
          code: 'lease-trouble',
          // An API server that cannot be reached is told by the feeds as well; routes do not depend on it.
          severity: trouble.answered ? 'error' : 'warn',
          subject: `Lease${where}`,
          message: `the Lease${where} cannot be held: ${trouble.message}; this gateway gives no addresses${there}, and only routes`,
          advice: trouble.advice,
          ...(trouble.answered ? {} : { unanswered: true }),
        },
      ];
    });
    return troubles.length === 0 ? problems : [...problems, ...troubles];
  }

  /**
   * Its work beside the kernel.
   *
   * @param assigned called with the changes of a pass; with none when only the problems have changed
   */
  watches(
    clusters: readonly GatewayCluster[],
    assigned: (changes: readonly AssignmentChange[]) => void,
  ): readonly Watch[] {
    const { controller } = this;
    const recoveries = async ({ name, source }: GatewayCluster, signal: AbortSignal): Promise<void> => {
      for await (const _recovered of source.recoveries?.(signal) ?? []) controller.recovered(name);
    };
    const passes = async (signal: AbortSignal): Promise<void> => {
      for await (const changes of controller.run(signal)) assigned(changes);
    };
    return [
      ...clusters.map((one) => (signal: AbortSignal) => recoveries(one, signal)),
      (signal) => this.holdLeases(signal),
      passes,
    ];
  }

  async holdLeases(signal: AbortSignal): Promise<void> {
    const all = [...this.#leaderships.values()];
    if (all.length > 0) {
      await Promise.all(all.map((leadership) => leadership.run(signal)));
      return;
    }
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}

/** This gateway holds the Lease, or nobody can say who does. */
function isSettled({ leads, trouble }: Leadership): boolean {
  return leads || trouble !== undefined;
}
