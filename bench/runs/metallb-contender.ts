import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RealCluster } from '../../lab/cluster/real-cluster.ts';
import type { Lab } from '../../lab/lab.ts';
import { gateway, node, upstream } from '../../lab/network/map.ts';
import type { Network } from '../../lab/network/network.ts';
import { setSysctls } from '../../lab/process/namespace.ts';
import { Process, residentMiB } from '../../lab/process/process.ts';
import { ipBatch } from '../../lab/process/run.ts';
import type { LoadBalancer } from './load-balancer.ts';

const home = fileURLToPath(new URL('../../test/metallb', import.meta.url));
const namespace = 'metallb-system';
const labels = { app: 'metallb', component: 'speaker' };

/**
 * MetalLB in layer 2 mode with its memberlist, as its manifests start it: one controller, a speaker on every node. The
 * router in front of the nodes forwards, and the nodes reply to it: MetalLB needs no more.
 */
export class MetallbContender implements LoadBalancer {
  readonly name = 'MetalLB (layer 2)';
  readonly reachable = { annotations: { 'metallb.io/address-pool': 'lan' }, spec: classless };
  readonly many = { annotations: { 'metallb.io/address-pool': 'many' }, spec: classless };
  readonly #processes: readonly Process[];
  readonly #stack: AsyncDisposableStack;

  private constructor(processes: readonly Process[], stack: AsyncDisposableStack) {
    this.#processes = processes;
    this.#stack = stack;
  }

  static async start({ network }: Lab, cluster: RealCluster): Promise<MetallbContender> {
    await using stack = new AsyncDisposableStack();
    await layRouter(network);
    await apply(cluster);
    const folder = join(network.folder, 'metallb');
    await mkdir(folder, { recursive: true });
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, cluster.plane.adminKubeconfig(), { mode: 0o600 });
    await writeFile(join(folder, 'secretkey'), 'a key of sixteen or more bytes');
    const env = { PATH: process.env['PATH'], KUBECONFIG: kubeconfig, METALLB_NAMESPACE: namespace };
    const controller = stack.use(
      await Process.start({
        namespace: network.namespace('api'),
        argv: [build('controller'), '--webhook-mode=disabled', '--disable-cert-rotation', '--log-level=warn'],
        log: join(folder, 'controller.log'),
        env,
      }),
    );
    const speakers: Process[] = [];
    for (const [i, name] of network.nodes.entries()) {
      speakers.push(
        stack.use(
          await Process.start({
            namespace: network.namespace(name),
            argv: [build('speaker'), '--log-level=warn'],
            log: join(folder, `${name}.log`),
            env: {
              ...env,
              METALLB_NODE_NAME: name,
              METALLB_POD_NAME: `speaker-${name}`,
              METALLB_HOST: node(i + 1).v4,
              METALLB_ML_BIND_ADDR: node(i + 1).v4,
              METALLB_ML_LABELS: 'app=metallb,component=speaker',
              METALLB_ML_SECRET_KEY_PATH: folder,
            },
          }),
        ),
      );
    }
    return new MetallbContender([controller, ...speakers], stack.move());
  }

  async memory(): ReturnType<LoadBalancer['memory']> {
    const [central, speaker] = await Promise.all(this.#processes.map(({ pid = 0 }) => residentMiB(pid)));
    return { central: central ?? Number.NaN, node: speaker ?? Number.NaN };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** The class of the lab's Services is eiproute's. */
const classless = { loadBalancerClass: undefined };

/** @returns the path of the program, built if need be */
function build(name: 'controller' | 'speaker'): string {
  return execFileSync('sh', [join(home, 'build.sh'), name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

/** An ordinary router where eiproute would be: it forwards to the LAN, and the nodes' default route is it. */
async function layRouter(network: Network): Promise<void> {
  setSysctls(network.namespace('gateway'), {
    'net/ipv4/ip_forward': '1',
    'net/ipv6/conf/all/forwarding': '1',
  });
  await ipBatch(
    ['-n', network.namespace('gateway')],
    [`route add default via ${upstream.outer.v4}`, `route add default via ${upstream.outer.v6}`],
  );
  await ipBatch(
    ['-n', network.namespace('upstream')],
    [`route add 10.0.0.0/24 via ${gateway.uplink.v4}`, `route add 2001:db8:10::/64 via ${gateway.uplink.v6}`],
  );
  for (const name of network.nodes) {
    await ipBatch(
      ['-n', network.namespace(name)],
      [`route replace default via ${gateway.lan.v4}`, `route replace default via ${gateway.lan.v6}`],
    );
  }
}

/** Its resource definitions, two pools, and the Pods that its speakers find each other by. */
async function apply(cluster: RealCluster): Promise<void> {
  const { client } = cluster;
  const module = execFileSync('go', ['list', '-m', '-f', '{{.Dir}}', 'go.universe.tf/metallb'], {
    cwd: home,
    encoding: 'utf8',
  }).trim();
  const folder = join(module, 'config/crd/bases');
  for (const file of (await readdir(folder)).sort())
    await client.apply(await readFile(join(folder, file), 'utf8'));
  await client.apply(`
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
`);
  await client.applied(
    `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: ${namespace} }
spec: { addresses: [10.0.0.128-10.0.0.250, "2001:db8:10::1000-2001:db8:10::10ff"] }
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: many, namespace: ${namespace} }
spec: { addresses: [198.51.104.0/21, "2001:db8:f::/112"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: all, namespace: ${namespace} }
spec: { ipAddressPools: [lan, many] }
`,
    AbortSignal.timeout(20_000),
  );
  for (const name of cluster.nodes) await cluster.putHostPod(namespace, `speaker-${name}`, name, labels);
}
