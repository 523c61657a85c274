import { createServer, type Server } from 'node:http';
import type { Network } from '../network/network.ts';
import { inside } from '../process/namespace.ts';
import type { ProxiedService } from './proxy-rules.ts';

/** The health check ports of Services under Local, on every node, as kube-proxy answers there. */
export class HealthPorts implements AsyncDisposable {
  readonly #network: Network;
  /** By node and port. */
  readonly #servers = new Map<string, { readonly server: Server; local: number }>();

  constructor(network: Network) {
    this.#network = network;
  }

  /** Answers 200 where a Service has ready endpoints, 503 elsewhere; called when the rules are written. */
  async serve(services: readonly ProxiedService[]): Promise<void> {
    const stale = new Set(this.#servers.keys());
    for (const { healthPort, endpoints } of services) {
      if (healthPort === undefined) continue;
      for (const node of this.#network.nodes) {
        const local = endpoints.filter((each) => each.node === node && each.state === 'ready').length;
        const key = `${node} ${healthPort}`;
        stale.delete(key);
        const known = this.#servers.get(key);
        if (known !== undefined) known.local = local;
        else await this.#open(key, node, healthPort, local);
      }
    }
    for (const key of stale) this.#close(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of [...this.#servers.keys()]) this.#close(key);
  }

  async #open(key: string, node: string, port: number, local: number): Promise<void> {
    const server = createServer((_, response) => {
      response.statusCode = health.local > 0 ? 200 : 503;
      response.setHeader('connection', 'close');
      response.end(JSON.stringify({ localEndpoints: health.local }));
    });
    const health = { server, local };
    this.#servers.set(key, health);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Without a host to look up the socket is made within the call, that is, in the namespace.
      inside(this.#network.namespace(node), () => server.listen(port, resolve));
    });
    // The lab ends what it began; a port that is still open must not keep a test from ending.
    server.unref();
  }

  #close(key: string): void {
    const found = this.#servers.get(key);
    this.#servers.delete(key);
    found?.server.closeAllConnections();
    found?.server.close();
  }
}
