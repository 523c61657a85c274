import { join } from 'node:path';
import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { DaemonProcess } from '../../lab/eiproute/daemon-process.ts';
import { gatewayFiles, writeGatewayConfig } from '../../lab/eiproute/gateway-files.ts';
import { client, clients, gateway, gateway2, pools } from '../../lab/network/map.ts';
import { Process } from '../../lab/process/process.ts';
import type { Ip } from '../../src/model/ip.ts';
import { echoPort, Flows, flowServer } from '../e2e/flows.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

const lines = 'allocate: true\nhashSeed: 7361';
/** Flows of each family. */
const count = 60;
/** In the network of the LAN: the kernel asks everybody for it. */
const nobody = '10.0.0.77';

/** Counts the words of ARP and of NDP that say who has an address of the pools. */
const listener = `table arp eip-heard {
  chain in {
    type filter hook input priority 0
    arp saddr ip ${pools[0]} counter
  }
}
table ip6 eip-heard {
  chain in {
    type filter hook input priority 0
    icmpv6 type nd-neighbor-advert @th,64,64 0x20010db8000e0000 counter
  }
}
`;

/** Cases 69 and 70 of the project's list. */
describe('two gateways under a real control plane', () => {
  let stage: Stage;
  let second: DaemonProcess;
  const stack = new AsyncDisposableStack();
  before(async function () {
    await needKubernetes(this);
    stage = stack.use(await Stage.open(real('nftables'), lines, { gateways: 2 }));
    const { network, cluster } = stage.lab;
    for (const part of ['upstream', 'node1'] as const)
      await network.run(part, { argv: ['nft', '-f', '-'], input: listener });
    await stage.layPods();
    for (const { name } of network.pods) {
      const argv = [process.execPath, '-e', flowServer(name)];
      const log = `${network.folder}/${name}.log`;
      stack.use(await Process.start({ namespace: network.namespace(name), argv, log }));
    }
    const files = gatewayFiles(join(network.folder, 'gateway2'));
    await writeGatewayConfig(files, { lines });
    await cluster.writeKubeconfig(files.kubeconfig);
    const { config, log } = files;
    const namespace = network.namespace('gateway2');
    second = stack.use(await DaemonProcess.start({ namespace, role: 'gateway', config, log }));
    await second.synced(late());
    const spec = { ports: [{ name: 'echo', protocol: 'TCP', port: echoPort, targetPort: echoPort }] };
    // Under Local: a flow that comes to another node than before is unknown there.
    await stage.real.createService(
      { name: 'kept', policy: 'Local', spec },
      ready(stage.pods('web-1', 'web-2', 'web-3')),
    );
    await stage.serving('kept');
    await stage.lab.proxy.settled();
  });
  after(async () => {
    await stack.disposeAsync();
  });

  const leadsToNodes = async (part: string, ip: Ip): Promise<boolean> => {
    const { out } = await stage.lab.network.outcome(part, { argv: ['ip', 'route', 'get', ip] });
    return out.includes('dev eth0');
  };

  it('70: flows live when the second gateway takes over from a dead one, and when that is back', async () => {
    const { network } = stage.lab;
    const ips = stage.ips('kept');
    for (const ip of ips) await stage.until(`gateway2 routes ${ip}`, () => leadsToNodes('gateway2', ip));
    await using flows4 = new Flows(network.namespace('client'));
    await using flows6 = new Flows(network.namespace('client'));
    const all = ips.map((ip) => ({ ip, flows: ip.includes(':') ? flows6 : flows4 }));
    for (const { ip, flows } of all) {
      const sources = Array.from({ length: clients }, (_, i) => client(i)[ip.includes(':') ? 'v6' : 'v4']);
      await flows.open(ip, count, sources);
    }
    const live = async (): Promise<void> => {
      for (const { ip, flows } of all) {
        await flows.send();
        await stage.until(`all flows to ${ip} have echoed`, async () => (await flows.count()).live === count);
      }
    };
    const lead = async (part: 'gateway' | 'gateway2'): Promise<void> => {
      const uplink = { gateway: gateway.uplink, gateway2: gateway2.uplink }[part];
      for (const [i, pool] of pools.entries())
        await network.run('upstream', {
          argv: ['ip', 'route', 'replace', pool, 'via', i === 0 ? uplink.v4 : uplink.v6],
        });
    };
    await live();
    await stage.eiproute.gateway.kill('SIGKILL', late());
    for (const cable of ['gateway', 'gateway-up']) await network.unplug(cable);
    await lead('gateway2');
    await live();
    for (const cable of ['gateway', 'gateway-up']) await network.plug(cable);
    await stage.eiproute.restartGateway();
    await stage.eiproute.gateway.synced(late());
    await lead('gateway');
    await live();
  });

  /** How many words of ARP and NDP a part has heard of EIPs. */
  const heard = async (part: string): Promise<readonly number[]> => {
    const rules = await stage.lab.network.run(part, { argv: ['nft', 'list', 'ruleset'] });
    return [...rules.matchAll(/table (?:arp|ip6) eip-heard[^}]*?counter packets (\d+)/g)].map(([, packets]) =>
      Number(packets),
    );
  };

  it('69: nobody has said by ARP or NDP that it has an EIP: these are routed, and a takeover needs no word', async () => {
    for (const part of ['upstream', 'node1']) expect(await heard(part), part).to.deep.equal([0, 0]);
    // Of an address that a gateway has it is heard: in an advertisement for IPv6, as the sender of a question for IPv4.
    const { network } = stage.lab;
    const there = (...argv: readonly string[]): Promise<unknown> => network.outcome('gateway2', { argv });
    await there('sysctl', '-qw', 'net.ipv6.conf.eth0.ndisc_notify=1');
    for (const own of ['198.51.100.250/32', '2001:db8:e::250/128'])
      await there('ip', 'address', 'add', own, 'dev', 'eth0');
    await there('ping', '-c', '1', '-W', '1', '-I', '198.51.100.250', nobody);
    await stage.until('node1 hears of both', async () => (await heard('node1')).every((count) => count > 0));
  });
});
