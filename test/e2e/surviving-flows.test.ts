import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { embedded } from '../../lab/lab.ts';
import { client, clients } from '../../lab/network/map.ts';
import { within } from '../../lab/process/run.ts';
import { Stage } from '../lab/stage.ts';
import { echoPort, Flows, flowServer } from './flows.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { needRoot } from './root.ts';

const count = 120;

for (const groups of ['plain', 'resilient'] as const) {
  /** Under Local a flow that comes to another node than before is unknown there. */
  describe(`flows on nodes that stay, ${groups} groups`, () => {
    const stack = new AsyncDisposableStack();
    let stage: Stage;
    let opened: readonly { readonly flows: Flows; readonly pods: readonly string[] }[];
    before(async function () {
      needRoot(this);
      stage = stack.use(await Stage.open(embedded, `allocate: true\nresilient: ${groups === 'resilient'}`));
      await stage.layPods();
      const { network, cluster, proxy } = stage.lab;
      for (const { name } of network.pods) {
        const argv = within(network.namespace(name), [process.execPath, '-e', flowServer(name)]);
        stack.use(new GatewayDaemon(argv));
        const listening = ['ss', '-Hltn', 'sport', '=', `:${echoPort}`];
        await stage.until(
          `${name} serves`,
          async () => (await network.run(name, { argv: listening })) !== '',
        );
      }
      const pods = network.pods.map((pod) => ({ ...pod, port: echoPort }));
      const ports = [{ name: 'echo', protocol: 'TCP', port: echoPort, targetPort: echoPort }];
      await cluster.createService({ name: 'flows', policy: 'Local', spec: { ports } }, ready(pods));
      await stage.serving('flows');
      await proxy.settled();
    });
    after(() => stack.disposeAsync());

    /** Sends a byte over each flow; resolves when all but those on the pod have echoed it. */
    const live = async (but?: string): Promise<void> => {
      for (const { flows, pods } of opened) {
        await flows.send();
        await stage.until('all other flows echo', async () =>
          (await flows.stuck()).every((nth) => pods[nth] === but),
        );
      }
    };

    for (const [i, name] of ['node1', 'node2', 'node3'].entries()) {
      it(`stay when ${name} goes and comes back`, async () => {
        const { network } = stage.lab;
        await using own = new AsyncDisposableStack();
        opened = await Promise.all(
          stage.ips('flows').map(async (ip) => {
            const flows = own.use(new Flows(network.namespace('client')));
            const of = ip.includes(':') ? 'v6' : 'v4';
            const from = Array.from({ length: clients }, (_, nth) => client(nth)[of]);
            return { flows, pods: await flows.open(ip, count, from) };
          }),
        );
        for (const { pods } of opened) expect(new Set(pods).size, 'pods with flows').to.be.above(1);
        await live();
        await network.unplug(name);
        const rest = network.nodes.filter((each) => each !== name).join(' ');
        await stage.lead(stage.ips('flows'), rest);
        await live(`web-${i + 1}`);
        await network.plug(name);
        await stage.lead(stage.ips('flows'), 'node1 node2 node3');
        await live(`web-${i + 1}`);
      });
    }
  });
}
