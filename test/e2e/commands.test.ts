import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import type { ObjectStatus } from '../../src/status/objects.ts';
import { violations } from '../unit/status/json-schema.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, serviceOn, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { tied } from './tied.ts';
import { until } from './until.ts';

const schema = JSON.parse(readFileSync('docs/status.schema.json', 'utf8'));

describe('eiproute plan', () => {
  let host: GatewayHost;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('prints commands that do in a shell what the daemon does', async () => {
    await using twin = await GatewayHost.make();
    const plan = await host.eiproute('plan', '--commands');
    expect(plan.status, plan.err).to.equal(2);
    expect(plan.err).to.equal('');
    expect(plan.out).to.match(
      /^ip route add 198.51.100.11 nhid 260000000 proto 86 {2}# Service default\/mail$/m,
    );
    const shell = await host.within('sh', '-ec', plan.out);
    expect(shell.status, shell.err).to.equal(0);
    await twin.start();
    expect(await host.ours()).to.equal(await twin.ours());
    expect(await host.settings()).to.equal(await twin.settings());
    expect(await host.eiproute('plan', '--commands')).to.deep.equal({ status: 0, out: '', err: '' });
  });

  it('runs nothing but its commands in a shell, whatever Services and Nodes are called', async () => {
    await using other = await GatewayHost.make();
    const marker = join(other.folder, 'ran');
    const touch = `touch ${marker}`;
    const names = [`x\n${touch} #`, `x; ${touch}`, `$(${touch})`, `x' ; ${touch} ; '`, `x\r\u202e\u001b[8m`];
    const items = names.flatMap((name, i) => [
      rawNode(name, { addresses: [`10.0.0.${20 + i}`] }),
      rawService(name, { eips: [`198.51.100.${20 + i}`], spec: { externalTrafficPolicy: 'Local' } }),
      rawSlice(name, [{ ip: '10.244.0.1', node: name, ready: true }]),
    ]);
    const cluster = join(other.folder, 'cluster.json');
    await writeFile(cluster, JSON.stringify({ kind: 'List', items }));
    const plan = await other.eiproute('plan', '--commands', '--from', cluster);
    expect(plan.status, plan.err).to.equal(2);
    expect(plan.out).to.match(/touch/);
    expect(plan.out + plan.err).not.to.match(/[^\P{C}\n]/u);
    const shell = await other.within('sh', '-ec', plan.out);
    expect(shell.status, shell.err).to.equal(0);
    expect(await other.routing()).to.include('198.51.100.20 > 10.0.0.20');
    expect(existsSync(marker)).to.equal(false);
  });

  it('prints the way back from any disturbance', async () => {
    const desired = await host.routing();
    await host.batch([
      'nexthop delete id 250000000',
      'route delete 198.51.100.10',
      'route add unreachable 198.51.100.77 proto 86',
      'nexthop replace id 250000002 via 10.0.0.77 dev eth0 proto 86',
    ]);
    host.setSysctl('net/ipv4/conf/eth0/send_redirects', '1');
    const plan = await host.eiproute('plan', '--commands');
    expect(plan.status).to.equal(2);
    const shell = await host.within('sh', '-ec', plan.out);
    expect(shell.status, `${plan.out}${shell.err}`).to.equal(0);
    expect(await host.routing()).to.equal(desired);
    expect(await host.ours()).not.to.match(/198.51.100.77|10.0.0.77/);
    expect(host.sysctl('net/ipv4/conf/eth0/send_redirects')).to.equal('0');
    expect((await host.eiproute('plan', '--commands')).status).to.equal(0);
  });

  it('changes nothing', async () => {
    await using other = await GatewayHost.make();
    const before = [await other.kernel(), await other.settings(), await readdir(other.folder)];
    expect((await other.eiproute('plan', '--commands')).status).to.equal(2);
    expect([await other.kernel(), await other.settings(), await readdir(other.folder)]).to.deep.equal(before);
  });

  it('reads the cluster from a file with --from', async () => {
    const file = join(host.folder, 'cluster.json');
    const items = [...standardWorld, ...serviceOn('more', ['198.51.100.40'])];
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const plan = await host.eiproute('plan', '--commands', '--from', file);
    expect({ status: plan.status, err: plan.err }).to.deep.equal({ status: 2, err: '' });
    expect(plan.out).to.match(
      /^ip route add 198.51.100.40 nhid 26000000\d proto 86 {2}# Service default\/more\n$/,
    );
    const missing = await host.eiproute('plan', '--commands', '--from', join(host.folder, 'none.json'));
    expect(missing.status).to.equal(1);
    expect(missing.err).to.match(
      /^eiproute: the cluster could not be read from \S+none.json: services, endpointslices, nodes: .*ENOENT.*\n$/,
    );
  });

  it('prints JSON with a version, and nothing else on stdout', async () => {
    host.put(...serviceOn('outside', ['192.0.2.99']));
    host.put(...serviceOn('more', ['198.51.100.40']));
    await host.ip('route add 198.51.100.40 via 10.0.0.99 proto static');
    const { status, out } = await host.eiproute('plan', '--json');
    const plan = JSON.parse(out.replace(/nhid \d+/, 'nhid ID'));
    expect(status).to.equal(3);
    const { needs, ...rest } = plan;
    expect(needs.map(({ kind }: { kind: string }) => kind)).to.deep.equal(['CONFLICT', 'EIP']);
    expect({ ...rest, problems: plan.problems.map(({ code }: { code: string }) => code) }).to.deep.equal({
      version: 1,
      changes: [],
      counts: { add: 0, change: 0, delete: 0 },
      held: [],
      conflicts: [
        {
          object: '198.51.100.40 nhid ID proto 86',
          why: 'Service default/more',
          holder: '198.51.100.40 via 10.0.0.99 dev eth0 proto 4',
          advice: 'delete it: ip route delete 198.51.100.40 via 10.0.0.99 dev eth0 proto 4',
        },
      ],
      problems: ['eip-outside-pools'],
      state: 'DEGRADED',
      summary: '3 of 4 EIPs routed over 3 nodes; 1 in conflict; 1 warning',
      shadows: [],
    });
    const words = await host.eiproute('plan', '--commands');
    expect(words.status).to.equal(3);
    expect(words.out).to.equal('');
    expect(words.err).to.match(
      /^conflict: 198.51.100.40 .* is held by another program: .*; delete it: ip route delete .*$/m,
    );
    expect(words.err).to.match(
      /^warn: Service default\/outside asks for 192.0.2.99, which is in none of the configured pools; .*$/m,
    );
  });

  it('says which list is missing and why when the API refuses one', async () => {
    host.api.faults.forbid('list', 'nodes');
    const plan = await host.eiproute('plan', '--commands');
    host.api.faults.allow('list', 'nodes');
    expect(plan.status).to.equal(1);
    expect(plan.out).to.equal('');
    expect(plan.err).to.match(
      /^eiproute: the cluster could not be read from \S+kubeconfig: nodes: HTTP 403: /,
    );
  });

  it('says with signs what comes, changes and goes, who asked for it, and what was there before', async () => {
    await using other = await GatewayHost.make({ settings: 'defaultRoute: { via: 203.0.113.254 }' });
    await other.batch([
      'route add unreachable 198.51.100.77 proto 86',
      'route add default via 10.0.0.98 metric 100 proto static',
    ]);
    const { status, out, err } = await other.eiproute('plan');
    expect({ status, err }).to.deep.equal({ status: 2, err: '' });
    const lines = out.split('\n').map((line) => line.replace(/ {2,}/g, '  '));
    expect(lines).to.include.members([
      '~ sysctl net.ipv4.ip_forward  0 -> 1  gateway settings',
      '+ nexthop id 250000001 via 10.0.0.11 dev eth0 proto 86  node n1',
      '+ route 198.51.100.11 nhid 260000000 proto 86  Service default/mail',
      '- route unreachable 198.51.100.77 proto 86  no longer wanted',
      '! default via 203.0.113.254 dev eth1 will win over the present one via 10.0.0.98 dev eth0 metric 100',
    ]);
    expect(lines.at(-2)).to.match(
      /^Plan: \d+ to add, \d+ to change, 1 to delete\. As commands: eiproute plan --commands$/,
    );
    const [, add, change] = /(\d+) to add, (\d+) to change/.exec(out) ?? [];
    const count = (sign: string): number => lines.filter((line) => line.startsWith(`${sign} `)).length;
    expect([count('+'), count('~'), count('-')]).to.deep.equal([Number(add), Number(change), 1]);
    const shell = await other.within('sh', '-ec', (await other.eiproute('plan', '--commands')).out);
    expect(shell.status, shell.err).to.equal(0);
    const again = await other.eiproute('plan');
    expect({ status: again.status, err: again.err }).to.deep.equal({ status: 0, err: '' });
    expect(again.out).to.match(/^No changes\. 3 of 3 EIPs routed over 3 nodes; \d+ objects as wanted\.\n$/);
    await other.ip('route replace 198.51.100.11 nhid 260000001 proto 86');
    expect((await other.eiproute('plan')).out).to.match(
      /^~ route 198\.51\.100\.11 nhid 260000000 proto 86 +Service default\/mail; was 198\.51\.100\.11 nhid 260000001 proto 86$/m,
    );
  });

  it('says that nothing can work without the LAN, and exits with 3', async () => {
    await using other = await GatewayHost.make();
    await other.ip('link delete eth0');
    const { status, out } = await other.eiproute('plan');
    expect(status).to.equal(3);
    expect(out).to.match(/^ {2}INTERFACE {2}interface eth0 does not exist/m);
    expect(out).to.match(
      /\nAfterwards DEGRADED: interface eth0 does not exist: 0 of 3 EIPs are routed.*\nPlan: /,
    );
  });
});

