import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { EmbeddedCluster } from '../../lab/cluster/embedded-cluster.ts';
import { DaemonProcess, program } from '../../lab/eiproute/daemon-process.ts';
import {
  type GatewayFiles,
  gatewayConfig,
  gatewayFiles,
  writeGatewayConfig,
} from '../../lab/eiproute/gateway-files.ts';
import { startAgent } from '../../lab/eiproute/node-agents.ts';
import { embedded, type Lab, openLab } from '../../lab/lab.ts';
import type { Load } from '../../lab/load/load.ts';
import { removeLeftovers } from '../../lab/network/lab-run.ts';
import { eip, gateway, gateway2, other, pools } from '../../lab/network/map.ts';
import type { Outcome } from '../../lab/process/run.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { ask } from '../../src/daemon/ask.ts';
import { parseIp } from '../../src/model/ip.ts';
import { publicationText } from '../../src/model/publication.ts';
import type { GatewayStatus, NodeAgentStatus } from '../../src/status/status.ts';
import { losses } from '../lab/losses.ts';
import { late } from '../patience.ts';
import { needRoot } from './root.ts';

const first = ['198.51.100.0/25', '2001:db8:e::/64'];
const added = '198.51.100.128/25';
const shop = eip(1);
/** In the pool that is added. */
const fresh = { v4: parseIp('198.51.100.130'), v6: parseIp('2001:db8:e::82') };
const map = { kind: 'ConfigMap', namespace: 'kube-system', name: 'eiproute' };

type Part = 'gateway' | 'gateway2';

