import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { client, clients } from '../../lab/network/map.ts';
import { Process } from '../../lab/process/process.ts';
import { echoPort, Flows, flowServer } from '../e2e/flows.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

const policies = ['Local', 'Cluster'] as const;
/** Of each family and Service. */
const count = 75;
/** ms between two new connections */
const every = 10;
const pods = ['web-1', 'web-2', 'web-3'];

for (const mode of ['nftables', 'iptables'] as const) {
  describe(`a node that drains, agents that follow, real kube-proxy (${mode})`, () => {
    const stack = new AsyncDisposableStack();
    let stage: Stage;
    before(async function () {
      await needKubernetes(this);
      stage = stack.use(await Stage.open(real(mode), 'allocate: true', { agents: 'following' }));
      const { network, cluster } = stage.lab;
      await stage.layPods();
      for (const name of pods) {
        const argv = [process.execPath, '-e', flowServer(name)];
        const log = `${network.folder}/${name}.log`;
        stack.use(await Process.start({ namespace: network.namespace(name), argv, log }));
      }
      const spec = { ports: [{ name: 'echo', protocol: 'TCP', port: echoPort, targetPort: echoPort }] };
      for (const policy of policies)
        await cluster.createService({ name: policy.toLowerCase(), policy, spec }, ready(stage.pods(...pods)));
      await cluster.createService({ name: 'fresh', policy: 'Local' }, ready(stage.pods(...pods)));
      for (const name of ['local', 'cluster', 'fresh']) await stage.serving(name);
      await stage.lab.proxy.settled();
      // They have told so once they know the gateway's link-layer address.
      await stage.until('the gateway is OK', () => stage.isOk());
    });
    after(() => stack.disposeAsync());

    const ips = () => policies.flatMap((policy) => stage.ips(policy.toLowerCase()));
    const leadsTo = async (nodes: string): Promise<boolean> =>
      (await Promise.all(ips().map((ip) => stage.nodesOf(ip)))).every((each) => each === nodes);
    const drained = (to: string | null) =>
      stage.lab.cluster.client.patch(
        { kind: 'Node', name: 'node3' },
        { metadata: { annotations: { 'eiproute.io/drain': to } } },
      );
    const tables = (part: string): Promise<string> =>
      stage.lab.network.run(part, { argv: ['nft', 'list', 'tables'] });
    /** Connections to web-3 that are open there. */
    const open3 = (): Promise<string> =>
      stage.lab.network.run('web-3', {
        argv: ['ss', '-Htn', 'state', 'established', `sport = :${echoPort}`],
      });

    it('keeps its connections, gets no new ones, and loses none when it comes back', async () => {
      const { network, clients: load } = stage.lab;
      const flows: Flows[] = [];
      const on: string[] = [];
      const sources = Array.from({ length: clients }, (_, i) => client(i));
      for (const ip of ips()) {
        const one = stack.use(new Flows(network.namespace('client')));
        flows.push(one);
        on.push(
          ...(await one.open(
            ip,
            count,
            sources.map(({ v4, v6 }) => (ip.includes(':') ? v6 : v4)),
          )),
        );
      }
      expect(on.filter((pod) => pod === 'web-3').length).to.be.above(count);
      /** Sends, and resolves when all has come back, or a connection is broken. */
      const speak = async (what: string): Promise<void> => {
        for (let turn = 0; turn < 5; turn += 1) {
          await Promise.all(flows.map((one) => one.send()));
          await stage.until(`the flows have echoed: ${what}`, async () => {
            const counts = await Promise.all(flows.map((one) => one.count()));
            expect(
              counts.map(({ broken }) => broken),
              what,
            ).to.deep.equal(flows.map(() => 0));
            return counts.every(({ live }) => live === count);
          });
        }
      };
      await speak('before');

      await using requests = load.start({ to: stage.ips('fresh'), port: 80, every });
      await drained('true');
      await stage.until('node3 is left out', () => leadsTo('node1 node2'));
      const without = Date.now();
      await speak('while it drains');
      expect(await tables('node1'))
        .to.include('table ip eiproute-drain4')
        .and.include('table ip6 eiproute-drain6');
      expect(await tables('node3')).to.not.include('eiproute-drain');
      for (let more = 0; more < 100; more += 1) await requests.next(() => true, late());
      const { lost, sent, pods: answered } = await requests.stop(without);
      expect([...Object.keys(answered)].sort()).to.deep.equal(['web-1', 'web-2']);
      expect(lost, `of ${sent}`).to.equal(0);

      await drained(null);
      await stage.until('node3 is back', () => leadsTo('node1 node2 node3'));
      await speak('when it is back');
      await stage.until('the tables go', async () => !(await tables('node1')).includes('eiproute-drain'));
      await speak('without the tables');

      // Ends and aborts have to arrive as well, or the pod keeps connections that nobody has.
      await drained('true');
      await stage.until('node3 is left out again', () => leadsTo('node1 node2'));
      expect(await open3()).to.not.equal('');
      for (const one of flows) await one[Symbol.asyncDispose]();
      await stage.until('the pod hears that its connections ended', async () => (await open3()) === '');
      await drained(null);
      await stage.until('node3 is back again', () => leadsTo('node1 node2 node3'));
    });
  });
}