describe('eiproute status', () => {
  let host: GatewayHost;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('says that no daemon runs, and where it asked', async () => {
    for (const words of [['status'], ['status', '--json'], ['release']]) {
      const { status, out, err } = await host.eiproute(...words);
      expect({ status, out }).to.deep.equal({ status: 1, out: '' });
      expect(err).to.match(
        /^eiproute: no gateway daemon answers at \S+gateway(-control)?.sock: there is no such socket \(ENOENT\); is it running\? systemctl status eiproute-gateway, or start it: eiproute gateway\n$/,
      );
    }
  });

  it('says the same of the socket that a killed daemon left', async () => {
    await using other = await GatewayHost.make();
    const daemon = await other.start();
    await daemon.stop('SIGKILL');
    const { status, err } = await other.eiproute('status');
    expect(status).to.equal(1);
    expect(err).to.match(
      /^eiproute: no gateway daemon answers at \S+gateway.sock: nothing listens there \(ECONNREFUSED\); is it running\?/,
    );
    await other.start();
  });

  it('gives up --wait-synced in time, with the code of the state', async () => {
    const { status, err } = await host.eiproute('status', '--wait-synced', '--timeout', '0.3');
    expect(status).to.equal(1);
    expect(err).to.match(/no gateway daemon answers/);
    host.api.faults.forbid('list', 'nodes');
    const daemon = host.launch();
    await host.statusOf(daemon, 'it answers', ({ round }) => round !== undefined);
    const waited = await host.eiproute('status', '--wait-synced', '--timeout', '0.3');
    expect(waited.status).to.equal(5);
    expect(waited.out).to.match(/^NOT SYNCED: no complete list of nodes yet: HTTP 403: /);
  });

  it('returns from --wait-synced as soon as all is in the kernel', async () => {
    const waiting = host.eiproute('status', '--wait-synced', '--timeout', '20');
    host.api.faults.allow('list', 'nodes');
    const { status, out, err } = await waiting;
    expect({ status, err }).to.deep.equal({ status: 0, err: '' });
    expect(out).to.match(/^OK: 3 of 3 EIPs routed over 3 nodes\n/);
    expect(await host.routing()).to.include('198.51.100.10 > 10.0.0.11 10.0.0.12 10.0.0.13\n');
  });

  it('tells of every EIP, and of what is wrong', async () => {
    host.put(...serviceOn('outside', ['192.0.2.99']));
    await host.ip('route add 198.51.100.41 via 10.0.0.99 proto static');
    host.put(...serviceOn('taken', ['198.51.100.41']));
    await until(
      'both are told',
      () => host.status(),
      ({ problems, conflicts }) => problems.length === 1 && conflicts.length === 1,
    );
    const { status, out } = await host.eiproute('status');
    expect(status).to.equal(3);
    expect(out).to.match(/^DEGRADED: 3 of 4 EIPs routed over 3 nodes; 1 in conflict; 1 warning\n/);
    expect(out).to.match(/\nEIPs {6}3 of 4 routed {3}1 CONFLICT\n/);
    expect(out).to.match(
      /\nNeeds you \(2\)\n {2}CONFLICT {2}198.51.100.41 {2}default\/taken {2}held by "via 10.0.0.99 dev eth0 proto 4"\n +delete it: ip route delete 198.51.100.41 via 10.0.0.99 dev eth0 proto 4\n/,
    );
    expect(out).to.match(/\n {2}EIP {7}Service default\/outside asks for 192.0.2.99, .*\n/);
    const json = await host.eiproute('status', '--json');
    expect(json.status).to.equal(3);
    expect(JSON.parse(json.out)).to.include({ version: 2, state: 'DEGRADED', config: host.config });
    expect(violations(schema, JSON.parse(json.out))).to.deep.equal([]);
  });

  it('lists the EIPs with where they go under --eips: all, or those of an EIP, a Service or a node', async () => {
    const all = await host.eiproute('status', '--eips');
    expect(all.status).to.equal(3);
    expect(all.out.split('\n').map((line) => line.replace(/ +/g, ' '))).to.deep.equal([
      '198.51.100.10 routed default/web n1 n2 n3',
      '198.51.100.11 routed default/mail n2',
      '198.51.100.41 CONFLICT default/taken n1 n2 n3',
      '2001:db8:e::10 routed default/web n1 n2 n3',
      '',
    ]);
    expect(all.err).to.match(/^DEGRADED: 3 of 4 EIPs routed/);
    for (const [filter, lines] of [
      ['198.51.100.41', 1],
      ['default/web', 2],
      ['mail', 1],
      ['n2', 4],
    ] as const) {
      const { out } = await host.eiproute('status', '--eips', filter);
      expect(out.trimEnd().split('\n'), filter).to.have.length(lines);
    }
    const none = await host.eiproute('status', '--eips', 'nobody');
    expect({ status: none.status, out: none.out }).to.deep.equal({ status: 1, out: '' });
    expect(none.err).to.match(/^eiproute: no EIP, Service or node of an EIP is called nobody;/);
    const { eips } = JSON.parse((await host.eiproute('status', '--eips', '--json')).out);
    expect(eips[1]).to.deep.equal({
      eip: '198.51.100.11',
      state: 'routed',
      services: ['default/mail'],
      nodes: [{ name: 'n2', silent: false }],
    });
  });

  it('shows it again every second under --watch, until it is stopped', async () => {
    const child = tied(host.argv('status', '--watch'), { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    let out = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      out += part;
    });
    await until(
      'it is shown twice',
      () => out,
      (shown) => (shown.match(/^DEGRADED: /gm)?.length ?? 0) > 1,
    );
    child.kill('SIGINT');
    expect(await ended).to.deep.equal([130, null]);
  });

  it('lists every object with its state under --objects', async () => {
    const { status, out, err } = await host.eiproute('status', '--objects');
    expect(status).to.equal(3);
    expect(err).to.match(/^DEGRADED: 3 of 4 EIPs routed/);
    expect(out).to.match(
      /^installed {2}nexthop {4}id 25000000\d via 10.0.0.11 dev eth0 proto 86 \(node n1\)$/m,
    );
    expect(out).to.match(
      /^installed {2}route {6}198.51.100.10 nhid 260000001 proto 86 \(Service default\/web\)$/m,
    );
    expect(out).to.match(
      /^foreign {4}route {6}198.51.100.41 nhid \d+ proto 86 .*: 198.51.100.41 via 10.0.0.99 /m,
    );
    const json = JSON.parse((await host.eiproute('status', '--objects', '--json')).out);
    expect(json).to.include({ version: 2, synced: false });
    expect(json.objects).to.have.lengthOf(out.trimEnd().split('\n').length);
    expect(json.objects[0]).to.have.all.keys('kind', 'key', 'state', 'object', 'why');
    const routing = json.objects.filter(
      ({ kind, state }: ObjectStatus) => state === 'installed' && /nexthop|group|route/.test(kind),
    );
    expect(routing.length).to.equal((await host.ours()).split('\n').length);
  });

  it('says of a release of nothing that nothing is held', async () => {
    expect(await host.eiproute('release')).to.deep.equal({ status: 0, out: 'nothing is held\n', err: '' });
  });
});

