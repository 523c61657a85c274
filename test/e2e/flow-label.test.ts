import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { client, clients, eip, node, pools, upstream } from '../../lab/network/map.ts';
import { layNetwork, type Network } from '../../lab/network/network.ts';
import { ipBatch, within } from '../../lab/process/run.ts';
import { writeProxyRules } from '../../lab/proxy/played-proxy.ts';
import { ask } from '../../src/daemon/ask.ts';
import type { GatewayStatus as Status } from '../../src/status/status.ts';
import { late } from '../patience.ts';
import { downloadPort, echoPort, Flows, flowServer } from './flows.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Under Local: a flow that comes to another node than before is unknown there. */
const local = eip(1);
const names = ['node1', 'node2', 'node3'];
const many = Array.from({ length: clients }, (_, i) => client(i));

describe('IPv6 flows through a gateway', () => {
  const stack = new AsyncDisposableStack();
  let net: Network;
  let flows: Flows;
  before(async function () {
    needRoot(this);
    net = stack.use(await layNetwork({ nodes: 3 }));
    for (const name of names) {
      const pod = await net.addPod(`web-${name.slice(-1)}`, name);
      const argv = [process.execPath, '-e', flowServer(pod.name)];
      stack.use(new GatewayDaemon(within(net.namespace(pod.name), argv)));
      await until(
        `${pod.name} serves`,
        () => net.run(pod.name, { argv: ['ss', '-Hltn', 'sport', '=', `:${downloadPort}`] }),
        (listening) => listening !== '',
      );
    }
    await writeProxyRules(
      net,
      [echoPort, downloadPort].map((port) => ({
        name: 'default/local',
        addresses: [local.v4, local.v6],
        protocol: 'tcp',
        port,
        policy: 'Local',
        endpoints: net.pods.flatMap(({ ip, node: on }) =>
          [ip.v4, ip.v6].map((each) => ({ ip: each, port, node: on, state: 'ready' as const })),
        ),
      })),
    );
    flows = stack.use(new Flows(net.namespace('client')));
    await configure();
  });
  after(() => stack.disposeAsync());

  const folder = (name: string): string => join(net.folder, name);

  async function configure(): Promise<void> {
    const service = {
      eips: [local.v4, local.v6],
      spec: { externalTrafficPolicy: 'Local' },
    };
    const items = [
      ...names.map((name, i) => rawNode(name, { addresses: [node(i + 1).v4, node(i + 1).v6] })),
      rawService('local', service),
      ...(['v4', 'v6'] as const).map((family) =>
        rawSlice(
          'local',
          net.pods.map(({ ip, node: on }) => ({ ip: ip[family], node: on, ready: true })),
          `local-${family}`,
        ),
      ),
    ];
    await writeFile(folder('cluster.json'), JSON.stringify({ kind: 'List', items }));
    await writeFile(
      folder('gateway.yaml'),
      `source: { file: cluster.json }
lan: eth0
uplink: eth1
defaultRoute: { via: [${upstream.outer.v4}, "${upstream.outer.v6}"] }
pools: [{ name: public, addresses: [${pools.map((pool) => `"${pool}"`).join(', ')}] }]
stateDirectory: state
runtimeDirectory: run
log: { format: json }
`,
    );
  }

  /** Starts the gateway and waits for its first round. @param command what runs eiproute */
  async function start(command: readonly string[] = [program]): Promise<GatewayDaemon> {
    const argv = [...command, 'gateway', '--config', folder('gateway.yaml')];
    const daemon = new GatewayDaemon(within(net.namespace('gateway'), argv));
    await until(
      'a route leads to the nodes',
      async () => {
        if (daemon.end !== undefined) throw new Error(`it ended with ${daemon.end}:\n${daemon.text()}`);
        return net.run('gateway', { argv: ['ip', '-6', 'route', 'show', local.v6] });
      },
      (route) => route.includes('nhid'),
    );
    return daemon;
  }

  /** Waits for a status of this daemon. */
  async function statusOf(
    daemon: GatewayDaemon,
    what: string,
    holds: (status: Status) => boolean,
  ): Promise<Status> {
    const seen = await until(
      what,
      async (): Promise<Status | undefined> => {
        const answer = await ask(folder('run'), 'gateway', 'GET', '/status', late()).catch(() => undefined);
        return answer === undefined ? undefined : JSON.parse(answer);
      },
      (status) => status?.pid === daemon.pid && holds(status),
    );
    if (seen === undefined) throw new Error('no status');
    return seen;
  }

  /** Retransmission timeouts at which the clients chose another flow label. */
  async function relabelled(): Promise<number> {
    const text = await net.run('client', { argv: ['cat', '/proc/net/netstat'] });
    const [keys = [], values = []] = text
      .split('\n')
      .filter((line) => line.startsWith('TcpExt:'))
      .map((line) => line.split(' '));
    return Number(values[keys.indexOf('TcpTimeoutRehash')]);
  }

  /** Nothing passes the upstream router until every flow has run into a retransmission timeout. */
  async function losePackets(count: number): Promise<void> {
    const before = await relabelled();
    const drop =
      'table inet eip-loss {\n chain lossy { type filter hook forward priority 0; policy drop; }\n}\n';
    await net.run('upstream', { argv: ['nft', '-f', '-'], input: drop });
    await flows.send();
    await until('every flow has timed out twice', relabelled, (now) => now >= before + 2 * count);
    await net.run('upstream', { argv: ['nft', 'delete table inet eip-loss'] });
  }

  /** @returns how many of 60 flows live on after a loss of packets */
  async function survivors(family: 'v4' | 'v6'): Promise<number> {
    const from = many.map((each) => each[family]);
    expect(new Set(await flows.open(local[family], 60, from)).size, 'pods').to.equal(3);
    await losePackets(60);
    const { live } = await until(
      'every flow is heard of again',
      () => flows.count(),
      ({ live: alive, broken }) => alive + broken === 60,
    );
    return live;
  }

  /** A path with a smaller MTU behind the upstream router, which nobody has learnt yet. */
  async function narrow(): Promise<void> {
    await ipBatch(['-n', net.namespace('upstream')], ['link set eth0 mtu 1300']);
    for (const part of [...names, ...net.pods.map(({ name }) => name)]) {
      await net.run(part, { argv: ['ip', '-6', 'route', 'flush', 'cache'] });
    }
  }

  describe('without nft', () => {
    let daemon: GatewayDaemon;
    before(async () => {
      // Without a PATH no program is found, and so bin/eiproute is not either.
      daemon = await start(['env', 'PATH=', process.execPath, main]);
    });
    after(() => daemon?.[Symbol.asyncDispose]());

    it('are routed, and a problem says in words what is missing', async () => {
      const { problems, failed, installed } = await statusOf(daemon, 'it has looked at the kernel', (all) =>
        all.problems.some(({ code }) => code === 'flow-label'),
      );
      const problem = problems.find(({ code }) => code === 'flow-label');
      expect(problem?.message).to.match(/no program nft in PATH.*IPv6 connections that lose packets/);
      expect(failed.map(({ object }) => object)).to.deep.equal(['table inet eiproute-flow-label-86']);
      expect(installed?.route).to.be.at.least(4);
      await daemon.says(/cannot run nft: there is no program nft in PATH/);
    });

    it('break when packets are lost, as IPv4 flows do not', async () => {
      expect(await survivors('v4')).to.equal(60);
      expect(await survivors('v6')).to.be.lessThan(60);
    });

    it('leave when their Service goes: no withdrawal waits for nft', async () => {
      const whole = await readFile(folder('cluster.json'), 'utf8');
      await writeFile(folder('cluster.json'), whole.replace('"name":"local"', '"name":"other"'));
      await until(
        'the route is gone',
        () => net.run('gateway', { argv: ['ip', '-6', 'route', 'show', local.v6] }),
        (route) => route === '',
      );
      await writeFile(folder('cluster.json'), whole);
      await until(
        'the route is back',
        () => net.run('gateway', { argv: ['ip', '-6', 'route', 'show', local.v6] }),
        (route) => route.includes('nhid'),
      );
    });
  });

  describe('whose labels are zeroed', () => {
    let daemon: GatewayDaemon;
    before(async () => {
      daemon = await start();
      await statusOf(daemon, 'all is in the kernel', ({ synced }) => synced);
    });
    after(() => daemon?.[Symbol.asyncDispose]());

    it('all live when packets are lost', async () => {
      expect(await survivors('v6')).to.equal(60);
    });

    it('go to one node from one client, whatever their labels: sessions hold', async () => {
      const pods = await flows.open(local.v6, 40, [client(3).v6]);
      expect(new Set(pods).size).to.equal(1);
    });

    /** How often a retransmission timer of TCP has run out in the pods. */
    async function timeouts(): Promise<number> {
      let sum = 0;
      for (const { name } of net.pods) {
        const [names = '', values = ''] = (
          await net.run(name, { argv: ['grep', '^TcpExt:', '/proc/net/netstat'] })
        ).split('\n');
        sum += Number(values.split(' ')[names.split(' ').indexOf('TCPTimeouts')]);
      }
      return sum;
    }

    it('learn the MTU of their path', async () => {
      await narrow();
      const before = await timeouts();
      const failed = await flows.download(
        local.v6,
        16,
        many.map(({ v6 }) => v6),
      );
      expect(failed).to.equal(0);
      // A retransmission timeout is what a lost "packet too big" costs at least.
      expect(await timeouts()).to.equal(before);
    });

    it('have their table back when a firewall flushes it', async () => {
      await net.run('gateway', { argv: ['nft', 'flush', 'ruleset'] });
      await until(
        'the table is back',
        () => net.run('gateway', { argv: ['nft', 'list', 'ruleset'] }),
        (ruleset) => ruleset.includes('ip6 flowlabel set') && ruleset.includes('chain seal'),
      );
    });

    it('leave nothing behind after purge', async () => {
      await daemon.stop();
      const argv = [program, 'purge', '--yes', '--config', folder('gateway.yaml')];
      const { out } = await net.outcome('gateway', { argv });
      expect(out).to.include('delete table inet eiproute-flow-label-86');
      expect(await net.run('gateway', { argv: ['nft', 'list', 'ruleset'] })).to.equal('');
    });
  });
});
