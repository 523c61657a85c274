import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { Clients } from '../../lab/load/load.ts';
import { removeLeftovers } from '../../lab/network/lab-run.ts';
import { eip, node, upstream } from '../../lab/network/map.ts';
import { layNetwork, type Network } from '../../lab/network/network.ts';
import { ipBatch, run } from '../../lab/process/run.ts';
import { proxiedService as service, writeProxyRules } from '../../lab/proxy/played-proxy.ts';
import { late } from '../patience.ts';
import { machine } from './machine.ts';
import { needRoot } from './root.ts';

const cluster = eip(1);
const local = eip(2);
const host = eip(3);

describe('the network in namespaces', () => {
  let net: Network;
  before(async function () {
    needRoot(this);
    net = await layNetwork({ nodes: 3 });
    const pods = [
      await net.addPod('web-1', 'node1'),
      await net.addPod('web-2', 'node2'),
      await net.addPod('web-3', 'node3'),
    ];
    await writeProxyRules(net, [
      service('default/cluster', cluster, 'Cluster', pods),
      service('default/local', local, 'Local', pods.slice(1)),
      service('default/host', host, 'Local', [await net.addHostPod('host-1', 'node1', 9090)]),
    ]);
    await routeByHand(net);
  });
  after(async () => {
    await net?.[Symbol.asyncDispose]();
  });

  for (const from of ['client', 'upstream', 'gateway', 'node1', 'node2', 'web-1', 'web-2']) {
    it(`lets ${from} reach every kind of Service by IPv4 and IPv6`, async () => {
      for (const [at, pods] of [
        [cluster, /^web-[123] /],
        [local, /^web-[23] /],
        [host, /^host-1 /],
      ] as const) {
        for (const ip of [at.v4, at.v6]) expect(await ask(net, from, ip), ip).to.match(pods);
      }
    });
  }

  it('shows the pods of a Local Service the address of the client', async () => {
    expect(await ask(net, 'client', local.v4)).to.match(/ 192\.0\.2\.1\d\d\n$/);
    expect(await ask(net, 'client', local.v6)).to.match(/ 2001:db8:c::1\d\d\n$/);
  });

  it('lets a pod reach itself by its own Service', async () => {
    const answers = new Set<string>();
    for (let i = 0; i < 40 && !answers.has('web-2'); i += 1) {
      answers.add((await ask(net, 'web-2', cluster.v4)).split(' ')[0] ?? '');
    }
    expect([...answers]).to.include('web-2');
  });

  it('refuses a port of an EIP that no Service serves, though the node listens there', async () => {
    const { status, err } = await net.outcome('client', {
      argv: ['curl', '-sS', '-m', '20', `http://${host.v4}:9090/`],
    });
    expect(status, err).to.equal(7);
  });

  it('answers datagrams as well', async () => {
    await writeProxyRules(net, [
      { ...service('default/udp', cluster, 'Cluster', net.pods), protocol: 'udp', port: 53 },
    ]);
    const talk = `const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (answer) => { process.stdout.write(String(answer)); socket.close(); });
      socket.send('?', 53, '${cluster.v4}');
      setTimeout(() => process.exit(1), 20_000).unref();`;
    expect(await net.run('client', { argv: [process.execPath, '-e', talk] })).to.match(/^(web|host)-\d /);
  });
});

describe('pods that come and go', () => {
  before(function () {
    needRoot(this);
  });

  it('do not take the way out of the other pods of their node with them', async () => {
    await using net = await layNetwork({ nodes: 1 });
    const at = net.namespace('node1');
    const mac = async (): Promise<string | undefined> =>
      (await run({ argv: ['ip', '-n', at, '-br', 'link', 'show', 'cni0'] })).split(/ +/)[2];
    const before = await mac();
    expect(before).to.match(/^02:/);
    for (const name of ['web-1', 'web-2', 'web-3', 'web-4']) await net.addPod(name, 'node1');
    expect(await mac()).to.equal(before);
    await net.removePod('web-1');
    expect(await run({ argv: ['ip', '-n', at, '-br', 'link'] })).to.not.contain('web-1');
    expect(await mac()).to.equal(before);
  });
});