describe('the sockets of a daemon', () => {
  let host: GatewayHost;
  /** As a user with no rights, and this group beside its own. */
  const as = (group: number | undefined, ...words: readonly string[]) =>
    host.within(
      ...['setpriv', '--reuid', '65534', '--regid', '65534'],
      ...(group === undefined ? ['--clear-groups'] : ['--groups', String(group)]),
      ...['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', ...words],
    );
  const group = 4711;
  const asking = ['--unix-socket', '', 'http://localhost/synced'];
  const releasing = ['--unix-socket', '', '-X', 'POST', 'http://localhost/release'];

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    await host.start();
    // Under systemd the files belong to the unit's group; here it is given by hand, and the rights are the daemon's.
    for (const name of ['gateway.sock', 'gateway-control.sock'])
      await host.within('chgrp', String(group), join(host.runtime, name));
    await host.within('chmod', 'o+x', host.folder, host.runtime);
    asking[1] = join(host.runtime, 'gateway.sock');
    releasing[1] = join(host.runtime, 'gateway-control.sock');
  });

  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('belong to a process that has our name', async () => {
    const { pid } = await host.status();
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).to.equal('eiproute\n');
  });

  it('answer the questions of a member of the group', async () => {
    expect((await as(group, ...asking)).out).to.equal('200');
  });

  it('take no command from a member of the group', async () => {
    const { status, err } = await as(group, ...releasing);
    expect(status).to.equal(7);
    expect(err).to.match(/Permission denied|Couldn't connect/);
  });

  it('answer nobody else', async () => {
    expect((await as(undefined, ...asking)).status).to.equal(7);
  });

  it('take no command where questions are asked, and answer none where commands are taken', async () => {
    const code = ['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', '--unix-socket'];
    const [, questions = ''] = asking;
    const [, commands = ''] = releasing;
    const posted = await host.within(...code, questions, '-X', 'POST', 'http://localhost/release');
    const asked = await host.within(...code, commands, 'http://localhost/status');
    expect([posted.out, asked.out]).to.deep.equal(['404', '404']);
  });
});

