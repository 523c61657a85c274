import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { embedded } from '../../lab/lab.ts';
import { client, clients, node } from '../../lab/network/map.ts';
import { within } from '../../lab/process/run.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { echoPort, Flows, flowServer } from './flows.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { needRoot } from './root.ts';

const count = 120;

for (const groups of ['plain', 'resilient'] as const) {
  /** Under Local a flow that comes to another node than before is unknown there. */
  describe(`flows on nodes that stay, ${groups} groups`, () => {
    const stack = new AsyncDisposableStack();
    let stage: Stage;
    let opened: readonly { readonly ip: string; readonly flows: Flows; readonly pods: readonly string[] }[];
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
      const spec = { ports: [{ name: 'echo', protocol: 'TCP', port: echoPort, targetPort: echoPort }] };
      await cluster.createService({ name: 'flows', policy: 'Local', spec }, ready(pods));
      await cluster.createService({ name: 'pair', policy: 'Local', spec }, ready(pods.slice(0, 2)));
      await stage.serving('flows');
      await stage.serving('pair');
      await proxy.settled();
    });
    after(() => stack.disposeAsync());

    /** Sends a byte over each flow; resolves when all but those on the pod have echoed it. */
    const live = async (but?: string): Promise<void> => {
      for (const { flows, pods, ip } of opened) {
        await flows.send();
        await stage.until('all other flows echo', async () => {
          const stuck = (await flows.stuck()).flatMap((nth) => (pods[nth] === but ? [] : [pods[nth] ?? '']));
          if (stuck.length === 0) return true;
          const { broken } = await flows.count();
          const of = [...new Set(stuck)].sort().join(', ');
          throw new Error(`${stuck.length} of ${pods.length} to ${ip} do not (${of}); ${broken} are broken`);
        });
      }
    };

    /**
     * Resolves when every byte is acknowledged. A client acknowledges an echo up to 40 ms after it has read it. When that is
     * lost with the cable, the server sends the echo again when its node is back, and the client answers: before the gateway's
     * kernel has heard the node, which passes that answer on to another one.
     */
    const rest = async (): Promise<void> => {
      const argv = ['ss', '-Htn', 'state', 'established', 'sport', '=', `:${echoPort}`];
      for (const { name } of stage.lab.network.pods)
        await stage.until(`${name} waits for no acknowledgement`, async () => {
          const lines = (await stage.lab.network.run(name, { argv })).trimEnd().split('\n');
          // Bytes to be read, bytes to be acknowledged.
          return lines.every((line) => line === '' || /^\d+ +0 /.test(line));
        });
    };

    const openAll = async (own: AsyncDisposableStack, service = 'flows'): Promise<void> => {
      const { network } = stage.lab;
      opened = await Promise.all(
        stage.ips(service).map(async (ip) => {
          const flows = own.use(new Flows(network.namespace('client')));
          const of = ip.includes(':') ? 'v6' : 'v4';
          const from = Array.from({ length: clients }, (_, nth) => client(nth)[of]);
          return { ip, flows, pods: await flows.open(ip, count, from) };
        }),
      );
      for (const { pods } of opened) expect(new Set(pods).size, 'pods with flows').to.be.above(1);
      await live();
      await rest();
    };

    for (const [i, name] of ['node1', 'node2', 'node3'].entries()) {
      it(`stay when ${name} goes and comes back`, async () => {
        const { network } = stage.lab;
        await using own = new AsyncDisposableStack();
        await openAll(own);
        await network.unplug(name);
        const rest = network.nodes.filter((each) => each !== name).join(' ');
        await stage.lead(stage.ips('flows'), rest);
        await live(`web-${i + 1}`);
        await network.plug(name);
        await stage.lead(stage.ips('flows'), 'node1 node2 node3');
        await live(`web-${i + 1}`);
      });
    }

    /** Resolves when the gateway's kernel has the answers of a node: it passes over one without, whatever its group says. */
    const heard = async (nth: number): Promise<void> => {
      const { v4, v6 } = node(nth);
      for (const ip of [v4, v6])
        await stage.until(`${ip} answers`, async () => {
          const argv = ['ip', 'neigh', 'show', ip, 'dev', 'eth0'];
          return /REACHABLE|STALE|DELAY|PROBE/.test(await stage.lab.network.run('gateway', { argv }));
        });
    };

    // A resilient group gives away the part of the node that is the first one to be seen silent, and has it back only
    // once it rests.
    if (groups === 'plain')
      it('all stay when the switch was away for longer than silence is doubted', async () => {
        const { network, clients: clientsOf } = stage.lab;
        const ips = stage.ips('flows');
        await using own = new AsyncDisposableStack();
        await openAll(own);
        const log = (): Promise<string> => readFile(stage.eiproute.files.log, 'utf8');
        let from = (await log()).length;
        const said = async (words: string): Promise<boolean> => (await log()).slice(from).includes(words);
        for (const name of network.nodes) await network.unplug(name);
        for (const protocol of ['ARP', 'NDP'])
          await stage.until(`nobody answers ${protocol}`, () =>
            said(`none of the 3 nodes answers ${protocol}`),
          );
        {
          // One is put, and lost, each 10 ms: for 12 s.
          await using load = clientsOf.start({ to: ips, port: echoPort, every: 10 });
          for (let lost = 0; lost < 1200; lost += 1) await load.next(() => true, late());
        }
        from = (await log()).length;
        await network.plug('node1');
        for (const protocol of ['ARP', 'NDP'])
          await stage.until(
            `node1 is believed to be back by ${protocol}`,
            async () =>
              (await said(`2 of 3 nodes do not answer ${protocol}`)) ||
              (await said(`does not answer ${protocol}`)),
          );
        for (const nth of [2, 3]) {
          await network.plug(`node${nth}`);
          await heard(nth);
        }
        const nobodyLeft = async (): Promise<void> => {
          for (const protocol of ['ARP', 'NDP'])
            expect(await said(`does not answer ${protocol}`), `a node left by ${protocol}`).to.equal(false);
        };
        await nobodyLeft();
        await live();
        await nobodyLeft();
        await stage.lead(ips, 'node1 node2 node3');
      });

    // The last one: the Node does not come back.
    it('stay when the Node of another one is deleted, and the kernel takes its nexthop out of their group', async () => {
      await using own = new AsyncDisposableStack();
      await openAll(own, 'pair');
      await stage.lab.cluster.deleteNode('node2');
      await stage.lead(stage.ips('pair'), 'node1');
      await live('web-2');
    });
  });
}
