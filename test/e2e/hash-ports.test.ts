import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { embedded } from '../../lab/lab.ts';
import { client, clients } from '../../lab/network/map.ts';
import { ipBatch, within } from '../../lab/process/run.ts';
import { Stage } from '../lab/stage.ts';
import { downloadPort, echoPort, Flows, flowServer } from './flows.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { needRoot } from './root.ts';

/** Connects from one address and port to ADDRESS again and again, and prints what each pod says first. */
const oneTuple = `
import socket, struct, sys
to, source = sys.argv[1:]
for _ in range(30):
    with socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        one.bind((source, 40000))
        one.connect((to, ${echoPort}))
        print(one.recv(100).decode().strip())
`;

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
      await cluster.createService(
        { name: 'echo', policy: 'Local', spec: { ports: [{ protocol: 'TCP', port: echoPort }] } },
        ready(pods.map((pod) => ({ ...pod, port: echoPort }))),
      );
      await stage.serving('files');
      await stage.serving('echo');
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

      // The packets of a network card, and those of a socket on this host, come with a hash of their own.
      it(`the five-tuple alone decides, IP${family}`, async () => {
        const source = client(0)[family];
        const argv = ['python3', '-c', oneTuple, stage.ips('echo')[nth] ?? '', source];
        const pods = (await stage.lab.network.run('client', { argv })).trim().split('\n');
        expect(pods).to.have.length(30);
        expect(new Set(pods).size).to.equal(1);
      });
    }
  });
}