describe('the load', () => {
  before(function () {
    needRoot(this);
  });

  it('counts every request and every loss', async () => {
    await using net = await layNetwork({ nodes: 1 });
    await writeProxyRules(net, [
      service('default/web', cluster, 'Local', [await net.addPod('web-1', 'node1')]),
    ]);
    await using clients = new Clients(net.namespace('client'));
    const load = clients.start({ to: [cluster.v4, cluster.v6], port: 80, every: 5 });
    const signal = late();
    // The gateway has no route yet.
    await load.next(({ error }) => error !== undefined, signal);
    await routeByHand(net);
    const first = await load.next(({ pod, to }) => pod === 'web-1' && to === cluster.v4, signal);
    expect(first.seen).to.match(/^192\.0\.2\./);
    await load.next(({ pod, to }) => pod === 'web-1' && to === cluster.v6, signal);
    const good = await load.next(({ pod }) => pod === 'web-1', signal);
    for (let i = 0; i < 50; i += 1) await load.next(({ sent }) => sent > good.sent, signal);
    const since = await load.stop(good.sent);
    expect(since.lost, JSON.stringify(since)).to.equal(0);
    expect(since.pods['web-1']).to.equal(since.sent).and.at.least(50);
    expect(load.answers.filter(({ error }) => error !== undefined)).to.not.deep.equal([]);
  });
});

describe('leaving no trace', () => {
  before(function () {
    needRoot(this);
  });

  it('touches nothing of the machine, and is gone when disposed', async () => {
    // Makes /run/netns, which is iproute2's own and stays.
    await ipBatch([], ['netns add eip-first', 'netns del eip-first']);
    const before = await machine();
    let folder = '';
    {
      await using net = await layNetwork({ nodes: 2 });
      folder = net.folder;
      await net.addPod('web-1', 'node1');
      expect(await machine()).to.deep.equal(before);
      expect(await namespaces(folder)).to.have.length(9);
    }
    expect(await machine()).to.deep.equal(before);
    expect(await namespaces(folder)).to.deep.equal([]);
    expect(existsSync(folder)).to.equal(false);
  });

  it('removes what a killed run left, and nothing of a living one', async () => {
    const mine = await layNetwork({ nodes: 1 });
    const dead = await killedRun();
    expect(await namespaces(dead)).to.not.deep.equal([]);
    expect(await removeLeftovers()).to.include(dead.slice(-4));
    expect(await namespaces(dead)).to.deep.equal([]);
    expect(existsSync(dead)).to.equal(false);
    expect(await namespaces(mine.folder)).to.have.length(7);
    await mine[Symbol.asyncDispose]();
    expect(await namespaces(mine.folder)).to.deep.equal([]);
  });
});

/** What eiproute does, by hand: so that these tests are about the network and nothing else. */
async function routeByHand(net: Network): Promise<void> {
  const at = net.namespace('gateway');
  await net.run('gateway', {
    argv: [
      'sh',
      '-c',
      `cd /proc/sys/net; echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding
       for i in all eth0 eth1; do echo 0 >ipv4/conf/$i/rp_filter; done`,
    ],
  });
  const last = net.nodes.length;
  await ipBatch(
    ['-n', at],
    [
      `route add default via ${upstream.outer.v4}`,
      `route add default via ${upstream.outer.v6}`,
      // The last node serves all of them, the first what is on its own address.
      ...[cluster, local].flatMap((one) => [
        `route add ${one.v4} via ${node(last).v4}`,
        `route add ${one.v6} via ${node(last).v6}`,
      ]),
      `route add ${host.v4} via ${node(1).v4}`,
      `route add ${host.v6} via ${node(1).v6}`,
    ],
  );
}

function ask(net: Network, from: string, ip: string): Promise<string> {
  const url = ip.includes(':') ? `http://[${ip}]/` : `http://${ip}/`;
  return net.run(from, { argv: ['curl', '-gsS', '-m', '2', url] });
}

async function namespaces(folder: string): Promise<readonly string[]> {
  const listed = await run({ argv: ['ip', 'netns', 'list'] });
  return listed
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(`eip-${folder.slice(-4)}-`));
}

/** Lays a network in a process that then kills itself. */
async function killedRun(): Promise<string> {
  const module = new URL('../../lab/network/network.ts', import.meta.url).href;
  const script = `import { layNetwork } from ${JSON.stringify(module)};
    const net = await layNetwork({ nodes: 1 });
    process.stdout.write(net.folder, () => process.kill(process.pid, 'SIGKILL'));`;
  const argv = [
    'sh',
    '-c',
    '"$@" || [ $? = 137 ]',
    'sh',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ];
  return await run({ argv });
}
