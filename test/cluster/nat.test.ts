import { createServer } from 'node:http';
import { expect } from 'chai';
import { at } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { client, clients, type Dual, gateway, node, podBridge } from '../../lab/network/map.ts';
import { RealProxy } from '../../lab/proxy/real-proxy.ts';
import { ask } from '../../lab/reach/ask.ts';
import { family, type Ip } from '../../src/model/ip.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';
import { close, listenInside } from './server-inside.ts';

/** Services have NodePorts. */
const spec = { allocateLoadBalancerNodePorts: true };
const proxyPort = 10_256;
const names = ['web-1', 'web-2', 'web-3'];
const all = 'node1 node2 node3';

/** What a pod says to one of the client's addresses: `web-2 192.0.2.101`; or curl's exit status. */
async function get({ lab }: Stage, ip: Ip, i = 0): Promise<string> {
  const url = `http://${ip.includes(':') ? `[${ip}]` : ip}/`;
  const argv = ['curl', '-s', '-g', '--max-time', '5', '--interface', of(ip, client(i)), url];
  const { out, status } = await lab.network.outcome('client', { argv });
  return status === 0 ? out.trim() : `curl ${status}`;
}

/** The address of the same family. */
function of(ip: Ip, { v4, v6 }: Dual): Ip {
  return family(ip) === 4 ? v4 : v6;
}

/** The nodes in the buckets of an EIP's TCP port 80, as the gateway's kernel has them: `node1 node3`. */
async function bucketsOf({ lab: { network } }: Stage, ip: Ip): Promise<string> {
  const argv = ['nft', '--numeric', 'list', 'table', 'inet', 'eiproute-nat-86'];
  const table = await network.run('gateway', { argv });
  const [, group] =
    table.match(new RegExp(`[ {]${ip.replaceAll('.', '\\.')} \\. (?:tcp|6) \\. 80 : \\w+ (g\\d+)`)) ?? [];
  const [, elements = ''] = table.match(new RegExp(`map ${group} {[^}]*elements = {([^}]*)}`)) ?? [];
  const found = new Set([...elements.matchAll(/ : ([^\s,]+)/g)].map(([, to]) => to));
  return network.nodes.filter((_, i) => found.has(of(ip, node(i + 1)))).join(' ');
}

/** Resolves when the buckets of every EIP of a Service have these nodes. */
async function leads(stage: Stage, service: string, nodes: string): Promise<void> {
  for (const ip of stage.ips(service))
    await stage.until(`${ip} goes to ${nodes}`, async () => (await bucketsOf(stage, ip)) === nodes);
}

/** The nodes send all that they do not know through the gateway. */
async function leadNodesThroughGateway({ lab: { network } }: Stage): Promise<void> {
  for (const name of network.nodes)
    for (const via of [gateway.lan.v4, gateway.lan.v6])
      await network.run(name, { argv: ['ip', 'route', 'replace', 'default', 'via', via] });
}

