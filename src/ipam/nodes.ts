import { nameInside, qualified, type Service } from '../model/cluster.ts';
import type { Pool } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import { byAge, type Candidate } from './candidate.ts';
import type { Unsatisfied } from './decision.ts';
import type { Grant } from './grant.ts';
import { poolTopic } from './waiters.ts';

/** The addresses of the nodes that can serve a Service, sorted. */
export type NodeAddresses = (service: Service) => readonly Ip[];

// What a node itself lives by: kube-proxy would take these ports away from it on every node.
const own = [22, 179, 2379, 2380, 6443, 10_248, 10_249, 10_250, 10_255, 10_256, 10_257, 10_258, 10_259];

/** Who has which port of the nodes' addresses: all Services of the pool are on the same ones. */
export class NodePorts {
  readonly pool: Pool;
  /** Who is on each port of the nodes of its cluster, the oldest first: the port is that one's. */
  readonly #claimants = new Map<string, readonly Candidate[]>();
  readonly #ports = new Map<string, readonly string[]>();
  readonly #addresses: NodeAddresses;

  constructor(pool: Pool, addresses: NodeAddresses) {
    this.pool = pool;
    this.#addresses = addresses;
  }

  /** Whether a Service has the nodes' addresses, and all its ports there. */
  holds({ key, service }: Candidate): boolean {
    const ports = this.#ports.get(key);
    if (ports === undefined || portOfNodes(service) !== undefined) return false;
    return ports.every((port) => this.#claimants.get(port)?.[0]?.key === key);
  }

  /** Whether a Service is on the nodes, be its ports another's. */
  has(key: string): boolean {
    return this.#ports.has(key);
  }

  /** @returns the other Services on its former and present ports */
  assign(candidate: Candidate): readonly string[] {
    const others = this.release(candidate.key);
    const ports = portsOf(candidate);
    this.#ports.set(candidate.key, ports);
    for (const port of ports) {
      this.#claimants.set(port, [...(this.#claimants.get(port) ?? []), candidate].sort(byAge));
    }
    return [...others, ...this.#others(candidate.key, ports)];
  }

  /** @returns the other Services on its ports */
  release(key: string): readonly string[] {
    const ports = this.#ports.get(key) ?? [];
    this.#ports.delete(key);
    for (const port of ports) {
      const rest = this.#claimants.get(port)?.filter((one) => one.key !== key) ?? [];
      if (rest.length === 0) this.#claimants.delete(port);
      else this.#claimants.set(port, rest);
    }
    return this.#others(key, ports);
  }

  /** @param before what it has now; it stays while no node can serve, so that names do not lose their addresses */
  grant(candidate: Candidate, before: readonly Ip[]): Grant {
    const { key, service } = candidate;
    const { name } = this.pool;
    const taken = portOfNodes(service);
    if (taken !== undefined) {
      const message = `TCP/${taken} is a port that the nodes themselves live by (pool ${name})`;
      return this.#refused({ reason: 'PortInUse', message });
    }
    for (const port of portsOf(candidate)) {
      const holder = this.#claimants.get(port)?.find((one) => one.key !== key);
      const mine = this.#claimants.get(port)?.[0]?.key === key;
      if (holder !== undefined && !mine) {
        const message = `${nameInside(port)} of the nodes is held by ${holder.key} (pool ${name})`;
        return this.#refused({ reason: 'PortInUse', message });
      }
    }
    const ips = this.#addresses(service);
    if (ips.length > 0) return { kind: 'granted', ips };
    if (before.length > 0) return { kind: 'granted', ips: before };
    return this.#refused({ reason: 'NoNode', message: `no node can serve it (pool ${name})` });
  }

  #others(key: string, ports: readonly string[]): readonly string[] {
    return ports
      .flatMap((port) => this.#claimants.get(port) ?? [])
      .map((one) => one.key)
      .filter((other) => other !== key);
  }

  #refused(unsatisfied: Unsatisfied): Grant {
    return { kind: 'refused', unsatisfied, waitsFor: [poolTopic(this.pool.name)] };
  }
}

/** `TCP/80`, with the name of the cluster before it: another one has other nodes. */
function portsOf({ sharing: { cluster, ports } }: Candidate): readonly string[] {
  return cluster === undefined ? ports : ports.map((port) => qualified(cluster, port));
}

function portOfNodes({ ports }: Service): number | undefined {
  return ports.find(({ protocol, port }) => protocol === 'TCP' && own.includes(port))?.port;
}
