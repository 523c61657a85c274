import { type JsonObject, listAt, textAt } from '../lab/cluster/api/json.ts';
import { RealCluster } from '../lab/cluster/real-cluster.ts';
import { Eiproute } from '../lab/eiproute/eiproute.ts';
import { Witness } from '../lab/load/witness.ts';
import { removeLeftovers } from '../lab/network/lab-run.ts';
import { layNetwork } from '../lab/network/network.ts';
import { now } from '../lab/process/clock.ts';
import { processorSeconds, residentMiB } from '../lab/process/process.ts';
import { waitFor } from '../lab/process/wait.ts';
import { median, table } from './table.ts';

/**
 * Services, with an EndpointSlice for each family: as many as Kubernetes says that a cluster may have; fewer by
 * EIPROUTE_SERVICES.
 */
const count = Number(process.env['EIPROUTE_SERVICES'] ?? 10_000);
const events = 300;
/** Requests that are under way at once. */
const parallel = 16;
/** ms; half an hour, for a machine that does other work as well */
const patience = 1_800_000;

/** 10,000 Services and 20,000 EndpointSlices through the real API, and what eiproute makes of them. */
export async function scale(): Promise<string> {
  await removeLeftovers();
  const signal = AbortSignal.timeout(patience);
  await using network = await layNetwork({ nodes: 3, nodeRouting: 'by agents' }, signal);
  // No kube-proxy: nobody asks for these addresses.
  await using cluster = await RealCluster.start(network);
  const pools = ['198.18.0.0/15', '2001:db8:e::/64'];
  // Nobody answers on the health check ports.
  const lines = 'allocate: true\nprobe: { wait: 0s }';
  await using eiproute = await Eiproute.start(network, cluster, { lines, pools }, 'none');
  await eiproute.synced(signal);
  const { pid = 0 } = eiproute.gateway;

  const pids = [pid, cluster.plane.pid('kube-apiserver'), cluster.plane.pid('etcd'), process.pid];
  const used = (): Promise<number[]> => Promise.all(pids.map((each = 0) => processorSeconds(each)));
  const before = await used();
  const start = now();
  const numbers = Array.from({ length: count }, (_, i) => i);
  await eachOf(numbers, async (i) => {
    await Promise.all(slices(i, 0).map((slice) => cluster.client.create(slice)));
    await cluster.client.create(service(i));
  });
  const created = now() - start;
  const serving = (): true | undefined =>
    cluster.feed.list('Service').filter(isServing).length >= count ? true : undefined;
  await waitFor('every Service is Serving', serving, signal);
  const served = now() - start;
  const after = await used();
  const processor = after.map((each, i) => (each - (before[i] ?? 0)).toFixed(1));
  const afterCreation = await residentMiB(pid);

  const witness = await Witness.watch(network.namespace('gateway'), signal);
  const ms: number[] = [];
  const api: number[] = [];
  for (let i = 0; i < events; i += 1) {
    // The endpoint of a Local one moves to the next node.
    const number = (i * 4) % count;
    const name = `scale-${number}`;
    const ip = textAt(listAt(find(cluster, name), 'status', 'loadBalancer', 'ingress')[0], 'ip');
    const sent = now();
    const moved = slices(number, 1 + Math.floor((i * 4) / count))[0];
    if (moved === undefined) throw new Error('no slice');
    const heard = new Promise<number>((resolve) => {
      const unlisten = cluster.feed.listen(({ object }) => {
        if (textAt(object, 'metadata', 'name') !== `${name}-v4`) return;
        unlisten();
        resolve(now() - sent);
      });
    });
    await cluster.client.patch({ kind: 'EndpointSlice', name: `${name}-v4` }, moved);
    api.push(await heard);
    const seen = await witness.first(new RegExp(`^${ip.replaceAll('.', '\\.')} `), sent, signal);
    ms.push(seen.at - sent);
  }
  await witness[Symbol.asyncDispose]();
  const afterEvents = await residentMiB(pid);

  const reborn = now();
  await eiproute.gateway.kill('SIGTERM', signal);
  await eiproute.restartGateway();
  await eiproute.gateway.synced(signal);
  const restarted = now() - reborn;
  return [
    `${count.toLocaleString('en')} Services and ${(2 * count).toLocaleString('en')} EndpointSlices through Kubernetes ${cluster.plane.programs.release}, ${parallel} requests at a time; no kube-proxy, hence probe.wait: 0s`,
    table([
      ['all created, s', seconds(created)],
      ['all have addresses and are Serving, s', seconds(served)],
      ['processor time, s: eiproute, kube-apiserver, etcd, the bench', processor.join(', ')],
      ['event -> kernel, ms: median', median(ms).toFixed(1)],
      ['99 %', percentile(ms, 0.99).toFixed(1)],
      ['event -> our own watch of the same API, ms: median', median(api).toFixed(1)],
      ['99 %', percentile(api, 0.99).toFixed(1)],
      ['restart -> synced, s', seconds(restarted)],
      ['resident after the creation, MiB', afterCreation.toFixed(0)],
      ['resident after the events, MiB', afterEvents.toFixed(0)],
    ]),
  ].join('\n');
}

async function eachOf(numbers: readonly number[], work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let number = numbers[next]; number !== undefined; number = numbers[next]) {
      next += 1;
      await work(number);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

/** Without a selector, so that no controller touches its slices; one in four is Local. */
function service(i: number): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `scale-${i}`, namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      // A Local one takes a health check port, of which Kubernetes has 2,768.
      externalTrafficPolicy: i % 4 === 0 ? 'Local' : 'Cluster',
      ipFamilyPolicy: 'RequireDualStack',
      ports: [{ name: 'http', port: 80, targetPort: 8080 }],
    },
  };
}

/** @param turn moves the endpoint to another node */
function slices(i: number, turn: number): readonly JsonObject[] {
  const name = `scale-${i}`;
  return (['v4', 'v6'] as const).map((side) => {
    const low = `${(i >> 8) & 0xff}.${i & 0xff}`;
    const address = side === 'v4' ? `10.${100 + (i >> 16)}.${low}` : `2001:db8:244::${(i + 1).toString(16)}`;
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${side}`,
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: side === 'v4' ? 'IPv4' : 'IPv6',
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
      endpoints: [
        {
          addresses: [address],
          nodeName: `node${1 + ((i + turn) % 3)}`,
          conditions: { ready: true, serving: true, terminating: false },
        },
      ],
    };
  });
}

function find({ feed }: RealCluster, name: string): JsonObject | undefined {
  return feed.list('Service').find((each) => textAt(each, 'metadata', 'name') === name);
}

function isServing(object: JsonObject): boolean {
  return listAt(object, 'status', 'conditions').some(
    (each) => textAt(each, 'type') === 'eiproute.io/Serving' && textAt(each, 'status') === 'True',
  );
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
