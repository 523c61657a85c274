import { type ChildProcess, execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kinds } from '../../lab/cluster/api/kinds.ts';
import type { ApiServer } from '../../lab/cluster/api-server.ts';
import { ask } from '../../src/daemon/ask.ts';
import { DaemonError } from '../../src/daemon/daemon-error.ts';

// The cluster of the runs with a gateway, the router it runs on, and the file that it is configured by.

export const nodes = 100;

function kindOf(name: string) {
  const kind = kinds.find((one) => one.kind === name);
  if (kind === undefined) throw new Error(`the API server has no ${name}`);
  return kind;
}
const serviceKind = kindOf('Service');
export const sliceKind = kindOf('EndpointSlice');
export const nodeKind = kindOf('Node');

export function slice(i: number, on: readonly number[]) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    metadata: { name: `s${i}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': `s${i}` } },
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: on.map((node) => ({
      addresses: [`10.244.${node}.${(i % 250) + 1}`],
      nodeName: `n${node}`,
      conditions: { ready: true },
    })),
  };
}

/**
 * Node's options for the process that plays the API server. Its heap is hundreds of MiB, and V8 marks it on both cores for up
 * to 0.4 s, in the midst of what is measured: it begins later than any run ends.
 */
export const apiOptions: readonly string[] = ['--initial-old-space-size=4096'];

/** Of 131,072 in the range for benchmarks. */
export function eipOf(i: number): string {
  return `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
}

export function addressOf(node: number): string {
  return `10.0.0.${node + 10}`;
}

export function createNode(api: ApiServer, i: number): void {
  api.objects.create(nodeKind, {
    metadata: { name: `n${i}` },
    status: { addresses: [{ type: 'InternalIP', address: addressOf(i) }] },
  });
}

/**
 * The nodes of the two endpoints of a Service. Of Local ones, every fourth, there are 247 different pairs at 1,000 Services, and
 * 2,175 from 10,000 on.
 *
 * @param moved how often they have moved
 */
export function nodesOf(i: number, moved = 0): readonly number[] {
  const first = i + moved;
  // Never the same one.
  const second = first + 1 + ((i * 7 + Math.floor(i / nodes)) % (nodes - 1));
  return [first % nodes, second % nodes];
}

/** A quarter of the Services is Local. */
export function fill(api: ApiServer, services: number): void {
  for (let i = 0; i < nodes; i += 1) createNode(api, i);
  for (let i = 0; i < services; i += 1) {
    api.objects.create(serviceKind, {
      metadata: { name: `s${i}`, namespace: 'default' },
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: i % 4 === 0 ? 'Local' : 'Cluster',
        ports: [{ port: 80, protocol: 'TCP' }],
      },
      status: { loadBalancer: { ingress: [{ ip: eipOf(i) }] } },
    });
    api.objects.create(sliceKind, slice(i, nodesOf(i)));
  }
}

/** The links of a router, in a fresh network namespace. */
export function setUpLinks(): void {
  const ip = (command: string): void => {
    execFileSync('ip', command.split(' '));
  };
  ip('link set lo up');
  ip('link add eth0 type veth peer name peer0');
  ip('link add eth1 type veth peer name peer1');
  for (const name of ['eth0', 'peer0', 'eth1', 'peer1']) ip(`link set ${name} up`);
  ip('address add 10.0.0.1/24 dev eth0');
  ip('address add 203.0.113.1/24 dev eth1');
  // The nodes as hosts that answer: nobody is there who could, and the probe would call all of them silent.
  const hosts = Array.from(
    { length: nodes },
    (_, i) =>
      `neigh replace 10.0.0.${i + 10} lladdr 02:00:5e:00:53:${(i + 10).toString(16).padStart(2, '0')} dev eth0 nud permanent\n`,
  );
  execFileSync('ip', ['-batch', '-'], { input: hosts.join('') });
}

/**
 * @param rest further keys
 * @returns the configuration file; the kubeconfig is beside it
 */
export function writeConfig(folder: string, rest: object = {}): string {
  const file = join(folder, 'gateway.json');
  writeFileSync(
    file,
    JSON.stringify({
      kubeconfig: 'kubeconfig',
      lan: 'eth0',
      uplink: 'eth1',
      pools: [{ name: 'bench', addresses: ['198.18.0.0/15'] }],
      stateDirectory: 'state',
      runtimeDirectory: 'run',
      // The nodes are addresses without a kube-proxy behind them.
      probe: { proxyPort: 0 },
      ...rest,
    }),
  );
  return file;
}

/** Until all that the gateway wants is in the kernel. */
export async function synced(folder: string, signal: AbortSignal): Promise<void> {
  while (!(await isSynced(folder, signal))) await sleep(20, undefined, { signal });
}

async function isSynced(folder: string, signal: AbortSignal): Promise<boolean> {
  try {
    return JSON.parse(await ask(join(folder, 'run'), 'gateway', 'GET', '/synced', signal)).synced;
  } catch (error) {
    // It is starting.
    if (error instanceof DaemonError) return false;
    throw error;
  }
}

/** A gateway as its unit starts it, with the priority that it has there. */
export function asUnit(program: string, ...words: readonly string[]): readonly string[] {
  const unit = readFileSync(new URL('../../systemd/eiproute-gateway.service', import.meta.url), 'utf8');
  const [, nice] = /^Nice=(-?\d+)$/m.exec(unit) ?? [];
  if (nice === undefined) throw new Error('the unit of the gateway has no Nice=');
  return ['nice', '-n', nice, program, ...words];
}

/** ms of processor time until now, of all threads: what other load on the machine does not falsify. */
export function workOf(child: ChildProcess): number {
  const tasks = `/proc/${child.pid}/task`;
  const times = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/schedstat`, 'utf8'));
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6;
}
