import { expect } from 'chai';
import { at, type JsonObject, listAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { Kubelets } from '../../lab/cluster/real/kubelets.ts';
import type { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { node } from '../../lab/network/map.ts';
import { ask, type Heard } from '../../lab/reach/ask.ts';
import type { Ip } from '../../src/model/ip.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

const finalizer = 'service.kubernetes.io/load-balancer-cleanup';

/**
 * What Kubernetes' own end-to-end suite asks of a load balancer (test/e2e/network/loadbalancer.go), with the numbers of
 * the project's list of cases.
 */
describe("Kubernetes' cases for load balancers", () => {
  let stage: Stage;
  let cluster: RealCluster;
  before(async function () {
    await needKubernetes(this);
    stage = await Stage.open(real('nftables'));
    cluster = stage.real;
    await stage.layPods();
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  const asked = (ip: Ip, from = 'client', port = 80, protocol: 'TCP' | 'UDP' = 'TCP'): Promise<Heard> =>
    ask(stage.lab.network, from, { ip, protocol, port });
  const patch = (name: string, spec: JsonObject): Promise<JsonObject> =>
    cluster.client.patch({ kind: 'Service', name }, { spec });
  /** Each address of a Service answers, or none does. */
  const answers = async (
    name: string,
    kind: Heard['kind'],
    ips = stage.ips(name),
    port = 80,
  ): Promise<void> => {
    for (const ip of ips) {
      await stage.until(
        `${name} at ${ip}: ${kind}`,
        async () => (await asked(ip, 'client', port)).kind === kind,
      );
    }
  };

  for (const protocol of ['TCP', 'UDP'] as const) {
    it(`55: keeps its ${protocol} address from ClusterIP to LoadBalancer and back, over every change`, async () => {
      const name = `mutable-${protocol.toLowerCase()}`;
      const port = { name: 'http', protocol, port: 80, targetPort: 8080 };
      await cluster.createService(
        {
          name,
          policy: 'Cluster',
          spec: {
            type: 'ClusterIP',
            ports: [port],
            loadBalancerClass: undefined,
            externalTrafficPolicy: undefined,
            allocateLoadBalancerNodePorts: undefined,
          },
        },
        ready(stage.pods('web-1')),
      );
      await patch(name, { type: 'NodePort' });
      const first = Number(at(listAt(stage.service(name), 'spec', 'ports')[0], 'nodePort') ?? 0);
      await patch(name, { type: 'LoadBalancer' });
      await stage.serving(name);
      const ips = stage.ips(name);
      const answered = async (at: number): Promise<void> => {
        for (const ip of ips) {
          await stage.until(
            `${ip} ${protocol} ${at} answers`,
            async () => (await asked(ip, 'client', at, protocol)).kind === 'answer',
          );
        }
      };
      await answered(80);
      await patch(name, { ports: [{ ...port, nodePort: first === 31_000 ? 31_001 : 31_000 }] });
      await patch(name, { ports: [{ ...port, port: 81 }] });
      await answered(81);
      await cluster.setBackends(name, []);
      for (const ip of ips) {
        await stage.until(
          `${ip} answers no more`,
          async () => (await asked(ip, 'client', 81, protocol)).kind !== 'answer',
        );
      }
      expect(stage.ips(name)).to.deep.equal(ips);
      await cluster.setBackends(name, ready(stage.pods('web-2')));
      await answered(81);
      expect(stage.ips(name)).to.deep.equal(ips);
      await patch(name, {
        type: 'ClusterIP',
        externalTrafficPolicy: null,
        allocateLoadBalancerNodePorts: null,
      });
      await stage.until('its status is empty', () => stage.eips(name) === '');
      for (const ip of ips) {
        await stage.until(
          `${ip} is closed`,
          async () => (await asked(ip, 'client', 81, protocol)).kind !== 'answer',
        );
      }
      await stage.gone(name);
    });
  }

  it('56: lets in the loadBalancerSourceRanges alone, and everybody when they are cleared', async () => {
    await cluster.createService(
      {
        name: 'ranges',
        policy: 'Cluster',
        spec: { loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8:c::/64'] },
      },
      ready(stage.pods('web-1', 'web-2')),
    );
    await stage.serving('ranges');
    await answers('ranges', 'answer');
    for (const ip of stage.ips('ranges')) expect((await asked(ip, 'web-3')).kind, ip).to.equal('silence');
    await patch('ranges', { loadBalancerSourceRanges: ['10.244.0.0/16', '2001:db8:244::/48'] });
    await answers('ranges', 'silence');
    for (const ip of stage.ips('ranges')) expect((await asked(ip, 'web-3')).kind, ip).to.equal('answer');
    await patch('ranges', { loadBalancerSourceRanges: null });
    await answers('ranges', 'answer');
    await stage.gone('ranges');
  });

  for (const policy of ['Cluster', 'Local'] as const) {
    it(`57: ${policy}: session affinity holds a client on one pod, and is switched off and on`, async () => {
      const name = `affine-${policy.toLowerCase()}`;
      const spec = { sessionAffinity: 'ClientIP' };
      await cluster.createService({ name, policy, spec }, ready(stage.pods('web-1', 'web-2', 'web-3')));
      await stage.serving(name);
      await stage.lab.proxy.settled();
      const seen = async (ip: Ip): Promise<number> => {
        const names = new Set<string>();
        for (let i = 0; i < 20; i += 1) names.add((await asked(ip)).text.split(' ')[0] ?? '');
        return names.size;
      };
      for (const ip of stage.ips(name)) expect(await seen(ip), ip).to.equal(1);
      await patch(name, { sessionAffinity: 'None' });
      await stage.lab.proxy.settled();
      // Under Local the gateway chooses the node by the client's address, and a node has one pod here.
      if (policy === 'Cluster') for (const ip of stage.ips(name)) expect(await seen(ip), ip).to.be.above(1);
      await patch(name, { sessionAffinity: 'ClientIP' });
      await stage.lab.proxy.settled();
      for (const ip of stage.ips(name)) expect(await seen(ip), ip).to.equal(1);
      await stage.gone(name);
    });
  }

  it('58: has the cleanup finalizer as a LoadBalancer, loses it as a ClusterIP, and its deletion ends', async () => {
    const finalizers = (name: string): readonly unknown[] =>
      listAt(stage.service(name), 'metadata', 'finalizers');
    await cluster.createService({ name: 'cleaned', policy: 'Cluster' }, ready(stage.pods('web-1')));
    await stage.serving('cleaned');
    expect(finalizers('cleaned')).to.deep.equal([finalizer]);
    await patch('cleaned', {
      type: 'ClusterIP',
      loadBalancerClass: null,
      externalTrafficPolicy: null,
      allocateLoadBalancerNodePorts: null,
    });
    await stage.until('the finalizer is gone', () => finalizers('cleaned').length === 0);
    await patch('cleaned', { type: 'LoadBalancer' });
    await stage.until('the finalizer is back', () => finalizers('cleaned').length === 1);
    await stage.gone('cleaned');
  });

  it('59: works without node ports, and keeps its address when it gets them', async () => {
    await cluster.createService({ name: 'portless', policy: 'Cluster' }, ready(stage.pods('web-1')));
    await stage.serving('portless');
    const port = (): unknown => at(listAt(stage.service('portless'), 'spec', 'ports')[0], 'nodePort');
    expect(port()).to.equal(undefined);
    await answers('portless', 'answer');
    const before = stage.eips('portless');
    await patch('portless', { allocateLoadBalancerNodePorts: true });
    await stage.until('it has a node port', () => typeof port() === 'number');
    await answers('portless', 'answer');
    expect(stage.eips('portless')).to.equal(before);
    await stage.gone('portless');
  });

  for (const [to, where] of [
    ['web-2', 'another node'],
    ['web-1b', 'the same node'],
  ] as const) {
    it(`60: UDP from one source port follows a backend that moves to ${where}`, async () => {
      const { network } = stage.lab;
      if (to === 'web-1b') await network.addPod('web-1b', 'node1');
      const spec = { ports: [{ name: 'dns', protocol: 'UDP', port: 53, targetPort: 8080 }] };
      await cluster.createService({ name: 'dns', policy: 'Cluster', spec }, ready(stage.pods('web-1')));
      await stage.serving('dns');
      await stage.lab.proxy.settled();
      for (const ip of stage.ips('dns')) expect(await fromOnePort(stage, ip), ip).to.match(/^web-1 /);
      await cluster.setBackends('dns', ready(stage.pods(to)));
      await stage.lab.proxy.settled();
      // kube-proxy writes its rules first, and then forgets the flows to the old backend.
      for (const ip of stage.ips('dns')) {
        await stage.until(`${to} answers at ${ip}`, async () =>
          (await fromOnePort(stage, ip)).startsWith(`${to} `),
        );
      }
      await stage.gone('dns');
    });
  }

  it('62: Local: the health check port answers 200 where endpoints are, 503 elsewhere, and is freed', async () => {
    await cluster.createService({ name: 'checked', policy: 'Local' }, ready(stage.pods('web-2')));
    await stage.serving('checked');
    const port = Number(at(stage.service('checked'), 'spec', 'healthCheckNodePort') ?? 0);
    expect(port).to.be.above(0);
    const health = async (index: number): Promise<string> => {
      const url = `http://${node(index).v4}:${port}/`;
      const argv = ['curl', '-s', '-o', '/dev/null', '-m', '2', '-w', '%{http_code}', url];
      return (await stage.lab.network.outcome('gateway', { argv })).out;
    };
    for (const [index, code] of [
      [1, '503'],
      [2, '200'],
      [3, '503'],
    ] as const) {
      await stage.until(`node${index} says ${code}`, async () => (await health(index)) === code);
    }
    for (const ip of stage.ips('checked')) expect(await stage.nodesOf(ip)).to.equal('node2');
    await patch('checked', { externalTrafficPolicy: 'Cluster' });
    await stage.until(
      'the port is freed',
      () => at(stage.service('checked'), 'spec', 'healthCheckNodePort') === undefined,
    );
    await stage.gone('checked');
  });

  it('62: Local: the pods see the address of the client, all nodes with endpoints are used, pods reach it', async () => {
    await cluster.createService({ name: 'sourced', policy: 'Local' }, ready(stage.pods('web-1', 'web-3')));
    await stage.serving('sourced');
    await stage.lab.proxy.settled();
    for (const ip of stage.ips('sourced')) {
      const names = new Set<string>();
      let turn = 0;
      await stage.until(`both pods have answered at ${ip}`, async () => {
        turn += 1;
        const answer = await askFrom(stage, ip, turn);
        names.add(answer.split(' ')[0] ?? '');
        return names.has('web-1') && names.has('web-3');
      });
      expect((await asked(ip)).text).to.match(/ (192\.0\.2\.|2001:db8:c::)/);
      expect((await asked(ip, 'web-2')).kind).to.equal('answer');
    }
    await stage.gone('sourced');
  });

  for (const policy of ['Cluster', 'Local'] as const) {
    it(`61: ${policy}: a rolling update of a DaemonSet with a slow shutdown`, async () => {
      const { network, clients } = stage.lab;
      await using kubelets = new Kubelets(network, cluster.client, cluster.feed, { shutdown: 3000 });
      const name = `rolled-${policy.toLowerCase()}`;
      await cluster.client.create(daemonSet(name, 'one'));
      await cluster.createService({ name, policy, spec: { selector: { app: name } } }, undefined);
      await stage.until('every node has a pod', () => kubelets.running.length === 3);
      await stage.serving(name);
      await stage.lab.proxy.settled();
      const ips = stage.ips(name);
      await using load = clients.start({ to: ips, port: 80, every: 10 });
      for (const ip of ips) await load.next(({ to, pod }) => to === ip && pod !== undefined, late());
      const before = new Set(kubelets.running.map((pod) => pod.name));
      const start = Date.now();
      await cluster.client.patch({ kind: 'DaemonSet', name }, daemonSet(name, 'two'));
      await stage.until(
        'every pod is new',
        () => kubelets.running.length === 3 && kubelets.running.every((pod) => !before.has(pod.name)),
      );
      await stage.lab.proxy.settled();
      const { sent, lost, errors } = await load.stop(start);
      // The goal of Kubernetes is 99 of 100, what it demands 95.
      expect(lost / sent, `${lost} of ${sent}: ${JSON.stringify(errors)}`).to.be.below(0.01);
      await cluster.client.delete({ kind: 'DaemonSet', name });
      await stage.until('its pods are gone', () => kubelets.running.length === 0);
      await stage.gone(name);
    });
  }
});

/** A datagram and its answer, always from the same source port. */
async function fromOnePort({ lab }: Stage, ip: Ip): Promise<string> {
  const six = ip.includes(':');
  const script = `const socket = require('node:dgram').createSocket('${six ? 'udp6' : 'udp4'}');
    socket.on('message', (answer) => { process.stdout.write(String(answer)); process.exit(0); });
    socket.bind(5353, () => socket.send('?', 53, '${ip}'));
    setTimeout(() => process.exit(1), 3000);`;
  return (await lab.network.outcome('client', { argv: [process.execPath, '-e', script] })).out;
}

/** A request from one of the client's sixteen addresses. */
async function askFrom({ lab }: Stage, ip: Ip, turn: number): Promise<string> {
  const source = ip.includes(':') ? `2001:db8:c::${100 + (turn % 16)}` : `192.0.2.${100 + (turn % 16)}`;
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const argv = ['curl', '-g', '-s', '-m', '2', '--interface', source, `http://${host}/`];
  return (await lab.network.outcome('client', { argv })).out;
}

function daemonSet(name: string, version: string): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: name } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { app: name, version } },
        spec: { automountServiceAccountToken: false, containers: [{ name: 'server', image: 'none' }] },
      },
    },
  };
}