/** The nodes have kube-proxy and nothing of ours; their default route leads past the gateway. */
for (const proxy of ['nftables', 'iptables'] as const) {
  describe(`NAT to NodePorts of a real kube-proxy, ${proxy}`, () => {
    let stage: Stage;
    before(async function () {
      await needKubernetes(this);
      stage = await Stage.open(real(proxy), 'allocate: true\nmode: nat\nnat: { source: masquerade }', {
        agents: 'none',
      });
      await stage.layPods();
    });
    after(async () => {
      await stage?.[Symbol.asyncDispose]();
    });

    it('serves a Cluster Service at once, by whatever node', async () => {
      await stage.lab.cluster.createService(
        { name: 'web', policy: 'Cluster', spec },
        ready(stage.pods('web-2')),
      );
      await stage.serving('web');
      await stage.lab.proxy.settled();
      for (const ip of stage.ips('web'))
        for (let i = 0; i < clients; i += 1)
          expect(await get(stage, ip, i), `${ip} ${i}`).to.match(/^web-2 /);
      await stage.gone('web');
    });

    it('sends a Local Service to nodes with an endpoint alone, which see the gateway, and follows them', async () => {
      const { cluster, proxy: rules } = stage.lab;
      await cluster.createService(
        { name: 'local', policy: 'Local', spec },
        ready(stage.pods('web-1', 'web-3')),
      );
      await stage.serving('local');
      await rules.settled();
      for (const ip of stage.ips('local')) {
        const seen = new Set<string>();
        for (let i = 0; i < clients; i += 1) seen.add(await get(stage, ip, i));
        const by = of(ip, gateway.lan);
        expect([...seen].sort(), ip).to.deep.equal([`web-1 ${by}`, `web-3 ${by}`]);
      }
      await cluster.setBackends('local', ready(stage.pods('web-2')));
      for (const ip of stage.ips('local'))
        await stage.until(`${ip} is served by node2`, async () =>
          (await get(stage, ip)).startsWith('web-2 '),
        );
      await stage.gone('local');
    });

    it('is refused where no Service is, and where a Service has no NodePort', async () => {
      // Linux sends a host one ICMP error a second, and this client has just got some: the answer would be silence.
      await stage.lab.network.run('gateway', { argv: ['sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0'] });
      await stage.lab.network.run('gateway', { argv: ['sysctl', '-qw', 'net.ipv6.icmp.ratelimit=0'] });
      await stage.lab.cluster.createService(
        { name: 'none', policy: 'Cluster', spec: { allocateLoadBalancerNodePorts: false } },
        ready(stage.pods('web-1')),
      );
      await stage.until('it has an address', () => stage.eips('none') !== '');
      await stage.until(
        'it is told',
        () => stage.condition('none', 'eiproute.io/Serving') === 'False NotRouted',
      );
      for (const ip of stage.ips('none'))
        expect((await ask(stage.lab.network, 'client', { ip, protocol: 'TCP', port: 80 })).kind).to.equal(
          'refused',
        );
      await stage.gone('none');
    });
  });
}

for (const proxy of ['nftables', 'iptables'] as const) {
  describe(`NAT that preserves the client's address, real kube-proxy, ${proxy}`, () => {
    let stage: Stage;
    before(async function () {
      await needKubernetes(this);
      stage = await Stage.open(real(proxy), 'allocate: true\nmode: nat', { agents: 'none' });
      await leadNodesThroughGateway(stage);
      await stage.layPods();
    });
    after(async () => {
      await stage?.[Symbol.asyncDispose]();
    });

    /** What the pods of a Service said to each of the client's addresses. */
    const serve = async (policy: 'Cluster' | 'Local', pods: readonly string[]) => {
      const name = policy.toLowerCase();
      await stage.lab.cluster.createService({ name, policy, spec }, ready(stage.pods(...pods)));
      await stage.serving(name);
      await stage.lab.proxy.settled();
      const said: { readonly ip: Ip; readonly from: Ip; readonly text: string }[] = [];
      for (const ip of stage.ips(name))
        for (let i = 0; i < clients; i += 1)
          said.push({ ip, from: of(ip, client(i)), text: await get(stage, ip, i) });
      return said;
    };

    it('shows a pod of a Local Service the client itself', async () => {
      const said = await serve('Local', ['web-1', 'web-3']);
      for (const { ip, from, text } of said) expect(text, ip).to.be.oneOf([`web-1 ${from}`, `web-3 ${from}`]);
      const answered = new Set(said.map(({ text }) => text.split(' ')[0]));
      expect([...answered].sort()).to.deep.equal(['web-1', 'web-3']);
      await stage.gone('local');
    });

    it('shows a pod of a Cluster Service the node that it came by: kube-proxy masquerades', async () => {
      const said = await serve('Cluster', ['web-2']);
      const seen = (ip: Ip) => new Set(said.filter((one) => one.ip === ip).map(({ text }) => text));
      for (const ip of stage.ips('cluster')) {
        // On its own node, by the bridge of the pods; from the others, by the LAN.
        const nodes = [of(ip, node(1)), of(ip, podBridge(2)), of(ip, node(3))];
        expect([...seen(ip)].sort(), ip).to.deep.equal(nodes.map((by) => `web-2 ${by}`).sort());
      }
      await stage.gone('cluster');
    });
  });
}

