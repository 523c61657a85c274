import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { client, clients, gateway } from '../../lab/network/map.ts';
import { ask } from '../../lab/reach/ask.ts';
import { family, type Ip } from '../../src/model/ip.ts';
import { Stage } from '../lab/stage.ts';
import { needKubernetes, real } from './kind.ts';

/** The nodes have kube-proxy and nothing of ours; their default route leads past the gateway. */
for (const proxy of ['nftables', 'iptables'] as const) {
  describe(`NAT to NodePorts of a real kube-proxy, ${proxy}`, () => {
    let stage: Stage;
    before(async function () {
      await needKubernetes(this);
      stage = await Stage.open(real(proxy), 'allocate: true\nmode: nat\nnat: { source: masquerade }', {
        agents: 'none',
      });
      await stage.layPods();
    });
    after(async () => {
      await stage?.[Symbol.asyncDispose]();
    });

    const spec = { allocateLoadBalancerNodePorts: true };
    const get = async (ip: Ip, i = 0): Promise<string> => {
      const from = family(ip) === 4 ? client(i).v4 : client(i).v6;
      const url = `http://${ip.includes(':') ? `[${ip}]` : ip}/`;
      const argv = ['curl', '-s', '-g', '--max-time', '5', '--interface', from, url];
      const { out, status } = await stage.lab.network.outcome('client', { argv });
      return status === 0 ? out.trim() : `curl ${status}`;
    };

    it('serves a Cluster Service at once, by whatever node', async () => {
      await stage.lab.cluster.createService(
        { name: 'web', policy: 'Cluster', spec },
        ready(stage.pods('web-2')),
      );
      await stage.serving('web');
      await stage.lab.proxy.settled();
      for (const ip of stage.ips('web'))
        for (let i = 0; i < clients; i += 1) expect(await get(ip, i), `${ip} ${i}`).to.match(/^web-2 /);
      await stage.gone('web');
    });

    it('sends a Local Service to nodes with an endpoint alone, which see the gateway, and follows them', async () => {
      const { cluster, proxy: rules } = stage.lab;
      await cluster.createService(
        { name: 'local', policy: 'Local', spec },
        ready(stage.pods('web-1', 'web-3')),
      );
      await stage.serving('local');
      await rules.settled();
      for (const ip of stage.ips('local')) {
        const seen = new Set<string>();
        for (let i = 0; i < clients; i += 1) seen.add(await get(ip, i));
        const by = family(ip) === 4 ? gateway.lan.v4 : gateway.lan.v6;
        expect([...seen].sort(), ip).to.deep.equal([`web-1 ${by}`, `web-3 ${by}`]);
      }
      await cluster.setBackends('local', ready(stage.pods('web-2')));
      for (const ip of stage.ips('local'))
        await stage.until(`${ip} is served by node2`, async () => (await get(ip)).startsWith('web-2 '));
      await stage.gone('local');
    });

    it('is refused where no Service is, and where a Service has no NodePort', async () => {
      // Linux sends a host one ICMP error a second, and this client has just got some: the answer would be silence.
      await stage.lab.network.run('gateway', { argv: ['sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0'] });
      await stage.lab.network.run('gateway', { argv: ['sysctl', '-qw', 'net.ipv6.icmp.ratelimit=0'] });
      await stage.lab.cluster.createService(
        { name: 'none', policy: 'Cluster', spec: { allocateLoadBalancerNodePorts: false } },
        ready(stage.pods('web-1')),
      );
      await stage.until('it has an address', () => stage.eips('none') !== '');
      await stage.until(
        'it is told',
        () => stage.condition('none', 'eiproute.io/Serving') === 'False NotRouted',
      );
      for (const ip of stage.ips('none'))
        expect((await ask(stage.lab.network, 'client', { ip, protocol: 'TCP', port: 80 })).kind).to.equal(
          'refused',
        );
      await stage.gone('none');
    });
  });
}
