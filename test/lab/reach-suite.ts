import { expect } from 'chai';
import type { LabKind } from '../../lab/lab.ts';
import { eip } from '../../lab/network/map.ts';
import { ask } from '../../lab/reach/ask.ts';
import { layServices, reachTable } from '../../lab/reach/reach-table.ts';
import { Stage } from './stage.ts';

/** Who reaches an EIP: the table of `npm run reach`, all yes, and nothing but what a Service serves. */
export function reachSuite(kind: LabKind): void {
  describe(`an EIP, ${kind.cluster} cluster, ${kind.proxy} kube-proxy`, () => {
    let stage: Stage;
    let stack: AsyncDisposableStack;
    before(async () => {
      stack = new AsyncDisposableStack();
      stage = stack.use(await Stage.open(kind));
      stack.use(await layServices(stage.lab));
    });
    after(async () => {
      await stack?.disposeAsync();
    });

    it('answers clients, routers, other hosts, nodes and pods, for every kind of Service', async () => {
      const cells = await reachTable(stage.lab);
      expect(cells.length).to.be.above(80);
      expect(cells.filter(({ trouble }) => trouble !== '')).to.deep.equal([]);
    });

    it('shows the pods of a Local Service the address of the client', async () => {
      for (const ip of [eip(2).v4, eip(2).v6]) {
        const { text } = await ask(stage.lab.network, 'client', { ip, protocol: 'TCP', port: 80 });
        expect(text).to.match(/^web-[23] (192\.0\.2\.|2001:db8:c::)/);
      }
    });

    it('refuses a port that no Service has, at once', async () => {
      for (const from of ['client', 'gateway', 'node1', 'web-1']) {
        for (const ip of [eip(1).v4, eip(1).v6]) {
          const heard = await ask(stage.lab.network, from, { ip, protocol: 'TCP', port: 8080 });
          expect(heard.kind, `${from} ${ip}: ${heard.text}`).to.equal('refused');
        }
      }
    });

    // The played kube-proxy has no session affinity.
    if (kind.proxy === 'played') return;

    it('holds all flows of a client on one pod under session affinity', async () => {
      const { network, cluster, proxy } = stage.lab;
      const ref = { kind: 'Service', name: 'cluster' };
      await cluster.client.patch(ref, { spec: { sessionAffinity: 'ClientIP' } });
      await proxy.settled();
      for (const ip of [eip(1).v4, eip(1).v6]) {
        const pods = new Set<string>();
        for (let i = 0; i < 20; i += 1) {
          const { text } = await ask(network, 'client', { ip, protocol: 'TCP', port: 80 });
          pods.add(text.split(' ')[0] ?? '');
        }
        expect([...pods], ip).to.have.length(1);
      }
    });
  });
}
