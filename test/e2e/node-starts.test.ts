import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Clients } from '../../lab/load/load.ts';
import { gateway, node } from '../../lab/network/map.ts';
import { late } from '../patience.ts';
import { cluster, local, NodeLan } from './node-lan.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('a node agent that cannot start', () => {
  const stack = new AsyncDisposableStack();
  let lan: NodeLan;
  let untouched: string;
  before(async function () {
    needRoot(this);
    lan = stack.use(await NodeLan.lay());
    untouched = await (await lan.agent('node1')).kernel();
  });
  after(() => stack.disposeAsync());

  const reasons: readonly (readonly [what: string, rest: string, says: RegExp])[] = [
    [
      "its own address as a gateway, as the recipe's K8S_NODE_IP has it",
      `gateways: [${node(1).v4}, "${gateway.lan.v6}"]\n`,
      /gateway 10\.0\.0\.11 is this node's own address \(eth0\): "default via 10\.0\.0\.11" would make the node look for every client on its own LAN/,
    ],
    [
      'its own IPv6 address as a gateway',
      `gateways: [${gateway.lan.v4}, "${node(1).v6}"]\n`,
      /gateway 2001:db8:10::11 is this node's own address/,
    ],
    [
      'EIPs that lie in the network of the nodes',
      'eips: [10.0.0.128/25]\n',
      /10\.0\.0\.128\/25 of eips .* 10\.0\.0\.0\/24, the network of eth0 \(10\.0\.0\.11\)/,
    ],
    [
      'EIPs that hold the network of its pods',
      'eips: [10.244.0.0/16]\n',
      /10\.244\.0\.0\/16 of eips .* 10\.244\.1\.0\/24, the network of cni0/,
    ],
    [
      'an interface that there is not',
      'interface: eth7\n',
      /interface eth7 does not exist; .* there are: .*eth0/,
    ],
    [
      'gateways that are in no network of its own',
      'gateways: [192.0.2.1, "2001:db8:99::1"]\n',
      /no gateway \(.*\) is on a directly connected network of this node/,
    ],
  ];
  for (const [what, rest, says] of reasons) {
    it(`says why, and leaves nothing behind: ${what}`, async () => {
      const agent = await lan.agent('node1', rest);
      for (const words of ['node', 'plan']) {
        const { status, err, out } = await agent.command(words);
        expect(err).to.match(says);
        expect(err.trim().split('\n'), err).to.have.length(1);
        expect(out).to.equal('');
        expect(status).to.equal(1);
      }
      expect(await agent.kernel()).to.equal(untouched);
    });
  }

  it('says why, and leaves nothing behind: there is no nft', async () => {
    const agent = await lan.agent('node1');
    // Without a PATH no program is found, and so bin/eiproute is not either.
    const { status, err } = await agent.command('node', `PATH= ${process.execPath} ${main}`);
    expect(err).to.match(/there is no program nft in PATH; install the package nftables/);
    expect(status).to.equal(1);
    expect(await agent.kernel()).to.equal(untouched);
  });

  it('says which key is wrong', async () => {
    const agent = await lan.agent('node1', 'markMask: 0x0000c000\n');
    const { status, err } = await agent.command('node');
    expect(err).to.match(/node\.yaml:\d+:\d+ markMask: 0x0000c000 holds 0x00004000, which kube-proxy sets/);
    expect(status).to.equal(2);
  });

  it('tells a silent gateway and serves the others', async () => {
    const quiet = `gateways: [10.0.0.77, ${gateway.lan.v4}, "${gateway.lan.v6}"]\n`;
    const agent = await lan.agent('node1', quiet);
    await using daemon = await agent.start();
    await daemon.says(/gateway 10\.0\.0\.77 does not answer ARP on eth0/);
    for (const ip of [cluster.v4, cluster.v6]) expect(await lan.get('client', ip)).to.match(/^web-/);
    expect((await lan.replies())['other']).to.equal(0);
    await daemon.stop();
    await agent.command('purge --yes');
    expect(await agent.kernel()).to.equal(untouched);
  });

  it('is a conflict, and no more, when a foreign table has our name', async () => {
    await lan.run('node1', 'nft add table inet eiproute');
    const agent = await lan.agent('node1');
    await using daemon = agent.launch();
    await daemon.says(/conflict: an object of another program/);
    const rules = await lan.run('node1', 'ip rule; ip -6 rule');
    expect(rules, 'no EIP ends here without the guard').to.not.match(
      / to 198\.51\.100\.0\/24| to 2001:db8:e::/,
    );
    await lan.run('node1', 'nft delete table inet eiproute');
    await until(
      'it is in place',
      () => agent.status(),
      (now) => now?.synced === true,
    );
    await daemon.stop();
    await agent.command('purge --yes');
    expect(await agent.kernel()).to.equal(untouched);
  });

  it('has the local table as the recipe writes it when asked for', async () => {
    const agent = await lan.agent('node1', 'literalLocal: true\n');
    await using daemon = await agent.start();
    expect(await lan.run('node1', 'ip -N route show table 100')).to.match(
      /^2 0\.0\.0\.0\/0 dev lo|^2 default dev lo/,
    );
    expect(await lan.get('client', cluster.v4)).to.match(/^web-/);
    expect(await lan.get('client', cluster.v4, 81)).to.equal('7');
    expect(await lan.get('node1', cluster.v4)).to.match(/^web-/);
    await daemon.stop();
    await agent.command('purge --yes');
    expect(await agent.kernel()).to.equal(untouched);
  });

  it('loses no request when it is killed and started again', async () => {
    const agents = await Promise.all(lan.net.nodes.map((name) => lan.agent(name)));
    const daemons = await Promise.all(agents.map((agent) => agent.start()));
    await using clients = new Clients(lan.net.namespace('client'));
    const load = clients.start({ to: [cluster.v4, local.v4, cluster.v6, local.v6], port: 80, every: 5 });
    await load.next(({ pod }) => pod !== undefined, late());
    for (const [i, agent] of agents.entries()) {
      await daemons[i]?.stop('SIGKILL');
      daemons[i] = await agent.start();
    }
    const tally = await load.stop();
    for (const daemon of daemons) await daemon.stop();
    expect(tally.lost, JSON.stringify(tally)).to.equal(0);
    expect(tally.sent).to.be.greaterThan(100);
    expect((await lan.replies())['other']).to.equal(0);
  });
});
