import { expect } from 'chai';
import { type JsonObject, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { Eiproute } from '../../lab/eiproute/eiproute.ts';
import type { Load } from '../../lab/load/load.ts';
import { Witness } from '../../lab/load/witness.ts';
import { client, clients } from '../../lab/network/map.ts';
import { layNetwork } from '../../lab/network/network.ts';
import { Process } from '../../lab/process/process.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { RealProxy } from '../../lab/proxy/real-proxy.ts';
import type { Ip } from '../../src/model/ip.ts';
import { downloadPort, Flows, flowServer } from '../e2e/flows.ts';
import { Stage } from '../lab/stage.ts';
import { late, patience } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

/** Cases of route owners, with their numbers in the project's list; what they did wrong is written there. */
describe('routes under a real control plane', () => {
  let stage: Stage;
  let cluster: RealCluster;
  let witness: Witness;
  before(async function () {
    await needKubernetes(this);
    stage = await Stage.open(real('nftables'));
    cluster = stage.real;
    const { network } = stage.lab;
    await stage.layPods();
    witness = await Witness.watch(network.namespace('gateway'), late());
    await cluster.createService(
      { name: 'web', policy: 'Cluster' },
      ready(stage.pods('web-1', 'web-2', 'web-3')),
    );
    await stage.serving('web');
    await stage.lab.proxy.settled();
  });
  after(async () => {
    await witness?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  const gateway = (...argv: readonly string[]): Promise<string> => stage.lab.network.run('gateway', { argv });
  /** Steady requests to a Service that answers. */
  const loadOn = async (name: string): Promise<Load> => {
    const to = stage.ips(name);
    const load = stage.lab.clients.start({ to, port: 80, every: 10 });
    for (const ip of to) await load.next((one) => one.to === ip && one.pod !== undefined, late());
    return load;
  };
  const lostSince = async (load: Load, start: number): Promise<string> => {
    const { lost, sent, errors } = await load.stop(start);
    return lost === 0 ? '' : `${lost} of ${sent}: ${JSON.stringify(errors)}`;
  };
  /** What changed in the kernel for these addresses since then, in the words of `ip monitor`. */
  const touched = (ips: readonly Ip[], start: number): readonly string[] =>
    witness
      .since(start)
      .map(({ text }) => text)
      .filter((text) => ips.some((ip) => text.replace(/^Deleted /, '').startsWith(`${ip} `)));

  it('63: what was orphaned while the daemon was dead goes, what is wanted is not touched, nothing is lost', async () => {
    await cluster.createService({ name: 'orphan', policy: 'Cluster' }, ready(stage.pods('web-1')));
    await stage.serving('orphan');
    const orphans = stage.ips('orphan');
    await using load = await loadOn('web');
    const start = Date.now();
    await stage.eiproute.gateway.kill('SIGKILL', late());
    // Its finalizer would keep the Service: nobody is there to take it away.
    await cluster.client.patch({ kind: 'Service', name: 'orphan' }, { metadata: { finalizers: null } });
    await cluster.deleteService('orphan');
    await stage.eiproute.restartGateway();
    for (const ip of orphans) await stage.until(`${ip} is gone`, async () => (await stage.route(ip)) === '');
    expect(await lostSince(load, start)).to.equal('');
    expect(touched(stage.ips('web'), start)).to.deep.equal([]);
  });

  it('64: a foreign route on an EIP stays as it is, and is told; a second daemon is refused', async () => {
    await gateway('ip', 'route', 'add', 'blackhole', '198.51.100.77', 'proto', 'static');
    await cluster.createService(
      {
        name: 'foreign',
        policy: 'Cluster',
        annotations: { 'eiproute.io/addresses': '198.51.100.77,2001:db8:e::77' },
      },
      ready(stage.pods('web-1')),
    );
    await stage.until('status names the foreign route', async () => {
      const argv = [program, 'status', '--config', stage.eiproute.files.config];
      const { out } = await stage.lab.network.outcome('gateway', { argv });
      return /198\.51\.100\.77.*(static|blackhole)/.test(out);
    });
    expect(await stage.route('198.51.100.77')).to.match(/blackhole 198\.51\.100\.77 proto static/);
    await gateway('ip', 'route', 'del', 'blackhole', '198.51.100.77');
    await stage.until('our route is there', async () => /proto 86/.test(await stage.route('198.51.100.77')));
    const second = await stage.lab.network.outcome('gateway', {
      argv: [program, 'gateway', '--config', stage.eiproute.files.config],
    });
    expect(second.status).to.not.equal(0);
    await cluster.deleteService('foreign');
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`66: forwarding goes on after ${signal}`, async () => {
      await using load = await loadOn('web');
      const start = Date.now();
      await stage.eiproute.gateway.kill(signal, late());
      for (let i = 0; i < 50; i += 1) await load.next(() => true, late());
      expect(await lostSince(load, start)).to.equal('');
      await stage.eiproute.restartGateway();
      await stage.eiproute.gateway.synced(late());
      expect(touched(stage.ips('web'), start)).to.deep.equal([]);
    });
  }

  it('67: without rights (403) and over a restart without them, all stays as it is', async () => {
    const bindings = ['eiproute-gateway', 'eiproute-allocate'];
    const saved: JsonObject[] = [];
    for (const name of bindings) {
      const { metadata: _, ...binding } = await cluster.client.get({ kind: 'ClusterRoleBinding', name });
      saved.push({ ...binding, metadata: { name } });
      await cluster.client.delete({ kind: 'ClusterRoleBinding', name });
    }
    await using load = await loadOn('web');
    const start = Date.now();
    await stage.eiproute.gateway.kill('SIGKILL', late());
    await stage.eiproute.restartGateway();
    await stage.until('status says 403', async () => {
      const { out } = await stage.lab.network.outcome('gateway', {
        argv: [program, 'status', '--config', stage.eiproute.files.config],
      });
      return /403/.test(out);
    });
    expect(await lostSince(load, start)).to.equal('');
    expect(touched(stage.ips('web'), start)).to.deep.equal([]);
    for (const binding of saved) await cluster.client.create(binding);
    await stage.eiproute.gateway.synced(late());
  });

  it('68: a 410 leads to a new list and touches no route', async () => {
    const start = Date.now();
    stage.eiproute.gateway.signal('SIGSTOP');
    await cluster.createService({ name: 'unheard', policy: 'Cluster' }, []);
    await cluster.stopApi();
    await cluster.startApi();
    stage.eiproute.gateway.signal('SIGCONT');
    await stage.until('the Service of meanwhile has an address', () => stage.eips('unheard') !== '');
    expect(touched(stage.ips('web'), start)).to.deep.equal([]);
    await cluster.deleteService('unheard');
  });

  it('K3: downloads over IPv6 find out that the path is narrow, whichever node and source they have', async () => {
    const { network, proxy } = stage.lab;
    await using servers = new AsyncDisposableStack();
    for (const pod of network.pods) {
      const server = await Process.start({
        namespace: network.namespace(pod.name),
        argv: [process.execPath, '-e', flowServer(pod.name)],
        log: `${network.folder}/${pod.name}.log`,
      });
      servers.use(server);
    }
    const spec = {
      ports: [{ name: 'download', protocol: 'TCP', port: downloadPort, targetPort: downloadPort }],
    };
    await cluster.createService(
      { name: 'narrow', policy: 'Local', spec },
      ready(stage.pods('web-1', 'web-2', 'web-3')),
    );
    await stage.serving('narrow');
    await proxy.settled();
    await network.run('upstream', { argv: ['ip', 'link', 'set', 'eth0', 'mtu', '1300'] });
    await using flows = new Flows(network.namespace('client'));
    const sources = Array.from({ length: clients }, (_, i) => client(i));
    for (const ip of stage.ips('narrow')) {
      const from = sources.map(({ v4, v6 }) => (ip.includes(':') ? v6 : v4));
      const failed = await flows.download(ip, clients, from);
      expect(failed, ip).to.equal(0);
    }
    await network.run('upstream', { argv: ['ip', 'link', 'set', 'eth0', 'mtu', '1500'] });
    await cluster.deleteService('narrow');
  });

  // From here on cables are pulled: a kube-proxy may take a minute to find its API again.
  it('71: a node with a new address is followed, and one that is deleted and made anew', async () => {
    const leads = (nodes: string): Promise<void> =>
      stage.until(
        `it leads to ${nodes}`,
        async () => (await stage.nodesOf(stage.ips('web')[0] ?? '')) === nodes,
      );
    await leads('node1 node2 node3');
    await cluster.deleteNode('node3');
    await leads('node1 node2');
    await cluster.putNode('node3');
    // kube-proxy ends when its Node is deleted, and a DaemonSet starts it again.
    const { proxy } = stage.lab;
    if (!(proxy instanceof RealProxy)) throw new Error('the lab has no real kube-proxy');
    await proxy.restart('node3');
    await leads('node1 node2 node3');
    // Its cable is pulled and plugged: the kernel of the gateway forgets nothing but the neighbour.
    const { network } = stage.lab;
    await network.unplug('node3');
    await network.plug('node3');
    await leads('node1 node2 node3');
  });

  it('71: the LAN cable of the gateway is pulled and plugged: every route is back', async () => {
    const { network } = stage.lab;
    await network.unplug('gateway');
    await network.plug('gateway');
    for (const ip of stage.ips('web')) {
      await stage.until(`${ip} is routed`, async () => (await stage.nodesOf(ip)) === 'node1 node2 node3');
    }
    await using load = await loadOn('web');
    const start = Date.now();
    for (let i = 0; i < 50; i += 1) await load.next(() => true, late());
    expect(await lostSince(load, start)).to.equal('');
  });

  it('72: a node has two ways out: replies leave by the one that the request came by, also when rp_filter is set back', async () => {
    const { network } = stage.lab;
    // The default route of a node leads to another router, which drops what it did not see begin.
    const wayOut = await network.run('node1', { argv: ['ip', 'route', 'show', 'default'] });
    expect(wayOut).to.not.include('10.0.0.1 ');
    await using load = await loadOn('web');
    // What systemd-sysctl sets back to strict becomes loose again on a node, and off on the gateway.
    const wanted = { gateway: '0', node1: '2' };
    for (const machine of ['gateway', 'node1'] as const) {
      await network.run(machine, { argv: ['sysctl', '-qw', 'net.ipv4.conf.eth0.rp_filter=1'] });
      await stage.until(`rp_filter of ${machine} is ${wanted[machine]}`, async () => {
        const now = await network.run(machine, { argv: ['sysctl', '-n', 'net.ipv4.conf.eth0.rp_filter'] });
        return now.trim() === wanted[machine];
      });
    }
    const start = Date.now();
    for (let i = 0; i < 50; i += 1) await load.next(() => true, late());
    expect(await lostSince(load, start)).to.equal('');
  });

  it('74: heartbeats and conditions of others change nothing in the kernel', async () => {
    const start = Date.now();
    for (let i = 0; i < 20; i += 1) {
      const lastHeartbeatTime = new Date(Date.now() + i * 1000).toISOString().replace(/\.\d+/, '');
      const conditions = [
        { type: 'Ready', status: 'True', lastHeartbeatTime },
        { type: 'DiskPressure', status: i % 2 === 0 ? 'True' : 'False', lastHeartbeatTime },
      ];
      await cluster.client.patch({ kind: 'Node', name: 'node1' }, { status: { conditions } }, 'status');
    }
    // What comes after it shows that all before it was looked at.
    await cluster.createService({ name: 'marker', policy: 'Cluster' }, ready(stage.pods('web-1')));
    await stage.serving('marker');
    const own = stage.ips('marker');
    const others = witness.since(start).filter(({ text }) => !own.some((ip) => text.includes(`${ip} `)));
    expect(others.map(({ text }) => text)).to.deep.equal([]);
    await cluster.deleteService('marker');
  });

  it('K6: all pods of eight Services go one after the other: all eight are withdrawn, none is held', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `emptied-${i}`);
    const all = ready(stage.pods('web-1', 'web-2', 'web-3'));
    for (const name of names) await cluster.createService({ name, policy: 'Local' }, all);
    for (const name of names) await stage.serving(name);
    const ips = names.flatMap((name) => stage.ips(name));
    await Promise.all(names.map((name) => cluster.setBackends(name, [])));
    for (const ip of ips) await stage.until(`${ip} is withdrawn`, async () => (await stage.route(ip)) === '');
    for (const name of names) await cluster.deleteService(name);
  });
});

describe('a control plane that closes connections (--goaway-chance 0.02)', () => {
  it('K1: 1,000 Services at once all get an address of their own', async function () {
    await needKubernetes(this);
    await using network = await layNetwork({ nodes: 3, nodeRouting: 'by agents' });
    await using cluster = await RealCluster.start(network, {
      apiServerFlags: ['--goaway-chance=0.02'],
    });
    // No kube-proxy and no agents: nobody asks for these addresses.
    const settings = { lines: 'allocate: true', pools: ['198.18.0.0/20'] };
    await using _eiproute = await Eiproute.start(network, cluster, settings, 'none');
    const { client, feed } = cluster;
    const names = Array.from({ length: 1000 }, (_, i) => `many-${i}`);
    const make = async (name: string): Promise<void> => {
      await client.create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default' },
        spec: { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports: [{ port: 80 }] },
      });
    };
    for (let i = 0; i < names.length; i += 16) await Promise.all(names.slice(i, i + 16).map(make));
    const given = (): readonly string[] =>
      feed
        .list('Service')
        .map((each) => textAt(listAt(each, 'status', 'loadBalancer', 'ingress')[0], 'ip'))
        .filter((ip) => ip !== '');
    const isDone = (): true | undefined => (given().length === names.length ? true : undefined);
    await waitFor('every Service has an address', isDone, AbortSignal.timeout(4 * patience));
    expect(new Set(given()).size).to.equal(names.length);
  });
});
