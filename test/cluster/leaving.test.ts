import { expect } from 'chai';
import { type Backend, ready } from '../../lab/cluster/cluster.ts';
import { client, clients } from '../../lab/network/map.ts';
import { Process } from '../../lab/process/process.ts';
import { echoPort, Flows, flowServer } from '../e2e/flows.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

/** Of each family. */
const count = 150;
/** ms between two new connections */
const every = 10;
const names = ['flows', 'fresh'] as const;

for (const mode of ['nftables', 'iptables'] as const) {
  describe(`a pod that shuts down under Local, agents that follow, real kube-proxy (${mode})`, () => {
    const stack = new AsyncDisposableStack();
    let stage: Stage;
    before(async function () {
      await needKubernetes(this);
      stage = stack.use(await Stage.open(real(mode), 'allocate: true', { agents: 'following' }));
      await stage.layPods();
      const pods = ['web-1', 'web-2', 'web-3'];
      for (const name of pods) await serve(name);
      const spec = { ports: [{ name: 'echo', protocol: 'TCP', port: echoPort, targetPort: echoPort }] };
      const { cluster } = stage.lab;
      await cluster.createService({ name: 'flows', policy: 'Local', spec }, ready(stage.pods(...pods)));
      await cluster.createService({ name: 'fresh', policy: 'Local' }, ready(stage.pods(...pods)));
      for (const name of names) await stage.serving(name);
      await stage.lab.proxy.settled();
      await stage.until('the gateway is OK', () => stage.isOk());
    });
    after(() => stack.disposeAsync());

    const serve = async (name: string): Promise<void> => {
      const { network } = stage.lab;
      const argv = [process.execPath, '-e', flowServer(name)];
      const log = `${network.folder}/${name}.log`;
      stack.use(await Process.start({ namespace: network.namespace(name), argv, log }));
      await stage.until(`${name} listens`, async () => {
        const listening = ['ss', '-Hltn', 'sport', '=', `:${echoPort}`];
        return (await network.run(name, { argv: listening })) !== '';
      });
    };
    const backends = async (steady: readonly string[], ending: readonly string[] = []): Promise<void> => {
      const all: readonly Backend[] = [
        ...ready(stage.pods(...steady)),
        ...stage.pods(...ending).map((pod) => ({ pod, state: 'terminating' as const })),
      ];
      for (const name of names) await stage.lab.cluster.setBackends(name, all);
    };
    const leadsTo = async (nodes: string): Promise<boolean> => {
      const ips = names.flatMap((name) => stage.ips(name));
      return (await Promise.all(ips.map((ip) => stage.nodesOf(ip)))).every((each) => each === nodes);
    };
    const tables = (part: string): Promise<string> =>
      stage.lab.network.run(part, { argv: ['nft', 'list', 'tables'] });

    it('keeps its connections while it serves, gets no new ones, and loses none', async () => {
      const { network, clients: load } = stage.lab;
      const flows: Flows[] = [];
      const on: string[] = [];
      const sources = Array.from({ length: clients }, (_, i) => client(i));
      for (const ip of stage.ips('flows')) {
        const one = stack.use(new Flows(network.namespace('client')));
        flows.push(one);
        const from = sources.map(({ v4, v6 }) => (ip.includes(':') ? v6 : v4));
        on.push(...(await one.open(ip, count, from)));
      }
      expect(on.filter((pod) => pod === 'web-1').length).to.be.above(count / 3);
      /** Sends, and resolves when all has come back, or a connection is broken. */
      const speak = async (what: string): Promise<void> => {
        for (let turn = 0; turn < 5; turn += 1) {
          await Promise.all(flows.map((one) => one.send()));
          await stage.until(`the flows have echoed: ${what}`, async () => {
            const counts = await Promise.all(flows.map((one) => one.count()));
            const broken = counts.map((each) => each.broken);
            expect(broken, what).to.deep.equal(flows.map(() => 0));
            return counts.every(({ live }) => live === count);
          });
        }
      };
      await speak('before');
      await using requests = load.start({ to: stage.ips('fresh'), port: 80, every });
      await requests.next(() => true, late());
      // The one with the lowest address: the others would divide its part among them otherwise.
      await Promise.all([
        backends(['web-2', 'web-3'], ['web-1']),
        speak('while its traffic moves'),
        stage.until('node1 is left out', () => leadsTo('node2 node3')),
      ]);
      const without = Date.now();
      await speak('while it shuts down');
      for (const name of ['node2', 'node3'])
        expect(await tables(name))
          .to.include('table ip eiproute-drain4')
          .and.include('table ip6 eiproute-drain6');
      for (let more = 0; more < 100; more += 1) await requests.next(() => true, late());
      const { pods: answered } = await requests.stop(without);
      const { answers } = requests;
      const lost = answers.filter(({ error }) => error !== undefined);
      expect(lost, `of ${answers.length}`).to.deep.equal([]);
      expect([...Object.keys(answered)].sort()).to.deep.equal(['web-2', 'web-3']);
      for (const one of flows) await one[Symbol.asyncDispose]();
      await backends(['web-2', 'web-3']);
      await stage.until('the tables go', async () => !(await tables('node2')).includes('eiproute-drain'));
    });

    it('loses no new connection when it moves to another node', async () => {
      const { network, clients: load } = stage.lab;
      await network.addPod('moved', 'node1');
      await using requests = load.start({ to: stage.ips('fresh'), port: 80, every });
      await requests.next(() => true, late());
      await backends(['web-2', 'web-3', 'moved']);
      await backends(['web-3', 'moved'], ['web-2']);
      await stage.until('node2 is left out', () => leadsTo('node1 node3'));
      const without = Date.now();
      await stage.lab.proxy.settled();
      await backends(['web-3', 'moved']);
      for (let more = 0; more < 100; more += 1) await requests.next(() => true, late());
      const { pods: answered } = await requests.stop(without);
      const { answers } = requests;
      const lost = answers.filter(({ error }) => error !== undefined);
      expect(lost, `of ${answers.length}`).to.deep.equal([]);
      expect([...Object.keys(answered)].sort()).to.deep.equal(['moved', 'web-3']);
    });
  });
}
