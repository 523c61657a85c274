import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { embedded } from '../../lab/lab.ts';
import { client, clients } from '../../lab/network/map.ts';
import { ipBatch, within } from '../../lab/process/run.ts';
import { Stage } from '../lab/stage.ts';
import { downloadPort, Flows, flowServer } from './flows.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { needRoot } from './root.ts';

/** "Packet too big" has no ports: it goes to another node than its flow. */
for (const [what, lines, works] of [
  ['the segments that the gateway allows', 'hashPolicy: ports', true],
  ['the segments that clients ask for', 'hashPolicy: ports\nmss: 0', false],
] as const) {
  describe(`flows spread by ports, behind a path of 1300 bytes, with ${what}`, () => {
    const stack = new AsyncDisposableStack();
    let stage: Stage;
    let flows: Flows;
    before(async function () {
      needRoot(this);
      stage = stack.use(await Stage.open(embedded, `allocate: true\n${lines}`));
      await stage.layPods();
      const { network, cluster, proxy } = stage.lab;
      for (const { name } of network.pods) {
        stack.use(
          new GatewayDaemon(within(network.namespace(name), [process.execPath, '-e', flowServer(name)])),
        );
        const listening = ['ss', '-Hltn', 'sport', '=', `:${downloadPort}`];
        await stage.until(
          `${name} serves`,
          async () => (await network.run(name, { argv: listening })) !== '',
        );
      }
      const pods = network.pods.map((pod) => ({ ...pod, port: downloadPort }));
      const ports = [{ name: 'file', protocol: 'TCP', port: downloadPort, targetPort: downloadPort }];
      await cluster.createService({ name: 'files', policy: 'Local', spec: { ports } }, ready(pods));
      await stage.serving('files');
      await proxy.settled();
      await ipBatch(['-n', network.namespace('upstream')], ['link set eth0 mtu 1300']);
      flows = stack.use(new Flows(network.namespace('client')));
    });
    after(() => stack.disposeAsync());

    for (const [family, nth] of [
      ['v4', 0],
      ['v6', 1],
    ] as const) {
      it(`${works ? 'downloads all arrive' : 'some downloads hang'}, IP${family}`, async () => {
        const from = Array.from({ length: clients }, (_, i) => client(i)[family]);
        const failed = await flows.download(stage.ips('files')[nth] ?? '', 16, from);
        if (works) expect(failed).to.equal(0);
        else expect(failed).to.be.above(0);
      });
    }
  });
}
