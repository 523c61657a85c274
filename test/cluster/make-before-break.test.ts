import { expect } from 'chai';
import { at } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { Witness } from '../../lab/load/witness.ts';
import { node as nodeAddress } from '../../lab/network/map.ts';
import type { Pod } from '../../lab/network/network.ts';
import { now } from '../../lab/process/clock.ts';
import { RealProxy } from '../../lab/proxy/real-proxy.ts';
import { parseIp } from '../../src/model/ip.ts';
import { losses, type Move, moving } from '../lab/losses.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

/** No traffic to a node before its kube-proxy, which waits up to a second, has written its rules. */
describe('make before break, real kube-proxy', () => {
  let stage: Stage;
  before(async function () {
    await needKubernetes(this);
    stage = await Stage.open(real('nftables'));
    await stage.layPods();
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  const pod = (name: string): Pod => {
    const [found] = stage.pods(name);
    if (found === undefined) throw new Error(`no pod ${name}`);
    return found;
  };
  const leads = (ip: string, nodes: string): Promise<void> =>
    stage.until(`${ip} leads to ${nodes}`, async () => (await stage.nodesOf(ip)) === nodes);
  const port = (name: string): number => Number(at(stage.service(name), 'spec', 'healthCheckNodePort') ?? 0);

  it('hears 200 from the health check port only when the rules are written', async () => {
    const { cluster, network } = stage.lab;
    await cluster.createService({ name: 'asked', policy: 'Local' }, []);
    await stage.until('it has a health check port', () => port('asked') > 0);
    for (const name of ['web-1', 'web-2', 'web-3']) {
      const { node, ip, port: to } = pod(name);
      const address = nodeAddress(network.nodes.indexOf(node) + 1).v4;
      const url = `http://${address}:${port('asked')}/healthz`;
      const argv = ['curl', '--silent', '--output', '/dev/null', '--write-out', '%{http_code}', url];
      // curl fails as long as nobody listens.
      const status = (): Promise<string> => network.run('gateway', { argv }).catch(() => '');
      await cluster.setBackends('asked', ready(stage.pods(name)));
      await stage.until(`${node} says 200`, async () => (await status()) === '200');
      const rules = await network.run(node, { argv: ['nft', 'list', 'ruleset', 'ip'] });
      expect(rules, `rules of ${node}`).to.match(
        new RegExp(`default/asked/.*\\n(.*\\n)*?.*dnat to ${ip.v4}:${to}`),
      );
    }
    await stage.gone('asked');
  });

  it('asks each kube-proxy how it is over one connection that stays', async () => {
    const { network } = stage.lab;
    const argv = ['ss', '-Htin', 'state', 'established', 'dport = :10256'];
    /** How much each connection has carried, by its two ends. */
    const connections = async (): Promise<ReadonlyMap<string, number>> => {
      const text = await network.run('gateway', { argv });
      const found = text.matchAll(/(\S+:\d+) +(\S+:10256)\s*\n.*bytes_sent:(\d+)/g);
      return new Map([...found].map(([, from, to, sent]) => [`${from} ${to}`, Number(sent)]));
    };
    await stage.until('each is connected', async () => (await connections()).size === network.nodes.length);
    const before = await connections();
    await stage.until('each was asked ten times more', async () =>
      [...(await connections())].every(([ends, sent]) => sent > (before.get(ends) ?? sent) + 500),
    );
    expect([...(await connections()).keys()].sort()).to.deep.equal([...before.keys()].sort());
  });

  it('sends nothing to a node too early when the endpoint of a Local Service moves, three times', async () => {
    const { cluster, clients } = stage.lab;
    await cluster.createService({ name: 'moves', policy: 'Local' }, ready(stage.pods('web-1')));
    await stage.serving('moves');
    const ips = stage.eips('moves').split(' ').map(parseIp);
    await using load = clients.start({ to: ips, port: 80, every: 10 });
    for (const ip of ips) await load.next(({ to, pod }) => to === ip && pod === 'web-1', late());
    const start = now();
    const moves: Move[] = [];
    for (const [from, to] of [
      ['web-1', 'web-3'],
      ['web-3', 'web-2'],
      ['web-2', 'web-1'],
    ] as const) {
      const move = moving(async () => {
        await cluster.setBackends('moves', [
          { pod: pod(from), state: 'terminating' },
          { pod: pod(to), state: 'ready' },
        ]);
        for (const ip of ips) await leads(ip, pod(to).node);
      });
      moves.push(await move);
      await cluster.setBackends('moves', ready(stage.pods(to)));
      for (const ip of ips) await load.next((answer) => answer.to === ip && answer.pod === to, late());
    }
    const { sent, pods: answered } = await load.stop(start);
    expect(sent).to.be.above(100);
    expect(Object.keys(answered)).to.have.members(['web-1', 'web-2', 'web-3']);
    expect(losses(load.answers, start, moves)).to.deep.equal([]);
    await stage.gone('moves');
  });

  it('says that a new Cluster Service is Serving when every node answers: from then on every request is answered', async () => {
    const { cluster, clients, proxy } = stage.lab;
    // kube-proxy has just written its rules when the next one comes, and waits.
    for (const name of ['spread-1', 'spread-2', 'spread-3', 'spread-4']) {
      await proxy.settled();
      await cluster.createService({ name, policy: 'Cluster' }, ready(stage.pods('web-1', 'web-2', 'web-3')));
      await stage.serving(name);
      const since = Date.now();
      await using load = clients.start({ to: stage.ips(name), port: 80, every: 10 });
      for (let more = 0; more < 60; more += 1) await load.next(() => true, late());
      const { sent, lost, errors } = await load.stop(since);
      expect(sent).to.be.at.least(60);
      expect(lost, `${name} ${JSON.stringify(errors)}`).to.equal(0);
    }
    for (const name of ['spread-1', 'spread-2', 'spread-3', 'spread-4']) await stage.gone(name);
  });

  describe('with the kube-proxy of node2 frozen', () => {
    const proxies = (): RealProxy => {
      const { proxy } = stage.lab;
      if (!(proxy instanceof RealProxy)) throw new Error('the lab plays kube-proxy');
      return proxy;
    };
    beforeEach(async () => {
      await proxies().settled();
      await proxies().signal('node2', 'SIGSTOP');
    });
    afterEach(async () => {
      await proxies().signal('node2', 'SIGCONT');
    });

    /** Requests, one every 10 ms, over so many answers. */
    const requests = async (name: string, answers: number): Promise<string> => {
      const since = Date.now();
      await using load = stage.lab.clients.start({ to: stage.ips(name), port: 80, every: 10 });
      for (let more = 0; more < answers; more += 1) await load.next(() => true, late());
      const { lost, errors } = await load.stop(since);
      return `${lost} lost ${JSON.stringify(errors)}`;
    };
    const probeTables = async (): Promise<boolean> =>
      (await stage.lab.network.run('gateway', { argv: ['nft', 'list', 'tables'] })).includes(
        'eiproute-probe',
      );

    it('says that a new Cluster Service is Serving only when the rules are written there as well', async () => {
      const { cluster } = stage.lab;
      const serving = (): string => stage.condition('patient', 'eiproute.io/Serving');
      const all = stage.pods('web-1', 'web-2', 'web-3');
      await cluster.createService({ name: 'patient', policy: 'Cluster' }, ready(all));
      await stage.until('it has addresses', () => stage.eips('patient') !== '');
      await stage.until('the condition speaks of an answer', () => /^True|NoAnswer/.test(serving()));
      // Longer than probe.wait.
      await requests('patient', 300);
      expect(serving()).to.equal('False NoAnswer');
      await proxies().signal('node2', 'SIGCONT');
      await stage.serving('patient');
      expect(await requests('patient', 60)).to.equal('0 lost {}');
      await stage.until('the gateway has no table of questions any more', async () => !(await probeTables()));
      await stage.gone('patient');
    });

    it('sends the traffic of a new Local Service to the other nodes, for as long as it takes', async () => {
      const { cluster } = stage.lab;
      await cluster.createService(
        { name: 'around', policy: 'Local' },
        ready(stage.pods('web-1', 'web-2', 'web-3')),
      );
      await stage.serving('around');
      // Longer than probe.wait.
      expect(await requests('around', 300)).to.equal('0 lost {}');
      for (const ip of stage.ips('around')) expect(await stage.nodesOf(ip)).to.equal('node1 node3');
      await proxies().signal('node2', 'SIGCONT');
      for (const ip of stage.ips('around')) await leads(ip, 'node1 node2 node3');
      expect(await requests('around', 60)).to.equal('0 lost {}');
      await stage.gone('around');
    });
  });

  it('sends nothing to a Node that is new before its kube-proxy has written its rules', async () => {
    const { cluster, clients, proxy, network } = stage.lab;
    if (!(proxy instanceof RealProxy)) throw new Error('the lab plays kube-proxy');
    await cluster.createService({ name: 'grows', policy: 'Cluster' }, ready(stage.pods('web-1', 'web-3')));
    await stage.serving('grows');
    const ips = stage.ips('grows');
    await cluster.deleteNode('node2');
    for (const ip of ips) await leads(ip, 'node1 node3');
    // As a machine that was just set up.
    await proxy.signal('node2', 'SIGKILL');
    for (const family of ['ip', 'ip6'])
      await network.run('node2', { argv: ['nft', 'delete', 'table', family, 'kube-proxy'] });
    const since = now();
    await using load = clients.start({ to: ips, port: 80, every: 10 });
    await stage.real.putNode('node2');
    // Longer than probe.wait.
    for (let more = 0; more < 300; more += 1) await load.next(() => true, late());
    for (const ip of ips) expect(await stage.nodesOf(ip)).to.equal('node1 node3');
    const growth = await moving(async () => {
      await proxy.startOn('node2');
      for (const ip of ips) await leads(ip, 'node1 node2 node3');
    });
    for (let more = 0; more < 60; more += 1) await load.next(() => true, late());
    await load.stop();
    expect(losses(load.answers, since, [growth])).to.deep.equal([]);
    await stage.gone('grows');
  });

  it('routes a new Local Service only once its kube-proxy is ready: from then on every request is answered', async () => {
    const { cluster, clients, network } = stage.lab;
    const names = ['born-1', 'born-2', 'born-3', 'born-4'];
    await using witness = await Witness.watch(network.namespace('gateway'), late());
    // One right after the other, so that kube-proxy has just written its rules when the next one comes, and waits.
    const born = names.map(async (name, i) => {
      const ip = parseIp(`198.51.100.${70 + i}`);
      await using load = clients.start({ to: [ip], port: 80, every: 20 });
      const { at: routed } = await witness.first(new RegExp(`^${ip} `), 0, late());
      await load.next(({ pod: by }) => by === 'web-2', late());
      for (let more = 0; more < 60; more += 1) await load.next(() => true, late());
      return { name, ...(await load.stop(routed)) };
    });
    for (const [i, name] of names.entries()) {
      const spec = { externalIPs: [`198.51.100.${70 + i}`] };
      await cluster.createService({ name, policy: 'Local', spec }, ready(stage.pods('web-2')));
    }
    for (const { name, sent, lost, errors } of await Promise.all(born)) {
      expect(sent).to.be.at.least(20);
      expect(lost, `${name} ${JSON.stringify(errors)}`).to.equal(0);
    }
    for (const name of names) await stage.gone(name);
  });
});
