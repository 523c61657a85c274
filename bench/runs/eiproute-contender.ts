import type { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { Eiproute } from '../../lab/eiproute/eiproute.ts';
import type { Lab } from '../../lab/lab.ts';
import { residentMiB } from '../../lab/process/process.ts';
import type { LoadBalancer } from './load-balancer.ts';

/** eiproute with its defaults: one gateway that allocates, an agent on every node. */
export class EiprouteContender implements LoadBalancer {
  readonly name = 'eiproute';
  readonly reachable = {};
  readonly many = {};
  readonly #eiproute: Eiproute;

  private constructor(eiproute: Eiproute) {
    this.#eiproute = eiproute;
  }

  static async start({ network }: Lab, cluster: RealCluster): Promise<EiprouteContender> {
    // The lowest addresses are given first: those that the upstream router sends here.
    const pools = ['198.51.100.0/24', '198.51.104.0/21', '2001:db8:e::/64'];
    const eiproute = await Eiproute.start(network, cluster, { lines: 'allocate: true', pools });
    await eiproute.synced(AbortSignal.timeout(30_000));
    return new EiprouteContender(eiproute);
  }

  async memory(): ReturnType<LoadBalancer['memory']> {
    const [central, node] = await Promise.all(
      [this.#eiproute.gateway.pid, this.#eiproute.agentPid].map((pid = 0) => residentMiB(pid)),
    );
    return { central: central ?? Number.NaN, node: node ?? Number.NaN };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#eiproute[Symbol.asyncDispose]();
  }
}
