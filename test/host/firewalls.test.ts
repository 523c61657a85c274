import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { Eiproute } from '../../lab/eiproute/eiproute.ts';
import { embedded, type Lab, openLab } from '../../lab/lab.ts';
import { eip } from '../../lab/network/map.ts';
import { needRoot } from '../e2e/root.ts';
import { until } from '../e2e/until.ts';
import { late } from '../patience.ts';
import { Container } from './container.ts';
import { firewalls, rootfs } from './rootfs.ts';

const web = eip(1);

/** Each is started, tells its chain, is told what doctor says, and is stopped with its rules. */
const programs = [
  {
    name: 'ufw',
    start: 'ufw --force enable',
    drops: /is dropped by chain ip6? filter FORWARD, its policy drop/,
    closed: [web.v4, web.v6],
  },
  {
    name: 'firewalld',
    start: 'systemctl start firewalld && firewall-cmd --state',
    drops: /is dropped by chain inet firewalld filter_FWD_public, rule handle \d+/,
    closed: [web.v4, web.v6],
  },
  {
    // It drops only where it finds that nothing is forwarded yet, as when it starts before eiproute.
    name: 'docker',
    start: 'sysctl -q -w net.ipv4.ip_forward=0 && systemctl start docker',
    drops: /is dropped by chain ip filter FORWARD, its policy drop/,
    closed: [web.v4],
  },
] as const;

describe('firewalls of Debian on the gateway', () => {
  const stack = new AsyncDisposableStack();
  let lab: Lab;
  let host: Container;
  let config = '';
  let eiproute: Eiproute;

  before(async function () {
    needRoot(this);
    const base = await rootfs(firewalls);
    const folder = await mkdtemp('/var/tmp/eip-lab-');
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    // Nobody comes by ssh.
    await writeFile(join(folder, 'id.pub'), '');
    lab = stack.use(await openLab({ nodes: 1, nodeRouting: 'by agents' }, embedded));
    host = stack.use(await Container.start('gateway', lab.network.namespace('gateway'), base, folder));
    await host.booted();
    const pod = await lab.network.addPod('web-1', 'node1');
    await lab.cluster.createService({ name: 'web', eip: web, policy: 'Cluster' }, ready([pod]));
    await lab.proxy.settled();
    // Replies by the gateway, which is the harder case.
    eiproute = stack.use(await Eiproute.start(lab.network, lab.cluster, { lines: '' }));
    await eiproute.synced(late());
    config = eiproute.files.config;
  });
  after(() => stack.disposeAsync());

  /** `web-1 ...`, or curl's exit status: 7 is refused, 28 is no answer. */
  async function get(ip: string): Promise<string> {
    const url = `http://${ip.includes(':') ? `[${ip}]` : ip}/`;
    const argv = ['curl', '-s', '-g', '--max-time', '5', url];
    const { status, out } = await lab.network.outcome('client', { argv });
    return status === 0 ? out.trim() : `curl ${status}`;
  }

  /** What doctor says of the firewall, and on its next line what to do. */
  async function told(): Promise<{ readonly state: string; readonly says: string; readonly advice: string }> {
    const argv = [program, 'doctor', '--config', config, '--json'];
    const { out, err } = await lab.network.outcome('gateway', { argv });
    if (out === '') throw new Error(err);
    const { checks } = JSON.parse(out);
    const {
      state,
      finding: says,
      advice = '',
    } = checks.find((one: { name: string }) => one.name === 'firewall');
    return { state, says, advice };
  }

  it('are not there at first', async () => {
    for (const ip of [web.v4, web.v6]) expect(await get(ip)).to.include('web-1');
    expect(await told()).to.include({ state: 'ok' });
  });

  for (const { name, start, drops, closed } of programs) {
    describe(name, () => {
      before(async () => {
        // Docker has to find that nothing is forwarded, so the daemon does not put that right meanwhile.
        eiproute.gateway.signal('SIGSTOP');
        try {
          await host.sh(start);
        } finally {
          eiproute.gateway.signal('SIGCONT');
        }
      });

      it('drops, and doctor names its chain and the line that lets EIPs pass', async () => {
        if (name === 'docker')
          await until(
            'Docker or eiproute forwards again',
            () => host.sh('cat /proc/sys/net/ipv4/ip_forward'),
            (text) => text.trim() === '1',
          );
        for (const ip of closed) expect(await get(ip), ip).to.match(/^curl (7|28)$/);
        const before = await told();
        expect(before.state).to.equal('FAIL');
        expect(before.says).to.match(drops);
        await host.sh(before.advice);
        for (const ip of [web.v4, web.v6])
          expect(await get(ip), `${ip} after ${before.advice}`).to.include('web-1');
        expect(await told()).to.include({ state: 'ok' });
      });

      // Its rules outlive ufw and Docker; no rules of ours are in these tables.
      after(() =>
        host.sh(
          'ufw --force disable; systemctl stop firewalld docker.socket docker containerd; for table in "ip filter" "ip6 filter" "ip nat" "inet firewalld"; do nft delete table $table 2>/dev/null || true; done',
        ),
      );
    });
  }
});
