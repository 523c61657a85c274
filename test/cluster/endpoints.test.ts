import { expect } from 'chai';
import { at, type JsonObject, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { Kubelets, runningStatus } from '../../lab/cluster/real/kubelets.ts';
import type { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { parseIp } from '../../src/model/ip.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

/** What the controllers make of Pods and Nodes, and what the gateway makes of that. */
describe('real controllers', () => {
  let stage: Stage;
  let cluster: RealCluster;
  before(async function () {
    await needKubernetes(this);
    // Kubernetes' own 40 s would only be waiting.
    stage = await Stage.open(real('nftables', { nodeGraceSeconds: 6 }));
    cluster = stage.real;
    await stage.layPods();
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  const first = (name: string): string => stage.eips(name).split(' ')[0] ?? '';

  it('a Pod that is not ready takes its node out under Local, and brings it back', async () => {
    await cluster.createService({ name: 'flips', policy: 'Local' }, ready(stage.pods('web-1', 'web-2')));
    await stage.serving('flips');
    await stage.lead([first('flips')], 'node1 node2');
    const [pod] = stage.pods('web-2');
    if (pod === undefined) throw new Error('no pod web-2');
    for (let i = 0; i < 3; i += 1) {
      await cluster.client.patch({ kind: 'Pod', name: 'web-2' }, runningStatus(pod, false), 'status');
      await stage.lead([first('flips')], 'node1');
      await cluster.client.patch({ kind: 'Pod', name: 'web-2' }, runningStatus(pod, true), 'status');
      await stage.lead([first('flips')], 'node1 node2');
    }
    await stage.gone('flips');
  });

  it('a terminating Pod that is the last one goes on serving under Local', async () => {
    const { proxy, clients } = stage.lab;
    await cluster.createService({ name: 'ending', policy: 'Local' }, ready(stage.pods('web-3')));
    await stage.serving('ending');
    await proxy.settled();
    const ips = stage.ips('ending');
    await using load = clients.start({ to: ips, port: 80, every: 10 });
    for (const ip of ips) await load.next(({ to, pod }) => to === ip && pod !== undefined, late());
    const start = Date.now();
    const [pod] = stage.pods('web-3');
    if (pod === undefined) throw new Error('no pod web-3');
    await cluster.setBackends('ending', [{ pod, state: 'terminating' }]);
    await proxy.settled();
    for (let i = 0; i < 50; i += 1) await load.next(() => true, late());
    const { lost, errors } = await load.stop(start);
    expect(lost, JSON.stringify(errors)).to.equal(0);
    expect(await stage.nodesOf(first('ending'))).to.equal('node3');
    await stage.gone('ending');
  });

  it('a rolling update of a Deployment loses nothing, and the gateway holds its address', async () => {
    const { network, clients, proxy } = stage.lab;
    await using kubelets = new Kubelets(network, cluster.client, cluster.feed, { shutdown: 2000 });
    await cluster.client.create(deployment('one'));
    const spec = { selector: { app: 'rolled' } };
    await cluster.createService({ name: 'rolled', policy: 'Cluster', spec }, undefined);
    await stage.until('it has its pods', () => kubelets.running.length === 4);
    await stage.serving('rolled');
    await proxy.settled();
    const eips = stage.eips('rolled');
    const before = new Set(kubelets.running.map(({ name }) => name));
    await using load = clients.start({ to: eips.split(' ').map(parseIp), port: 80, every: 10 });
    await load.next(({ pod }) => pod !== undefined, late());
    const start = Date.now();
    await cluster.client.patch({ kind: 'Deployment', name: 'rolled' }, deployment('two'));
    await stage.until(
      'every pod is new',
      () => kubelets.running.length === 4 && kubelets.running.every(({ name }) => !before.has(name)),
    );
    await proxy.settled();
    const { sent, lost, errors } = await load.stop(start);
    expect(sent).to.be.above(200);
    expect(lost, JSON.stringify(errors)).to.equal(0);
    expect(stage.eips('rolled')).to.equal(eips);
    await cluster.client.delete({ kind: 'Deployment', name: 'rolled' });
    await stage.until('its pods are gone', () => kubelets.running.length === 0);
    await stage.gone('rolled');
  });

  it('a kubelet that is silent makes its Node Unknown and tainted: the node forwards on, and stays', async () => {
    await cluster.createService({ name: 'silent', policy: 'Cluster' }, ready(stage.pods('web-1', 'web-2')));
    await stage.serving('silent');
    cluster.silence('node3');
    const isUnknown = async (): Promise<boolean> => {
      const found = await cluster.client.get({ kind: 'Node', name: 'node3' });
      const taints = listAt(found, 'spec', 'taints').map((taint) => textAt(taint, 'key'));
      const states = listAt(found, 'status', 'conditions').map(
        (each) => `${textAt(each, 'type')} ${at(each, 'status')}`,
      );
      return taints.includes('node.kubernetes.io/unreachable') && states.includes('Ready Unknown');
    };
    await stage.until('the node is Unknown', isUnknown);
    expect(await stage.nodesOf(first('silent'))).to.equal('node1 node2 node3');
    await stage.gone('silent');
  });

  it('a node that the autoscaler is about to delete leaves, and comes back when the taint goes', async () => {
    await cluster.createService({ name: 'scaled', policy: 'Cluster' }, ready(stage.pods('web-1', 'web-2')));
    await stage.serving('scaled');
    const taints = async (): Promise<readonly JsonObject[]> =>
      listAt(await cluster.client.get({ kind: 'Node', name: 'node2' }), 'spec', 'taints').filter(
        (each): each is JsonObject => textAt(each, 'key') !== 'ToBeDeletedByClusterAutoscaler',
      );
    const put = async (more: readonly JsonObject[]): Promise<void> => {
      const spec = { taints: [...(await taints()), ...more] };
      await cluster.client.patch({ kind: 'Node', name: 'node2' }, { spec });
    };
    await put([{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule', value: '1' }]);
    await stage.lead([first('scaled')], 'node1 node3');
    await put([]);
    await stage.lead([first('scaled')], 'node1 node2 node3');
    await stage.gone('scaled');
  });

  it('a node with the exclude label leaves, and comes back without it', async () => {
    await cluster.createService({ name: 'labelled', policy: 'Cluster' }, ready(stage.pods('web-1')));
    await stage.serving('labelled');
    const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
    const put = (value: string | null): Promise<JsonObject> =>
      cluster.client.patch({ kind: 'Node', name: 'node3' }, { metadata: { labels: { [label]: value } } });
    await put('');
    await stage.lead([first('labelled')], 'node1 node2');
    await put(null);
    await stage.lead([first('labelled')], 'node1 node2 node3');
    await stage.gone('labelled');
  });
});

function deployment(version: string): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'rolled', namespace: 'default' },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'rolled' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { app: 'rolled', version } },
        spec: { automountServiceAccountToken: false, containers: [{ name: 'server', image: 'none' }] },
      },
    },
  };
}