describe('agents that follow the gateways', function () {
  this.timeout(120_000);
  const stack = new AsyncDisposableStack();
  const gateways = new Map<Part, { readonly files: GatewayFiles; readonly daemon: DaemonProcess }>();
  const agents = new Map<string, DaemonProcess>();
  let lab: Lab;
  let cluster: EmbeddedCluster;

  before(async function () {
    needRoot(this);
    await removeLeftovers();
    lab = stack.use(await openLab({ nodes: 3, gateways: 2, nodeRouting: 'by agents' }, embedded));
    if (!(lab.cluster instanceof EmbeddedCluster)) throw new Error('the cluster is not embedded');
    ({ cluster } = lab);
    const { network } = lab;
    stack.defer(async () => {
      for (const daemon of [...agents.values(), ...[...gateways.values()].map((one) => one.daemon)])
        await daemon[Symbol.asyncDispose]();
    });
    for (const [i, name] of network.nodes.entries()) await network.addPod(`web-${i + 1}`, name);
    await cluster.createService({ name: 'shop', policy: 'Cluster', eip: shop }, ready(network.pods));
    await cluster.createService({ name: 'fresh', policy: 'Cluster', eip: fresh }, ready(network.pods));
    await startGateway('gateway', '');
    for (const name of network.nodes) await agent(name, follow(name));
    for (const name of network.nodes) await until(`the agent of ${name} is OK`, () => isAgentOk(name));
    // Before that a node may not know the gateway's link-layer address, and replies take another way.
    await until('the agents serve it', () => told(gateway.lan));
    await until('the gateway is OK', () => isOk('gateway'));
  });
  after(() => stack.disposeAsync());

  const follow = (name: string): string => `follow: { kubeconfig: kubeconfig, node: ${name} }`;

  async function startGateway(part: Part, lines: string): Promise<void> {
    const files = gatewayFiles(join(lab.network.folder, part));
    await writeGatewayConfig(files, { lines, pools: first });
    await cluster.writeKubeconfig(files.kubeconfig);
    const namespace = lab.network.namespace(part);
    const { config, log } = files;
    gateways.set(part, {
      files,
      daemon: await DaemonProcess.start({ namespace, role: 'gateway', config, log }),
    });
  }

  /** Starts the agent of a node with these lines in the place of networks and gateways; the former one is killed. */
  async function agent(name: string, lines: string): Promise<DaemonProcess> {
    await agents.get(name)?.kill('SIGKILL', late());
    const folder = join(lab.network.folder, name);
    await mkdir(folder, { recursive: true });
    await cluster.writeNodeKubeconfig(join(folder, 'kubeconfig'));
    const daemon = await startAgent(lab.network, name, lines);
    agents.set(name, daemon);
    return daemon;
  }

  /** Takes the gateway's pools over, as an operator does. */
  async function reload(part: Part, networks: readonly string[], more = ''): Promise<void> {
    const found = gateways.get(part);
    if (found?.daemon.pid === undefined) throw new Error(`${part} does not run`);
    const text = gatewayConfig(found.files, { lines: '', pools: networks });
    await writeFile(found.files.config, text.replace(/^publish:/m, `${more}publish:`));
    process.kill(found.daemon.pid, 'SIGHUP');
  }
  const withNew = `  - { name: new, addresses: [${added}] }\n`;

  const until = (what: string, holds: () => Promise<boolean>): Promise<true> =>
    waitFor(what, async () => ((await holds()) ? true : undefined), late());

  async function status(name: string): Promise<NodeAgentStatus> {
    const runtime = join(lab.network.folder, name, 'runtime');
    return JSON.parse(await ask(runtime, 'node', 'GET', '/status', late()));
  }

  async function gatewayStatus(part: Part): Promise<GatewayStatus> {
    const runtime = gateways.get(part)?.files.runtime ?? '';
    return JSON.parse(await ask(runtime, 'gateway', 'GET', '/status', late()));
  }

  async function isOk(part: Part): Promise<boolean> {
    return (await gatewayStatus(part)).state === 'OK';
  }

  /** All agents have told that they serve these gateways and no others. */
  async function told(...lan: readonly { readonly v4: string; readonly v6: string }[]): Promise<boolean> {
    const want = lan.flatMap(({ v4, v6 }) => [v4, v6]).join();
    return (await gatewayStatus('gateway')).nodes.every(({ agent: one }) => one?.gateways.join() === want);
  }

  async function isAgentOk(name: string): Promise<boolean> {
    return (await status(name)).state === 'OK';
  }

  /** `eiproute status` of a gateway, or another command. */
  function eiproute(part: Part, ...words: readonly string[]): Promise<Outcome> {
    const config = gateways.get(part)?.files.config ?? '';
    return lab.network.outcome(part, { argv: [program, ...words, '--config', config] });
  }

  async function answers(ip: string): Promise<boolean> {
    const url = ip.includes(':') ? `http://[${ip}]/` : `http://${ip}/`;
    return (await lab.network.outcome('client', { argv: ['curl', '-gsS', '-m', '2', url] })).out.startsWith(
      'web-',
    );
  }

  async function enterThrough({ uplink }: typeof gateway): Promise<void> {
    for (const pool of pools) {
      const via = pool.includes(':') ? uplink.v6 : uplink.v4;
      await lab.network.run('upstream', {
        argv: ['ip', 'route', 'replace', pool, 'via', via, 'dev', 'eth1'],
      });
    }
  }

  /** What is ours in the kernel of a node. Which gateway answered first says the order of its marks, and so the digest. */
  async function kernel(name: string): Promise<string> {
    const line =
      'ip -N rule; ip -N -6 rule; ip -N route show table all proto 86; ip -N -6 route show table all proto 86; nft list table inet eiproute';
    const shown = await lab.network.run(name, { argv: ['sh', '-ec', line] });
    return shown
      .split('\n')
      .filter((one) => !one.includes('comment'))
      .sort()
      .join('\n');
  }

  it('take a pool that one gateway has anew, and lose nothing of the others', async () => {
    await using load = lab.clients.start({ to: [shop.v4, shop.v6], port: 80, every: 10 });
    await until('the first pools are served', () => answers(shop.v4));
    expect((await status('node1')).networks).to.deep.equal(first);
    expect(await answers(fresh.v4)).to.equal(false);
    const from = Date.now();
    await reload('gateway', first, withNew);
    await until('packets of the new pool flow', () => answers(fresh.v4));
    await until('the gateway is OK', () => isOk('gateway'));
    for (const name of lab.network.nodes) expect((await status(name)).networks, name).to.include(added);
    expect((await eiproute('gateway', 'status')).out).to.match(/^Agents {4}3 of 3 tell what they serve$/m);
    await expectNoneLost(load, from);
  });

  it('take a second and a third gateway, and lose nothing', async () => {
    await using load = lab.clients.start({ to: [shop.v4, shop.v6], port: 80, every: 10 });
    const from = Date.now();
    await startGateway('gateway2', '');
    const names = async (): Promise<string> =>
      ((await status('node1')).followed ?? []).map(({ name, state }) => `${name} ${state}`).join(', ');
    await until('the agents know both', async () => (await names()) === 'gateway active, gateway2 active');
    await until('gateway2 is OK', () => isOk('gateway2'));
    await enterThrough(gateway2);
    await until('packets flow through it', () => answers(shop.v4));
    const value = publicationText({
      id: '3',
      pools: [],
      lan: [other.lan.v4, other.lan.v6],
      state: 'standby',
      draining: [],
      leaving: new Map(),
    });
    await cluster.client.patch(map, { data: { third: value } });
    await until('the agents know three', async () => (await names()).endsWith('third standby'));
    const tables = async (): Promise<string> =>
      (await status('node1')).gateways
        .filter(({ address }) => !address.includes(':'))
        .map(({ address, table }) => `${address} ${table}`)
        .join(', ');
    const three = `${gateway.lan.v4} 101, ${gateway2.lan.v4} 102, ${other.lan.v4} 103`;
    await until('the agents have a table for each', async () => (await tables()) === three);
    await until('all agents have told of three', () => told(gateway.lan, gateway2.lan, other.lan));
    // Gone for good, as the documentation has it.
    await cluster.client.patch(map, { data: { third: '' } });
    await until('the agents know two', async () => !(await names()).includes('third'));
    await expectNoneLost(load, from);
  });

  it('write nothing while nothing changes', async () => {
    await until('both are OK', async () => (await isOk('gateway')) && (await isOk('gateway2')));
    await until('the agents have told of two', () => told(gateway.lan, gateway2.lan));
    const seen: string[] = [];
    const stop = cluster.feed.listen(({ object }) => {
      const text = textAt(object, 'metadata', 'annotations', 'eiproute.io/agent');
      if (text !== '') seen.push(`${textAt(object, 'metadata', 'name')} ${text}`);
    });
    const before = cluster.writes();
    for (const name of lab.network.nodes) {
      await agent(name, follow(name));
      await until(`the agent of ${name} is OK`, () => isAgentOk(name));
    }
    for (const { daemon } of gateways.values()) process.kill(daemon.pid ?? 0, 'SIGHUP');
    await until('both are OK again', async () => (await isOk('gateway')) && (await isOk('gateway2')));
    stop();
    expect(cluster.writes().slice(before.length), seen.join('\n')).to.deep.equal([]);
  });

  it('keep everything while the API is away, over a restart as well, and catch up', async () => {
    const good = await kernel('node2');
    await using load = lab.clients.start({ to: [shop.v4, shop.v6], port: 80, every: 10 });
    const from = Date.now();
    await cluster.stopApi();
    // The pool goes from one of two gateways, which cannot say so now; the other one has never had it.
    await reload('gateway', first);
    await agent('node2', follow('node2'));
    await until('the agent says that it does not hear', async () =>
      (await status('node2')).problems.some(({ code }) => code === 'published-not-read'),
    );
    expect((await status('node2')).state).to.equal('OK');
    expect(await kernel('node2')).to.equal(good);
    await reload('gateway', first, withNew);
    await cluster.startApi();
    await until('the agent hears again', async () => (await status('node2')).problems.length === 0);
    expect(await kernel('node2')).to.equal(good);
    await expectNoneLost(load, from);
  });

  it('keep everything when the ConfigMap is deleted, and when it is made anew', async () => {
    const good = await kernel('node3');
    await cluster.client.delete(map);
    await until('the agent says so', async () =>
      (await status('node3')).problems.some(({ message }) =>
        /there is no ConfigMap kube-system\/eiproute/.test(message),
      ),
    );
    await until('the gateway says so', async () =>
      (await eiproute('gateway', 'status')).out.includes('is gone'),
    );
    expect(await kernel('node3')).to.equal(good);
    const { kind, namespace, name } = map;
    await cluster.client.create({ apiVersion: 'v1', kind, metadata: { namespace, name } });
    await until(
      'all is well',
      async () => (await status('node3')).problems.length === 0 && (await isOk('gateway')),
    );
    expect(await kernel('node3')).to.equal(good);
  });

  it('are judged by the gateway when a file of one lacks a pool, until it is mended', async () => {
    const lines = `eips: [${first.map((one) => `"${one}"`).join(', ')}]\n${follow('node1')}`;
    const daemon = await agent('node1', lines);
    const file = join(lab.network.folder, 'node1', 'node.yaml');
    await until('the gateway is DEGRADED', async () => (await gatewayStatus('gateway')).state === 'DEGRADED');
    const { out, status: code } = await eiproute('gateway', 'status');
    expect(code).to.equal(3);
    expect(out).to.match(/^DEGRADED: /);
    expect(out).to.include(`AGENT  the agent of node1 does not serve ${added} of pool new: `);
    expect(out).to.include(`add ${added} to eips in ${file}:1 on node1`);
    const own = await status('node1');
    expect(own.state).to.equal('DEGRADED');
    expect(own.problems.map(({ message }) => message).join()).to.include(
      `eips (${file}:1) does not hold ${added} of pool new of gateway gateway`,
    );
    const trace = await eiproute('gateway', 'trace', fresh.v4);
    expect([trace.status, trace.out]).to.satisfy(
      ([status, text]: [number, string]) =>
        status === 1 && text.includes('the agent of node1 does not serve it'),
    );

    await writeFile(file, (await readFile(file, 'utf8')).replace('eips: [', `eips: ["${added}", `));
    process.kill(daemon.pid ?? 0, 'SIGHUP');
    await until('the gateway is OK', () => isOk('gateway'));
    expect((await status('node1')).state).to.equal('OK');
    expect((await eiproute('gateway', 'status')).status).to.equal(0);
  });
});

/** Ends the load: of the requests that were sent since then some were answered, and none was lost. */
async function expectNoneLost(load: Load, from: number): Promise<void> {
  const { sent } = await load.stop(from);
  expect(losses(load.answers, from)).to.deep.equal([]);
  expect(sent).to.be.above(10);
}