describe('NAT and what a real kube-proxy says of its health', () => {
  let stage: Stage;
  let proxy: RealProxy;
  before(async function () {
    await needKubernetes(this);
    // As long as a node may wait: a test that froze its kube-proxy has the time to look.
    stage = await Stage.open(real('nftables'), 'allocate: true\nmode: nat\nprobe: { wait: 1m }', {
      agents: 'none',
    });
    await leadNodesThroughGateway(stage);
    await stage.layPods();
    if (!(stage.lab.proxy instanceof RealProxy)) throw new Error('the lab has no real kube-proxy');
    proxy = stage.lab.proxy;
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  it('a pod that moves takes new connections along once the health check node port says so, and none fails', async () => {
    const { cluster, clients: load, network } = stage.lab;
    await cluster.createService({ name: 'moves', policy: 'Local', spec }, ready(stage.pods('web-1')));
    await stage.serving('moves');
    await proxy.settled();
    const ips = stage.ips('moves');
    await leads(stage, 'moves', 'node1');
    const port = Number(at(stage.service('moves'), 'spec', 'healthCheckNodePort') ?? 0);
    const health = async (index: number): Promise<string> => {
      const url = `http://${node(index).v4}:${port}/`;
      const argv = ['curl', '-s', '-o', '/dev/null', '-m', '5', '-w', '%{http_code}', url];
      return (await network.outcome('gateway', { argv })).out;
    };
    expect([await health(1), await health(2), await health(3)]).to.deep.equal(['200', '503', '503']);

    await using requests = load.start({ to: ips, port: 80, every: 10 });
    for (const ip of ips) await requests.next(({ to, pod }) => to === ip && pod === 'web-1', late());
    const start = Date.now();
    // It hears nothing of its endpoint, and what comes to it would be refused.
    await proxy.signal('node2', 'SIGSTOP');
    const [web1, web2] = [stage.pods('web-1'), stage.pods('web-2')];
    await cluster.setBackends('moves', [
      ...web1.map((pod) => ({ pod, state: 'terminating' as const })),
      ...ready(web2),
    ]);
    for (let more = 0; more < 200; more += 1) await requests.next(() => true, late());
    for (const ip of ips) expect(await bucketsOf(stage, ip), ip).to.equal('node1');
    await proxy.signal('node2', 'SIGCONT');
    await leads(stage, 'moves', 'node2');
    expect(await health(2)).to.equal('200');
    await cluster.setBackends('moves', ready(web2));
    await proxy.settled();
    const moved = Date.now();
    for (let more = 0; more < 100; more += 1) await requests.next(() => true, late());
    const { lost, sent, errors } = await requests.stop(start);
    expect(lost, `of ${sent}: ${JSON.stringify(errors)}`).to.equal(0);
    const after = requests.answers.filter((answer) => answer.sent >= moved);
    expect([...new Set(after.map(({ pod }) => pod))]).to.deep.equal(['web-2']);
    await stage.gone('moves');
  });

  it('a node leaves the buckets when its kube-proxy says 503, and comes back with 200', async () => {
    await stage.lab.cluster.createService(
      { name: 'sick', policy: 'Cluster', spec },
      ready(stage.pods(...names)),
    );
    await stage.serving('sick');
    await leads(stage, 'sick', all);
    // A kube-proxy says so when its rules are minutes old. A server answers in its place, and its rules stay.
    await proxy.signal('node3', 'SIGKILL');
    const sick = createServer((_, response) => {
      response.writeHead(503).end();
    });
    await listenInside(stage.lab.network.namespace('node3'), sick, proxyPort);
    await leads(stage, 'sick', 'node1 node2');
    for (const ip of stage.ips('sick'))
      for (let i = 0; i < clients; i += 1) expect(await get(stage, ip, i), ip).to.match(/^web-/);
    await close(sick);
    await proxy.startOn('node3');
    await leads(stage, 'sick', all);
    await stage.gone('sick');
  });

  it('a node whose kube-proxy is frozen leaves the buckets, no request fails, and it comes back', async () => {
    const { cluster, clients: load } = stage.lab;
    await cluster.createService({ name: 'frozen', policy: 'Cluster', spec }, ready(stage.pods(...names)));
    await stage.serving('frozen');
    await proxy.settled();
    await leads(stage, 'frozen', all);
    const ips = stage.ips('frozen');
    await using requests = load.start({ to: ips, port: 80, every: 20 });
    for (const ip of ips) await requests.next(({ to, pod }) => to === ip && pod !== undefined, late());
    const start = Date.now();
    await proxy.signal('node3', 'SIGSTOP');
    await leads(stage, 'frozen', 'node1 node2');
    await proxy.signal('node3', 'SIGCONT');
    await leads(stage, 'frozen', all);
    const { lost, sent, errors } = await requests.stop(start);
    expect(lost, `of ${sent}: ${JSON.stringify(errors)}`).to.equal(0);
    await stage.gone('frozen');
  });
});
