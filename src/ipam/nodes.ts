import type { Service } from '../model/cluster.ts';
import type { Pool } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Candidate } from './candidate.ts';
import type { Grant } from './grant.ts';

/** The addresses of the nodes that can serve a Service, sorted. */
export type NodeAddresses = (service: Service) => readonly Ip[];

// What a node itself lives by: kube-proxy would take these ports away from it on every node.
const own = [22, 179, 2379, 2380, 6443, 10_248, 10_249, 10_250, 10_255, 10_256, 10_257, 10_258, 10_259];

/** Who has which port of the nodes' addresses: all Services of the pool are on the same ones. */
export class NodePorts {
  readonly pool: Pool;
  readonly #holders = new Map<string, string>();
  readonly #ports = new Map<string, readonly string[]>();
  readonly #addresses: NodeAddresses;

  constructor(pool: Pool, addresses: NodeAddresses) {
    this.pool = pool;
    this.#addresses = addresses;
  }

  holds(key: string): boolean {
    return this.#ports.has(key);
  }

  hold({ key, sharing: { ports } }: Candidate): void {
    this.release(key);
    this.#ports.set(key, ports);
    for (const port of ports) this.#holders.set(port, key);
  }

  release(key: string): void {
    for (const port of this.#ports.get(key) ?? []) this.#holders.delete(port);
    this.#ports.delete(key);
  }

  /** @param before what it has now; it stays while no node can serve, so that names do not lose their addresses */
  grant({ key, service, sharing }: Candidate, before: readonly Ip[]): Grant {
    const { name } = this.pool;
    const mine = service.ports.find(({ protocol, port }) => protocol === 'TCP' && own.includes(port));
    if (mine !== undefined) {
      return refused(
        'PortInUse',
        `TCP/${mine.port} is a port that the nodes themselves live by (pool ${name})`,
      );
    }
    for (const port of sharing.ports) {
      const holder = this.#holders.get(port);
      if (holder !== undefined && holder !== key) {
        return refused('PortInUse', `${port} of the nodes is held by ${holder} (pool ${name})`);
      }
    }
    const ips = this.#addresses(service);
    if (ips.length > 0) return { kind: 'granted', ips };
    if (before.length > 0) return { kind: 'granted', ips: before };
    return refused('NoNode', `no node can serve it (pool ${name})`);
  }
}

function refused(reason: 'PortInUse' | 'NoNode', message: string): Grant {
  return { kind: 'refused', unsatisfied: { reason, message } };
}
