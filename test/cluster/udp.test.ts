import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { late, Stage } from '../lab/stage.ts';
import { needKubernetes, real } from './kind.ts';

/** A client that goes on sending from one port, as DNS resolvers and games do: one conntrack entry on the node for ever. */
const client = `
  const [to, count] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket({ type: to.includes(':') ? 'udp6' : 'udp4', ipv6Only: to.includes(':') });
  const answers = [];
  socket.on('message', (bytes) => answers.push(String(bytes).split(' ')[0]));
  socket.bind(4321);
  let sent = 0;
  const timer = setInterval(() => {
    socket.send('.', 5353, to, () => {});
    sent += 1;
    if (sent < Number(count)) return;
    clearInterval(timer);
    setTimeout(() => { console.log(JSON.stringify(answers)); socket.close(); }, 500);
  }, 20);
`;

describe('UDP from one port, real kube-proxy', function () {
  this.timeout(120_000);
  let stage: Stage;
  before(async function () {
    await needKubernetes(this);
    stage = await Stage.open(real('nftables'));
    await stage.layPods();
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  for (const policy of ['Cluster', 'Local'] as const) {
    it(`follows the backend of a ${policy} Service that moves, twice: kube-proxy clears its entries`, async () => {
      const { cluster, network, proxy } = stage.lab;
      const name = `udp-${policy.toLowerCase()}`;
      const ports = [{ name: 'udp', protocol: 'UDP', port: 5353, targetPort: 8080 }];
      await cluster.createService({ name, policy, spec: { ports } }, ready(stage.pods('web-1')));
      await stage.serving(name);
      await proxy.settled();
      const answers = stage.ips(name).map(async (ip): Promise<readonly string[]> => {
        const argv = [process.execPath, '-e', client, ip, '400'];
        return JSON.parse(await network.run('client', { argv }, late()));
      });
      for (const pod of ['web-2', 'web-3']) {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        await cluster.setBackends(name, ready(stage.pods(pod)));
      }
      for (const seen of await Promise.all(answers)) {
        expect(seen[0]).to.equal('web-1');
        expect(seen.at(-1)).to.equal('web-3');
        expect(new Set(seen)).to.deep.equal(new Set(['web-1', 'web-2', 'web-3']));
        // kube-proxy waits up to a second before it writes, twice, of eight.
        expect(seen.length).to.be.at.least(250);
      }
      await stage.gone(name);
    });
  }
});