describe('eiproute purge', () => {
  it('leaves everything as it was before the daemon, and is refused while one runs', async function () {
    needRoot(this);
    await using host = await GatewayHost.make({ settings: 'defaultRoute: { via: 203.0.113.254 }' });
    // Other people's things, which have to stay.
    await host.batch([
      'nexthop add id 7 via 10.0.0.98 dev eth0 proto static',
      'route add 192.0.2.0/24 nhid 7 proto bird',
      'route add 198.51.100.200 via 10.0.0.98 proto static',
      'rule add pref 4000 to 192.0.2.0/24 lookup 100 protocol 4',
    ]);
    const before = [await host.kernel(), await host.settings()];
    const daemon = await host.start();
    expect([await host.kernel(), await host.settings()]).not.to.deep.equal(before);

    const refused = await host.eiproute('purge', '--yes');
    expect({ status: refused.status, out: refused.out }).to.deep.equal({ status: 1, out: '' });
    expect(refused.err).to.match(
      /^eiproute: another eiproute already manages routes of protocol 86 in this network namespace; stop it first.*\n$/,
    );
    const second = host.launch();
    expect(await second.ended()).to.equal(1);
    expect(second.text()).to.match(/^eiproute: another eiproute already manages routes of protocol 86/);
    expect(second.text()).to.include(`it is process ${daemon.pid} `);
    expect((await host.status()).pid).to.equal(daemon.pid);

    await daemon.stop();
    const files = ['cluster.json', 'identity', 'sysctls.json'].map((name) => join(host.state, name));
    await writeFile(join(host.state, 'notes.txt'), 'of a person');
    const preview = await host.eiproute('purge', '--dry-run');
    const purged = await host.eiproute('purge', '--yes');
    expect(purged.status, purged.err).to.equal(0);
    for (const { out } of [preview, purged])
      expect(out.split('\n').filter((line) => line.startsWith('rm '))).to.deep.equal(
        files.map((file) => `rm ${file}`),
      );
    expect(await readdir(host.state)).to.deep.equal(['notes.txt']);
    expect(purged.out).to.match(/^ip route delete 198.51.100.10 nhid 260000001 proto 86$/m);
    expect(purged.out).to.match(/^sysctl -w net.ipv4.ip_forward="0"$/m);
    expect([await host.kernel(), await host.settings()]).to.deep.equal(before);
    expect(await host.eiproute('purge', '--yes')).to.deep.equal({ status: 0, out: '', err: '' });
    expect([await host.kernel(), await host.settings()]).to.deep.equal(before);
  });

  it('leaves a setting alone that somebody else has changed since, and says so', async function () {
    needRoot(this);
    await using host = await GatewayHost.make();
    const daemon = await host.start();
    await daemon.stop();
    host.setSysctl('net/ipv4/conf/eth0/send_redirects', '1');
    host.setSysctl('net/ipv4/neigh/eth0/base_reachable_time_ms', '7000');
    const says =
      /^eiproute: net\.ipv4\.neigh\.eth0\.base_reachable_time_ms is "7000", where eiproute had written "300": somebody else .* not put back to "30000"\n$/;
    const preview = await host.eiproute('purge', '--dry-run');
    const purged = await host.eiproute('purge', '--yes');
    for (const { status, out, err } of [preview, purged]) {
      expect(status).to.equal(0);
      expect(err).to.match(says);
      expect(out).to.match(/^sysctl -w net\.ipv4\.ip_forward="0"$/m);
      expect(out).not.to.include('net.ipv4.neigh.eth0.base_reachable_time_ms');
    }
    expect(host.sysctl('net/ipv4/neigh/eth0/base_reachable_time_ms')).to.equal('7000');
    expect(host.sysctl('net/ipv4/ip_forward')).to.equal('0');
    expect(await host.eiproute('purge', '--yes')).to.deep.equal({ status: 0, out: '', err: '' });
  });

  it('prints JSON with a version', async function () {
    needRoot(this);
    await using host = await GatewayHost.make();
    await host.ip('route add unreachable 198.51.100.77 proto 86');
    const { status, out } = await host.eiproute('purge', '--yes', '--json');
    expect(status).to.equal(0);
    const { version, removed, refused } = JSON.parse(out);
    expect({ version, refused }).to.deep.equal({ version: 1, refused: [] });
    // Linux keeps proxy entries without a device when a namespace goes, and a later one may find them.
    const own = removed.filter((line: string) => !line.includes('dev if0'));
    expect(own).to.deep.equal(['ip route delete unreachable 198.51.100.77 proto 86']);
  });
});

