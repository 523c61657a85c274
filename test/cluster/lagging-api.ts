import { createServer, request, type Server } from 'node:https';
import { parse } from 'yaml';
import { serverCertificate } from '../../lab/cluster/api/certificate.ts';
import { kubeconfigOf } from '../../lab/cluster/kubeconfig.ts';
import type { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { api } from '../../lab/network/map.ts';
import type { Network } from '../../lab/network/network.ts';
import { close, listenInside } from './server-inside.ts';

const port = 9444;

/**
 * A reverse proxy before kube-apiserver whose watches lag: what they send arrives a fixed time later, in its order.
 * All other requests and answers pass at once. HTTP/1.1, as behind many a load balancer.
 */
export class LaggingApi implements AsyncDisposable {
  readonly #server: Server;
  readonly #authority: string;

  private constructor(server: Server, authority: string) {
    this.#server = server;
    this.#authority = authority;
  }

  /** @param lag ms */
  static async open(network: Network, cluster: RealCluster, lag: number): Promise<LaggingApi> {
    const { authority, certificate, key } = serverCertificate([api.v4], ['lagging']);
    const behind = behindOf(cluster.plane.machineKubeconfig());
    const server = createServer({ key, cert: certificate }, (asked, answer) => {
      const { method, headers } = asked;
      const passed = request(`${behind.server}${asked.url}`, { method, headers, ca: behind.ca }, (found) => {
        answer.writeHead(found.statusCode ?? 502, found.headers);
        answer.flushHeaders();
        if (!asked.url?.includes('watch=true')) {
          found.pipe(answer);
          return;
        }
        const late = (work: () => void): void => void setTimeout(work, lag).unref();
        found.on('data', (chunk) => late(() => answer.write(chunk)));
        found.on('end', () => late(() => answer.end()));
        found.on('error', () => answer.destroy());
      });
      passed.on('error', () => answer.destroy());
      answer.on('close', () => passed.destroy());
      asked.pipe(passed);
    });
    await listenInside(network.namespace('api'), server, port);
    return new LaggingApi(server, authority);
  }

  /** A kubeconfig that works in every namespace of the network. */
  kubeconfig(token: string): string {
    return kubeconfigOf(`https://${api.v4}:${port}`, this.#authority, { token });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#server);
  }
}

/** Where a kubeconfig of the lab leads to. */
function behindOf(kubeconfig: string): { readonly server: string; readonly ca: Buffer } {
  const { clusters }: LabKubeconfig = parse(kubeconfig);
  const [first] = clusters;
  if (first === undefined) throw new Error('the kubeconfig names no cluster');
  const { server, 'certificate-authority-data': data } = first.cluster;
  return { server, ca: Buffer.from(data, 'base64') };
}

interface LabKubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
}
