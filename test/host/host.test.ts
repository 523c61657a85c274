import { expect } from 'chai';
import { run, within } from '../../lab/process/run.ts';
import type { GatewayStatus as Status } from '../../src/status/status.ts';
import { needRoot } from '../e2e/root.ts';
import { until } from '../e2e/until.ts';
import { late } from '../patience.ts';
import { HostLab, web } from './host-lab.ts';
import { difference, type HostState, stateOf } from './host-state.ts';
import { draft } from './packages.ts';

const unit = 'eiproute-gateway';

/** One story on one lab, in the order in which an operator lives it: each part stands on the one before. */
describe('eiproute on real hosts', function () {
  this.bail(true);
  let lab: HostLab;
  let artifact: string;
  let fresh: readonly HostState[];

  before(async function () {
    needRoot(this);
    lab = await HostLab.open();
    artifact = await draft(lab.folder, '0.1.0');
    fresh = await Promise.all(lab.managed.map(stateOf));
  });

  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  function play(name: string, ...args: readonly string[]) {
    return lab.ansible(
      'ansible-playbook',
      ...['-i', lab.inventory, '-e', `eiproute_artifact=${artifact}`, `playbooks/${name}.yml`, ...args],
    );
  }

  /** `gateway : ok=12 changed=0 ...` -> 0, by host; a host that failed has no number. */
  function changes(recap: string): ReadonlyMap<string, number> {
    const lines = recap.matchAll(/^(\w+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0/gm);
    return new Map([...lines].map(([, host = '', count]) => [host, Number(count)]));
  }

  /** What is not as it was on the fresh hosts. */
  async function changed(): Promise<readonly string[]> {
    const now = await Promise.all(lab.managed.map(stateOf));
    return now.flatMap((state, i) =>
      difference(fresh[i] ?? {}, state).map((line) => `${lab.managed[i]?.name}: ${line}`),
    );
  }

  const property = async (name: string): Promise<string> =>
    (await lab.gateway.run('systemctl', 'show', '--value', '--property', name, unit)).trim();
  const routes = (): Promise<string> => lab.gateway.sh('ip route show proto 86; ip -6 route show proto 86');
  const journal = (...args: readonly string[]): Promise<string> =>
    lab.gateway.run('journalctl', '--no-pager', '-q', '-u', unit, ...args);
  const status = async (): Promise<Status> =>
    JSON.parse((await lab.gateway.outcome(['eiproute', 'status', '--json'])).out);

  it('is foretold by --check --diff on fresh hosts, which changes nothing', async () => {
    const { status: code, out, err } = await play('site', '--check', '--diff');
    expect(code, `${out}${err}`).to.equal(0);
    expect(await changed()).to.deep.equal([]);
  });

  it('is rolled out by Ansible over ssh, and then an address works', async () => {
    expect((await lab.curl()).status, 'before').to.not.equal(0);
    const { status: code, out, err } = await play('site');
    expect(code, `${out}${err}`).to.equal(0);
    const answer = await lab.curl();
    expect(answer.status, answer.err).to.equal(0);
    expect(answer.out).to.match(/web-node[12]/);
  });

  it('changes nothing in a second run', async () => {
    const { status: code, out, err } = await play('site', '--diff');
    expect(code, `${out}${err}`).to.equal(0);
    expect([...changes(out)].sort(), out).to.deep.equal(lab.managed.map(({ name }) => [name, 0]).sort());
  });

  it('has units that systemd has nothing to say against, exposed by no more than 1.6', async () => {
    for (const name of ['eiproute-gateway.service', 'eiproute-node.service']) {
      const verified = await lab.gateway.outcome(['systemd-analyze', 'verify', '--man=no', name]);
      expect(verified, name).to.deep.equal({ status: 0, out: '', err: '' });
      const told = await lab.gateway.run('systemd-analyze', 'security', '--no-pager', name);
      const exposure = Number(/exposure level for [\w.-]+: ([\d.]+)/.exec(told)?.[1]);
      expect(exposure, told).to.be.above(0).and.at.most(1.6);
    }
  });

  it('runs as a user of its own with one capability, and tells systemd in words how it is', async () => {
    const process = await lab.gateway.sh(`cat /proc/$(systemctl show --value -p MainPID ${unit})/status`);
    const id = (await lab.gateway.run('id', '-u', 'eiproute')).trim();
    expect(process).to.match(new RegExp(`^Uid:\\s+${id}\\s`, 'm'));
    expect(process).to.match(/^CapEff:\s+0000000000001000$/m);
    expect(await property('StatusText')).to.equal('OK: 2 of 2 EIPs routed over 2 nodes');
    expect(await lab.gateway.outcome(['systemctl', 'status', unit])).to.have.property('status', 0);
  });

  it('has its turn before other programs', async () => {
    expect(await property('CPUWeight')).to.equal('300');
    // All threads: V8 has some of its own.
    const nice = await lab.gateway.sh(`ps -L -o ni= -p $(systemctl show --value -p MainPID ${unit})`);
    expect(new Set(nice.trim().split(/\s+/))).to.deep.equal(new Set(['-5']));
  });

  it('tells the story of one address, and warns of nothing when all is well', async () => {
    const ip = web.eip.v4;
    expect(await journal('-o', 'cat', `EIP=${ip}`)).to.equal(
      `${ip} (default/web) is routed to node1, node2\n`,
    );
    expect(await journal('-o', 'cat', '-p', 'warning')).to.equal('');
    await lab.gateway.run('ip', 'route', 'del', ip);
    const back = `${ip} (default/web): its route was changed or removed by another program; it is restored\n`;
    await until(
      'the journal warns',
      () => journal('-o', 'cat', '-p', 'warning'),
      (text) => text === back,
    );
    const record = JSON.parse(await journal('-o', 'json', `EIP=${ip}`, '-p', 'warning'));
    expect(record).to.include({
      PRIORITY: '4',
      EIP: ip,
      EIPROUTE_EVENT: 'eip-repaired',
      EIPROUTE_SERVICE: 'default/web',
      SYSLOG_IDENTIFIER: 'eiproute',
    });
    expect(await journal('-x', '-p', 'warning')).to.contain('A route of an external address was disturbed');
  });

  it('gives its numbers names', async () => {
    expect(await lab.gateway.run('ip', 'route', 'show', web.eip.v4)).to.contain('proto eiproute');
  });

  it('refuses a bad value in Ansible, before the file is touched', async () => {
    const file = '/etc/eiproute/gateway.yaml';
    const [kept, pid] = [await lab.gateway.run('cat', file), await property('MainPID')];
    const bad = JSON.stringify({ gateway_config: { lan: 'eth0', uplinc: 'eth1', pools: [] } });
    const { status: code, out, err } = await play('site', '--limit', 'gateways', '-e', bad);
    expect(code).to.not.equal(0);
    expect(`${out}${err}`).to.contain('did you mean \\"uplink\\"?');
    expect(await lab.gateway.run('cat', file)).to.equal(kept);
    expect(await property('MainPID')).to.equal(pid);
  });

  it('refuses a bad file in systemctl reload, and goes on', async () => {
    const file = '/etc/eiproute/gateway.yaml';
    const pid = await property('MainPID');
    await lab.gateway.sh(`cp ${file} /tmp/kept && echo 'gard: {}' >>${file}`);
    const reload = await lab.gateway.outcome(['systemctl', 'reload', unit]);
    expect(reload.status).to.not.equal(0);
    expect(await journal('-o', 'cat', '-p', 'err', '-n', '10')).to.contain('did you mean "guard"?');
    expect([await property('ActiveState'), await property('MainPID')]).to.deep.equal(['active', pid]);
    expect((await lab.curl()).status).to.equal(0);
    await lab.gateway.run('cp', '/tmp/kept', file);
    await lab.gateway.run('systemctl', 'reload', unit);
    await until(
      'the reload is over',
      () => property('SubState'),
      (state) => state === 'running',
    );
    expect(await property('MainPID')).to.equal(pid);
  });

  /** What happens to the daemon while sixteen clients ask, and it is another one afterwards. */
  async function survives(what: () => Promise<unknown>): Promise<void> {
    const old = await property('MainPID');
    await using load = lab.load();
    await load.next(({ pod }) => pod !== undefined, late());
    await what();
    await until(
      'another daemon is in sync',
      async () => `${await property('MainPID')} ${(await lab.gateway.outcome(['eiproute', 'status'])).out}`,
      (seen) => !seen.startsWith(`${old} `) && /^\d+ OK/.test(seen),
      60_000,
    );
    await load.next(({ pod }) => pod !== undefined, late());
    const { sent, lost, errors } = await load.stop();
    expect({ lost, errors }).to.deep.equal({ lost: 0, errors: {} });
    expect(sent).to.be.above(20);
  }

  it('is reloaded by Ansible where that will do, and restarted where it must be', async () => {
    const pid = await property('MainPID');
    const change = async (setting: object): Promise<void> => {
      const all = JSON.stringify({ gateway_config: { ...lab.settings, ...setting } });
      const { status: code, out, err } = await play('site', '--limit', 'gateways', '-e', all);
      expect(code, `${out}${err}`).to.equal(0);
      expect(changes(out).get('gateway')).to.be.above(0);
    };
    await change({ pace: { resync: '30s' } });
    expect(await property('MainPID'), 'after a reload').to.equal(pid);
    expect(await journal('-o', 'cat', '-n', '20')).to.contain('configuration reloaded; changed: pace.resync');
    await change({ log: { level: 'info' }, pace: { resync: '30s' } });
    expect(await property('MainPID'), 'after a restart').to.not.equal(pid);
  });

  it('has Ansible write what BIRD includes, and BIRD read it again when pools change', async () => {
    const include = '/etc/bird/eips.conf';
    const rolled = async (setting: object): Promise<void> => {
      const all = { gateway_config: { ...lab.settings, ...setting }, gateway_bird_include: include };
      const { status: code, out, err } = await play('site', '--limit', 'gateways', '-e', JSON.stringify(all));
      expect(code, `${out}${err}`).to.equal(0);
    };
    /** The EIPs that BIRD would announce. */
    const announced = async (): Promise<string> => {
      const shown = await lab.gateway.run('birdc', 'show', 'route', 'table', 'eip4');
      return [...shown.matchAll(/^([\d.]+\/\d+) /gm)].map(([, route]) => route).join(' ');
    };
    const conf = `router id 203.0.113.1;\nprotocol device { }\ninclude "${include}";\n`;
    await lab.gateway.sh(
      `cp -a /etc/bird /tmp/bird && : >${include} && printf '%s' '${conf}' >/etc/bird/bird.conf && systemctl start bird`,
    );
    await rolled({ announce: true });
    await until('BIRD has the EIP', announced, (seen) => seen === `${web.eip.v4}/32`);
    const read = async (): Promise<string> =>
      /Last reconfiguration on (.*)/.exec(await lab.gateway.run('birdc', 'show', 'status'))?.[1] ?? '';
    const before = await read();
    const [pool] = lab.settings.pools;
    await rolled({ announce: true, pools: [{ ...pool, communities: ['65001:7'] }] });
    expect(await lab.gateway.run('cat', include)).to.contain('(65001, 7)');
    expect(await read()).to.not.equal(before);
    await lab.gateway.sh('systemctl stop bird && rm -r /etc/bird && mv /tmp/bird /etc/bird');
  });

  it('keeps its routes from systemd-networkd, which deletes what it has not made', async () => {
    await lab.gateway.sh(
      `ip link add spare type veth peer name other && ip link set spare up && ip link set other up &&
       printf '[Match]\\nName=spare\\n[Network]\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n' >/etc/systemd/network/10-spare.network`,
    );
    const round = async (): Promise<number> => (await status()).round?.number ?? 0;
    /** The repairs after it has looked after a link that is none of ours. */
    const repairs = async (): Promise<string> => {
      const shown = await lab.gateway.sh('journalctl -q -n 0 --show-cursor');
      const cursor = shown.replace(/^-- cursor: /, '').trim();
      await lab.gateway.run('systemctl', 'restart', 'systemd-networkd');
      await lab.gateway.run('networkctl', 'reconfigure', 'spare');
      await lab.gateway.run(
        '/lib/systemd/systemd-networkd-wait-online',
        '--timeout=10',
        '--interface=spare:carrier',
      );
      // A round that begins now comes after whatever it did.
      const last = await round();
      await lab.gateway.run('systemctl', 'reload', unit);
      await until('there is a round', round, (number) => number > last);
      return await journal('-o', 'cat', '-p', 'warning', `--after-cursor=${cursor}`);
    };
    // Before systemd 256 nothing keeps it from deleting groups, and with them the EIPs' routes: they come back.
    expect(await repairs()).to.not.contain('unreachable');
    const drop = '/etc/systemd/networkd.conf.d';
    await lab.gateway.sh(`mkdir -p ${drop} && ln -s /dev/null ${drop}/50-eiproute.conf`);
    expect(await repairs(), 'without our file').to.match(/^route unreachable/m);
    expect((await lab.curl()).status).to.equal(0);
    await lab.gateway.sh(
      `systemctl stop systemd-networkd.socket systemd-networkd && rm -r ${drop} /etc/systemd/network/10-spare.network && ip link del spare`,
    );
  });

  it('has a journal that loses nothing of twenty thousand records', async () => {
    const script = `
      const { journalSink } = await import((await import('node:fs')).globSync('/usr/lib/eiproute/sink-*.mjs')[0]);
      const sink = journalSink(process.env);
      for (let i = 0; i < 20_000; i += 1) sink(JSON.stringify({ level: 'info', msg: 'record', number: i }));`;
    const node = ['/usr/lib/eiproute/node', '--input-type=module', '--eval', script];
    await lab.gateway.run('systemd-run', '--quiet', '--wait', '--unit=eip-storm', ...node);
    await lab.gateway.run('journalctl', '--sync');
    const numbers = await lab.gateway.sh(
      'journalctl -q -u eip-storm --output-fields=EIPROUTE_NUMBER -o cat EIPROUTE_NUMBER=0 + _SYSTEMD_UNIT=eip-storm.service | sort -u | wc -l',
    );
    expect(Number(numbers)).to.equal(20_000);
  });

  it('loses no request when it is killed', () =>
    survives(() => lab.gateway.run('systemctl', 'kill', '-s', 'KILL', unit)));

  it('loses no request when it is restarted', () =>
    survives(() => lab.gateway.run('systemctl', 'restart', unit)));

  it('loses no request when its loop hangs, and the watchdog ends it', async () => {
    await lab.gateway.sh(
      `mkdir -p /run/systemd/system/${unit}.service.d && printf '[Service]\\nWatchdogSec=3\\nEnvironment=NODE_OPTIONS=--inspect\\n' >/run/systemd/system/${unit}.service.d/test.conf && systemctl daemon-reload && systemctl restart ${unit}`,
    );
    const barked = await property('NRestarts');
    await survives(async () => {
      // By way of Node's debugger, which the drop-in has opened: no signal does.
      const script = `
        const seen = async () => (await (await fetch('http://127.0.0.1:9229/json')).json())[0];
        let target; while (!target) target = await seen().catch(() => undefined);
        const socket = new WebSocket(target.webSocketDebuggerUrl);
        socket.onopen = () => {
          socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'for (;;);' } }));
        };
        socket.onclose = socket.onerror = () => process.exit();`;
      const argv = [process.execPath, '--input-type=module', '--eval', script];
      await run({ argv: within(lab.network.namespace('gateway'), argv) }, late());
    });
    expect(Number(await property('NRestarts'))).to.equal(Number(barked) + 1);
    expect(await lab.gateway.run('journalctl', '-q', '--no-pager', '-o', 'cat', '-u', unit)).to.contain(
      'Watchdog timeout',
    );
    await lab.gateway.sh(`rm -r /run/systemd/system/${unit}.service.d && systemctl daemon-reload`);
  });

  it('loses no request when it is upgraded to another version', async () => {
    artifact = await draft(lab.folder, '0.1.1');
    await survives(async () => {
      const { status: code, out, err } = await play('upgrade', '--limit', 'gateways');
      expect(code, `${out}${err}`).to.equal(0);
    });
    expect((await status()).release).to.equal('0.1.1');
  });

  it('restores every route after a reboot with the API down', async () => {
    const kept = await routes();
    await lab.cluster.stopApi();
    await lab.gateway.outcome(['systemctl', 'reboot']);
    await lab.gateway.booted(2);
    expect(await lab.gateway.routesAtBoot(), 'the reboot left routes').to.equal('');
    await until('the routes are back', routes, (now) => now === kept);
    const answer = await lab.curl();
    expect(answer.status, answer.err).to.equal(0);
    expect(await property('StatusText')).to.contain('nodes');
    expect(await journal('-o', 'cat', '-p', 'warning')).to.match(
      /cannot read services, endpointslices, nodes from the cluster/,
    );
    await lab.cluster.startApi();
    await lab.gateway.run('eiproute', 'status', '--wait-synced', '--timeout', '60');
  });

  it('leaves its routes when the package is removed, and takes them along when it is purged', async () => {
    const kept = await routes();
    await lab.gateway.run('dpkg', '--remove', 'eiproute');
    expect(await routes()).to.equal(kept);
    expect((await lab.curl()).status).to.equal(0);
    // As after a reboot: what is in the kernel by then is not ours.
    await lab.gateway.sh('cp -a /var/lib/eiproute /root/state; echo another > /var/lib/eiproute/undo.boot');
    await lab.gateway.run('sh', '/var/lib/dpkg/info/eiproute.postrm', 'purge');
    expect(await routes()).to.equal(kept);
    await lab.gateway.sh('mv /root/state /var/lib/eiproute');
    await lab.gateway.run('dpkg', '--purge', 'eiproute');
    expect(await routes()).to.equal('');
    expect(await lab.gateway.run('ip', 'nexthop')).to.equal('');
    expect(await lab.gateway.sh('ls -d /etc/eiproute /var/lib/eiproute 2>&1 || true')).to.match(
      /^(ls: cannot access .*\n){2}$/,
    );
    const { status: code, out, err } = await play('site', '--limit', 'gateways');
    expect(code, `${out}${err}`).to.equal(0);
    expect((await lab.curl()).status).to.equal(0);
  });

  it('leaves the hosts as they were when it is uninstalled, also twice', async () => {
    const first = await play('uninstall');
    expect(first.status, `${first.out}${first.err}`).to.equal(0);
    expect(await changed()).to.deep.equal([]);
    const second = await play('uninstall');
    expect(second.status, `${second.out}${second.err}`).to.equal(0);
    expect([...changes(second.out)].sort()).to.deep.equal(lab.managed.map(({ name }) => [name, 0]).sort());
  });

  it('is uninstalled where nobody has written into the configuration that the package lays', async () => {
    const copy = ['copy', '-a', `src=${artifact} dest=/root/eiproute.deb`];
    const copied = await lab.ansible('ansible', '-i', lab.inventory, 'all', '-m', ...copy);
    expect(copied.status, `${copied.out}${copied.err}`).to.equal(0);
    for (const host of lab.managed) {
      await host.run('dpkg', '--install', '/root/eiproute.deb');
      await host.run('rm', '/root/eiproute.deb');
    }
    const { status: code, out, err } = await play('uninstall');
    expect(code, `${out}${err}`).to.equal(0);
    expect(await changed()).to.deep.equal([]);
  });
});