describe('SIGHUP', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;
  let mark = 0;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    daemon = await host.start();
  });
  beforeEach(() => {
    mark = daemon.journal.length;
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  /** Resolves when the status says of the last reload what is wanted. */
  const says = (what: string, wanted: RegExp | undefined): Promise<unknown> =>
    until(
      what,
      () => host.status(),
      ({ problems }) => {
        const found = problems.find(({ code }) => code === 'config-refused');
        return wanted === undefined ? found === undefined : wanted.test(found?.message ?? '');
      },
    );

  it('takes a good configuration', async () => {
    await host.configure({ pools: '[198.51.100.0/28]', settings: 'hashPolicy: ports' });
    daemon.signal('SIGHUP');
    const { changed } = await daemon.says(/configuration reloaded/, mark);
    expect(changed).to.have.members(['hashPolicy', 'pools']);
    await until(
      'the new pool stands',
      () => host.ours(),
      (now) => now.startsWith('unreachable 198.51.100.0/28 proto 86') && !now.includes('2001:'),
    );
    expect(host.sysctl('net/ipv4/fib_multipath_hash_policy')).to.equal('3');
  });

  it('refuses a bad one, with its place, and goes on with the old one', async () => {
    const before = await host.kernel();
    await host.configure({ pools: '[198.51.100.7/24]', settings: 'hashPolicy: ports' });
    daemon.signal('SIGHUP');
    await daemon.says(/the new configuration is refused; the old one stays in force/, mark);
    expect(daemon.words.join('\n')).to.match(
      /gateway.yaml:4:\d+ pools\[0\].addresses\[0\]: .*host bits set; the network is 198.51.100.0\/24/,
    );
    await says('the status says so', /refused.*: the file is wrong$/);
    host.put(...serviceOn('more', ['198.51.100.9']));
    await until(
      'it still works',
      () => host.routing(),
      (now) => now.includes('198.51.100.9 > '),
    );
    host.delete('Service', 'more');
    await until(
      'it still works',
      () => host.kernel(),
      (now) => now === before,
    );
  });

  it('refuses what needs a restart, and names it', async () => {
    await host.configure({ pools: '[198.51.100.0/28]', settings: 'hashPolicy: ports\nprotocol: 87' });
    daemon.signal('SIGHUP');
    const { keys } = await daemon.says(
      /these settings need a restart; the old configuration stays in force/,
      mark,
    );
    expect(keys).to.deep.equal(['protocol']);
    await says('the status says so', /refused.*: a restart is needed for protocol$/);
    expect((await host.status()).synced).to.equal(true);
  });

  it('changes what is logged', async () => {
    await host.configure({ pools: '[198.51.100.0/28]', settings: 'hashPolicy: ports', level: 'debug' });
    daemon.signal('SIGHUP');
    await daemon.says(/configuration reloaded/, mark);
    await says('the status says of it no more', undefined);
    await daemon.says(/"level":"debug"/, mark);
  });
});

describe('what strangers write', () => {
  it('reaches no terminal as it is, and is cut', async function () {
    needRoot(this);
    const pool = `\u001b]0;title\u0007\r\0\u202e${'y'.repeat(200_000)}`;
    const request = { eips: [], metadata: { annotations: { 'eiproute.io/pool': pool } } };
    await using host = await GatewayHost.make({
      settings: 'allocate: { classless: true, lease: false }',
      world: [...standardWorld, rawService('odd', request)],
    });
    await host.start();
    const seen = await until(
      'somebody waits',
      () => host.eiproute('pools'),
      ({ out }) => out.includes('default/odd'),
    );
    for (const words of [['pools'], ['pools', '--json'], ['status'], ['status', '--json']]) {
      const { out } = words.length === 1 && words[0] === 'pools' ? seen : await host.eiproute(...words);
      expect(out, words.join(' ')).not.to.match(/[^\P{C}\n]/u);
      if (!words.includes('--json')) expect(out.length, words.join(' ')).to.be.lessThan(10_000);
    }
  });
});
