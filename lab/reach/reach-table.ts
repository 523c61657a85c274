import { listAt, textAt } from '../cluster/api/json.ts';
import { type LabService, type ObjectFeed, ready } from '../cluster/cluster.ts';
import type { Lab } from '../lab.ts';
import { type Dual, eip, node } from '../network/map.ts';
import type { Network } from '../network/network.ts';
import type { Process } from '../process/process.ts';
import { waitFor } from '../process/wait.ts';
import { type Asked, ask } from './ask.ts';
import { startNginx } from './nginx.ts';

/** One way to reach a Service. */
interface Target extends Omit<Asked, 'ip'> {
  readonly name: string;
  /** Asked in turn, all must answer. */
  readonly addresses: readonly Dual[];
  /** Where it is asked from; absent: everywhere. */
  readonly from?: readonly string[];
  /** The pods that may answer. */
  readonly by: RegExp;
}

/** Whether a target answered everybody at one place. */
export interface ReachCell {
  readonly target: string;
  readonly from: string;
  /** Empty: yes, over IPv4 and IPv6. Else what failed, in words. */
  readonly trouble: string;
}

const everywhere = ['client', 'upstream', 'gateway', 'api', 'node1', 'node2', 'node3', 'web-1', 'web-2'];
/** Places that have a route to the nodes' own addresses. */
const inside = ['gateway', 'api', 'node1', 'node2', 'node3', 'web-1', 'web-2'];

const nodePort = 30_080;
const ingressPort = 8081;
/** ms */
const patience = 20_000;
const http = { protocol: 'TCP', port: 80 } as const;
const shared = { 'eiproute.io/sharing-key': 'dns' };

/** The Services of the table: each kind that Kubernetes has, behind EIPs. */
const services: readonly (LabService & { readonly on: readonly string[] })[] = [
  { name: 'cluster', policy: 'Cluster', annotations: asksFor(eip(1)), on: ['web-1', 'web-2', 'web-3'] },
  { name: 'local', policy: 'Local', annotations: asksFor(eip(2)), on: ['web-2', 'web-3'] },
  {
    name: 'external',
    policy: 'Cluster',
    on: ['web-1'],
    spec: { externalIPs: both(eip(3)) },
  },
  {
    name: 'dns-tcp',
    policy: 'Cluster',
    annotations: { ...asksFor(eip(4)), ...shared },
    on: ['web-1', 'web-2'],
    spec: { ports: [{ name: 'dns', protocol: 'TCP', port: 53, targetPort: 8080 }] },
  },
  {
    name: 'dns-udp',
    policy: 'Cluster',
    annotations: { ...asksFor(eip(4)), ...shared },
    on: ['web-1', 'web-2'],
    spec: { ports: [{ name: 'dns', protocol: 'UDP', port: 53, targetPort: 8080 }] },
  },
  {
    name: 'nodeport',
    policy: 'Cluster',
    annotations: asksFor(eip(5)),
    on: ['web-3'],
    spec: {
      allocateLoadBalancerNodePorts: true,
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080, nodePort }],
    },
  },
  {
    name: 'ingress',
    policy: 'Local',
    annotations: asksFor(eip(6)),
    on: ['ingress'],
    spec: { ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: ingressPort }] },
  },
];

const targets: readonly Target[] = [
  { name: 'Cluster', ...http, addresses: [eip(1)], by: /^web-[123] / },
  { name: 'Local', ...http, addresses: [eip(2)], by: /^web-[23] / },
  { name: 'external IPs', ...http, addresses: [eip(3)], by: /^web-1 / },
  { name: 'TCP 53', protocol: 'TCP', port: 53, addresses: [eip(4)], by: /^web-[12] / },
  { name: 'UDP 53', protocol: 'UDP', port: 53, addresses: [eip(4)], by: /^web-[12] / },
  { name: 'EIP of NodePort', ...http, addresses: [eip(5)], by: /^web-3 / },
  {
    name: 'NodePort',
    protocol: 'TCP',
    port: nodePort,
    addresses: [node(1), node(2), node(3)],
    from: inside,
    by: /^web-3 /,
  },
  { name: 'shop.example/', ...http, addresses: [eip(6)], url: 'shop.example/', by: /^web-1 / },
  { name: 'shop.example/cart', ...http, addresses: [eip(6)], url: 'shop.example/cart', by: /^web-2 / },
  { name: 'blog.example/', ...http, addresses: [eip(6)], url: 'blog.example/', by: /^web-3 / },
];

/**
 * Lays the Services of the table over the pods web-1 to web-3, one on each node, with an nginx in a fourth pod as the
 * ingress controller in front of them.
 *
 * @returns the nginx
 */
export async function layServices({ network, cluster, proxy }: Lab): Promise<Process> {
  const [one, two, three] = await Promise.all(
    network.nodes.map((name, i) => network.addPod(`web-${i + 1}`, name)),
  );
  const pods = [one, two, three, await network.addPod('ingress', 'node2')];
  for (const { on, ...service } of services) {
    const backends = pods.filter((pod) => pod !== undefined).filter(({ name }) => on.includes(name));
    await cluster.createService(service, ready(backends));
  }
  const nginx = await startNginx(network, 'ingress', ingressPort, [
    { host: 'shop.example', path: '/', to: one },
    { host: 'shop.example', path: '/cart', to: two },
    { host: 'blog.example', path: '/', to: three },
  ]);
  const late = AbortSignal.timeout(patience);
  for (const { name } of services) {
    const serves = (): true | undefined => (isServing(cluster.feed, name) ? true : undefined);
    await waitFor(`Service ${name} is Serving`, serves, late);
  }
  await proxy.settled();
  return nginx;
}

/**
 * Asks every target from every place, over both families. The played kube-proxy serves no node ports: with it that
 * target is left out.
 */
export async function reachTable({ network, proxy }: Lab): Promise<readonly ReachCell[]> {
  const cells: ReachCell[] = [];
  for (const target of targets) {
    if (target.port === nodePort && proxy.kind === 'played') continue;
    for (const from of target.from ?? everywhere) {
      cells.push({ target: target.name, from, trouble: await troubleOf(network, target, from) });
    }
  }
  return cells;
}

async function troubleOf(network: Network, target: Target, from: string): Promise<string> {
  const { addresses, by, ...asked } = target;
  const troubles = await Promise.all(
    addresses.flatMap(both).map(async (ip) => {
      const { kind, text } = await ask(network, from, { ...asked, ip });
      return kind === 'answer' && by.test(text) ? [] : [`${ip}: ${kind} ${text}`];
    }),
  );
  return troubles.flat().join('; ');
}

function isServing(feed: ObjectFeed, name: string): boolean {
  const service = feed.list('Service').find((each) => textAt(each, 'metadata', 'name') === name);
  return listAt(service, 'status', 'conditions').some(
    (each) => textAt(each, 'type') === 'eiproute.io/Serving' && textAt(each, 'status') === 'True',
  );
}

function asksFor(ip: Dual): Readonly<Record<string, string>> {
  return { 'eiproute.io/addresses': both(ip).join() };
}

function both({ v4, v6 }: Dual): readonly Dual['v4'][] {
  return [v4, v6];
}
