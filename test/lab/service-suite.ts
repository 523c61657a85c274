import { expect } from 'chai';
import { listAt, textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import type { LabKind } from '../../lab/lab.ts';
import { parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { Stage } from './stage.ts';

const finalizer = 'service.kubernetes.io/load-balancer-cleanup';

/** The life of a Service, and of what serves it; the API and the gateway that come and go. */
export function serviceSuite(kind: LabKind): void {
  describe(`a Service, ${kind.cluster} cluster, ${kind.proxy} kube-proxy`, () => {
    let stage: Stage;
    before(async () => {
      stage = await Stage.open(kind);
      await stage.layPods();
    });
    after(async () => {
      await stage?.[Symbol.asyncDispose]();
    });

    const pods = (...names: readonly string[]) => ready(stage.pods(...names));

    it('gets an address of each family, a finalizer, conditions and an event, and gives it back', async () => {
      const { cluster } = stage.lab;
      await cluster.createService({ name: 'born', policy: 'Cluster' }, pods('web-1'));
      await stage.serving('born');
      const [v4 = '', v6 = ''] = stage.eips('born').split(' ');
      expect(v4).to.match(/^198\.51\.100\./);
      expect(v6).to.match(/^2001:db8:e::/);
      expect(listAt(stage.service('born'), 'metadata', 'finalizers')).to.deep.equal([finalizer]);
      expect(stage.condition('born', 'eiproute.io/Allocated')).to.match(/^True/);
      expect(await stage.nodesOf(v4)).to.equal('node1 node2 node3');
      expect(await stage.nodesOf(v6)).to.equal('node1 node2 node3');
      const reasons = async (): Promise<readonly string[]> =>
        (await cluster.client.list('Event'))
          .filter((event) => textAt(event, 'involvedObject', 'name') === 'born')
          .map((event) => textAt(event, 'reason'));
      await stage.until('there is an event', async () => (await reasons()).includes('IPAllocated'));
      await stage.gone('born');
      expect(await stage.route(v4)).to.equal('');
      expect(await stage.route(v6)).to.equal('');
    });

    it('loses its address and its finalizer when it becomes a ClusterIP Service', async () => {
      const { cluster } = stage.lab;
      await cluster.createService({ name: 'turned', policy: 'Cluster' }, pods('web-1'));
      await stage.serving('turned');
      const [v4 = ''] = stage.eips('turned').split(' ');
      await cluster.client.patch(
        { kind: 'Service', name: 'turned' },
        {
          spec: {
            type: 'ClusterIP',
            loadBalancerClass: null,
            externalTrafficPolicy: null,
            allocateLoadBalancerNodePorts: null,
          },
        },
      );
      await stage.until(
        'status and finalizer are gone',
        () =>
          stage.eips('turned') === '' &&
          listAt(stage.service('turned'), 'metadata', 'finalizers').length === 0,
      );
      await stage.until('the route is gone', async () => (await stage.route(v4)) === '');
      await stage.gone('turned');
    });

    it('under Local goes where its ready endpoints are, and follows them', async () => {
      const { cluster } = stage.lab;
      await cluster.createService({ name: 'local', policy: 'Local' }, pods('web-1'));
      await stage.serving('local');
      const [v4 = '', v6 = ''] = stage.eips('local').split(' ');
      const leads = (nodes: string): Promise<void> => stage.lead([v4, v6], nodes);
      await leads('node1');
      await cluster.setBackends('local', pods('web-1', 'web-3'));
      await leads('node1 node3');
      await cluster.setBackends('local', pods('web-3'));
      await leads('node3');
      await cluster.setBackends('local', []);
      await leads('');
      expect(stage.eips('local')).to.equal(`${v4} ${v6}`);
      await cluster.setBackends('local', pods('web-2'));
      await leads('node2');
      await stage.gone('local');
    });

    it('is served on while the API is down, and what changed meanwhile is followed', async () => {
      const { cluster, clients, proxy } = stage.lab;
      await cluster.createService({ name: 'kept', policy: 'Cluster' }, pods('web-1', 'web-2'));
      await stage.serving('kept');
      await proxy.settled();
      const addresses = stage.eips('kept').split(' ').map(parseIp);
      await using load = clients.start({ to: addresses, port: 80, every: 10 });
      for (const ip of addresses) await load.next(({ to, pod }) => to === ip && pod !== undefined, late());
      const start = Date.now();
      await cluster.stopApi();
      for (let i = 0; i < 100; i += 1) await load.next(() => true, late());
      await cluster.startApi();
      await cluster.createService({ name: 'fresh', policy: 'Cluster' }, pods('web-3'));
      await stage.serving('fresh');
      const { sent, lost, errors } = await load.stop(start);
      expect(sent).to.be.above(100);
      expect(lost, JSON.stringify(errors)).to.equal(0);
      await stage.gone('fresh');
      await stage.gone('kept');
    });

    it('keeps its address when the gateway is killed and started', async () => {
      const { cluster, proxy, clients } = stage.lab;
      await cluster.createService({ name: 'stays', policy: 'Cluster' }, pods('web-1', 'web-2', 'web-3'));
      await stage.serving('stays');
      await proxy.settled();
      const eips = stage.eips('stays');
      const signal = late();
      await using load = clients.start({ to: eips.split(' ').map(parseIp), port: 80, every: 10 });
      await load.next(({ pod }) => pod !== undefined, signal);
      const start = Date.now();
      await stage.eiproute.gateway.kill('SIGKILL', signal);
      await stage.eiproute.restartGateway();
      await stage.eiproute.gateway.synced(signal);
      const { lost, errors } = await load.stop(start);
      expect(lost, JSON.stringify(errors)).to.equal(0);
      expect(stage.eips('stays')).to.equal(eips);
      await stage.gone('stays');
    });

    it('leaves a node that the cluster deletes', async () => {
      const { cluster } = stage.lab;
      await cluster.createService({ name: 'node-goes', policy: 'Cluster' }, pods('web-1', 'web-2'));
      await stage.serving('node-goes');
      const [v4 = ''] = stage.eips('node-goes').split(' ');
      await cluster.deleteNode('node3');
      await stage.lead([v4], 'node1 node2');
      await stage.gone('node-goes');
    });
  });
}
