import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { rawNode } from '../../lab/cluster/manifests.ts';
import { outcome } from '../../lab/process/run.ts';
import { GatewayHost, serviceOn, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

/** Runs the daemon to its end, which must come by itself, and compares the kernel before and after. */
async function refusal(
  host: GatewayHost,
  argv: readonly string[] = host.argv('gateway'),
): Promise<{ readonly code: number | string; readonly text: string }> {
  const before = [await host.kernel(), await host.settings()];
  await using daemon = host.launch(argv);
  await until(
    'the daemon ends',
    () => daemon.text(),
    () => daemon.end !== undefined,
  );
  expect([await host.kernel(), await host.settings()], 'nothing half-installed').to.deep.equal(before);
  return { code: await daemon.ended(), text: daemon.text() };
}

describe('a daemon that cannot start', () => {
  let host: GatewayHost;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
  });
  beforeEach(async () => {
    await host.configure({});
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('names every mistake of the configuration with its place, exit 2', async () => {
    await host.configure({ settings: 'hashPolicy: prots\npace:\n  resnyc: 1m\nprotocol: 186' });
    const { code, text } = await refusal(host);
    expect(code).to.equal(2);
    const lines = text.split('\n').map((line) => line.replace(host.folder, ''));
    expect(lines).to.have.length(3);
    expect(lines[0]).to.match(/^\/gateway.yaml:8:13 hashPolicy: must be addresses or ports, not "prots"$/);
    expect(lines[1]).to.match(/^\/gateway.yaml:10:3 pace.resnyc: unknown key \(did you mean "resync"\?\)$/);
    expect(lines[2]).to.match(/^\/gateway.yaml:11:11 protocol: .*BGP/);
  });

  it('says that it has no CAP_NET_ADMIN, and what to do, exit 1', async () => {
    const { code, text } = await refusal(host, [
      ...['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'],
      ...host.argv('gateway'),
    ]);
    expect(code).to.equal(1);
    expect(text).to.match(/^eiproute: .*CAP_NET_ADMIN.*$/);
  });

  it('says that it cannot make its files of the moment, exit 1', async () => {
    await writeFile(host.runtime, 'a file, where a folder should be');
    const { code, text } = await refusal(host);
    expect(code).to.equal(1);
    expect(text).to.match(
      /^eiproute: runtimeDirectory \S+ is a file, and must be a directory: move that file away, or set runtimeDirectory to a directory$/,
    );
    await host.within('rm', host.runtime);
  });
});

describe('a daemon that can do a part', () => {
  it('routes without the former values of settings when their file is damaged, and keeps the file', async function () {
    needRoot(this);
    await using host = await GatewayHost.make();
    const file = join(host.state, 'sysctls.json');
    const half = '{ "version": 1, "sysctls": ';
    await mkdir(host.state, { recursive: true });
    await writeFile(file, half);
    const lost =
      /sysctls.json cannot be used as the ledger of sysctls: .*; the values from before eiproute are lost/;
    for (const words of [
      ['plan', '--commands'],
      ['purge', '--yes'],
    ]) {
      const ran = await host.eiproute(...words);
      expect(ran.err).to.match(lost);
      expect(ran.status, words.join(' ')).to.equal(words[0] === 'plan' ? 2 : 0);
    }
    expect(await readFile(file, 'utf8')).to.equal(half);
    const daemon = await host.start();
    expect(await host.routing()).to.include('198.51.100.10 > 10.0.0.11');
    await daemon.says(lost);
    const { problems } = await host.synced(daemon);
    expect(problems.map(({ code }) => code)).to.deep.equal(['sysctl-ledger-damaged']);
    const aside = (await readdir(host.state)).find((name) => /^sysctls.json.20\d\d-/.test(name)) ?? 'none';
    expect(await readFile(join(host.state, aside), 'utf8')).to.equal(half);
    expect(problems[0]?.message).to.include(aside);
    await daemon.stop();
    expect(JSON.parse(await readFile(file, 'utf8')).sysctls).to.include({ 'net/ipv4/ip_forward': '0' });
  });

  it('forwards where the former values of settings cannot be saved, and names them', async function () {
    needRoot(this);
    await using host = await GatewayHost.make();
    await mkdir(host.state, { mode: 0o500 });
    // What systemd does with a CapabilityBoundingSet: root that may not write where its own bits forbid it.
    const bounded = ['setpriv', '--bounding-set', '-dac_override', '--inh-caps', '-dac_override'];
    const daemon = host.launch([...bounded, ...host.argv('gateway')]);
    await daemon.says(/the ledger of sysctls \S+ cannot be written: EACCES: .*net\.ipv4\.ip_forward = 0/);
    await until(
      'EIPs are routed',
      () => host.routing(),
      (now) => now.includes('198.51.100.10 > 10.0.0.11'),
    );
    await daemon.says(/cannot be saved: .*a reboot with the API down would lose it/);
    const { problems, failed } = await host.synced(daemon);
    expect(failed).to.deep.equal([]);
    expect(problems.map(({ code }) => code)).to.include('sysctl-ledger-not-saved');
    expect((await host.within('sysctl', '-n', 'net.ipv4.ip_forward')).out.trim()).to.equal('1');
    await chmod(host.state, 0o700);
    // What makes the daemon look at the kernel.
    await host.within('ip', 'route', 'delete', '198.51.100.10');
    await daemon.says(/sysctl-ledger-not-saved.*"solved"/);
    await daemon.stop();
    expect(JSON.parse(await readFile(join(host.state, 'sysctls.json'), 'utf8')).sysctls).to.include({
      'net/ipv4/ip_forward': '0',
    });

    await chmod(host.state, 0o500);
    const purge = () => outcome({ argv: [...bounded, ...host.argv('purge', '--yes')] });
    const first = await purge();
    expect(first.status).to.equal(1);
    expect(first.out, 'what was done is told').to.include('sysctl -w net.ipv4.ip_forward="0"');
    expect(first.err).to.include('the files of the state directory stay: purge again once it can be written');
    expect(await readdir(host.state)).to.include('sysctls.json');
    await chmod(host.state, 0o700);
    expect((await purge()).status).to.equal(0);
    expect(await readdir(host.state)).to.deep.equal([]);
    expect((await host.within('sysctl', '-n', 'net.ipv4.ip_forward')).out.trim()).to.equal('0');
  });

  it('starts without the last known cluster when that is garbage, and writes it anew', async function () {
    needRoot(this);
    await using host = await GatewayHost.make();
    const file = join(host.state, 'cluster.json');
    await mkdir(host.state, { recursive: true });
    await writeFile(file, '{ "kind": "List", ');
    // With all lists in it would be solved before anybody could tell.
    host.api.faults.forbid('list', 'nodes');
    const daemon = host.launch();
    await daemon.says(
      /"level":"warn".*"subject":"\S+cluster.json".*the last known state of the cluster cannot be used: /,
    );
    host.api.faults.allow('list', 'nodes');
    await host.synced(daemon);
    await until(
      'it is written',
      () => readFile(file, 'utf8'),
      (text) => text.includes('"web"'),
    );
    await daemon.says(/remembered-cluster-unreadable.*"solved"/);
  });

  it('starts without a kubeconfig, says what is wrong, and routes when it is there', async function () {
    needRoot(this);
    await using host = await GatewayHost.make();
    const file = join(host.folder, 'kubeconfig');
    const good = await readFile(file, 'utf8');
    await host.within('rm', file);
    const daemon = host.launch();
    await daemon.says(/"trouble":"kubeconfig \S+ .*ENOENT/);
    await writeFile(file, '{ this is: [ not');
    await daemon.says(/"trouble":"kubeconfig \S+ cannot be used/);
    expect(await host.routing()).to.equal('');
    await writeFile(file, good);
    await host.synced(daemon);
    expect(await host.routing()).to.include('198.51.100.10 > 10.0.0.11');
  });

  it('warns of an EIP outside the pools, and routes the others', async function () {
    needRoot(this);
    const stray = serviceOn('stray', ['192.0.2.77', '198.51.100.50']);
    await using host = await GatewayHost.make({ world: [...standardWorld, ...stray] });
    const daemon = await host.start();
    await daemon.says(
      /"level":"warn".*"eip":"192.0.2.77","service":"default\/stray".*Service default\/stray asks for 192.0.2.77, which is in none of the configured pools; it gets no route/,
    );
    expect(await host.ip('route show 192.0.2.77')).to.equal('');
    expect(await host.routing()).to.include('198.51.100.50 > 10.0.0.11');
  });

  it('never routes the address of a node or of itself, although a pool has it', async function () {
    needRoot(this);
    await using host = await GatewayHost.make({
      pools: '[198.51.100.0/24, 10.0.0.0/24]',
      world: [
        ...standardWorld,
        rawNode('n9', { addresses: ['198.51.100.9'] }),
        ...serviceOn('odd', ['10.0.0.12', '10.0.0.1']),
      ],
    });
    const daemon = host.launch();
    await daemon.says(
      /"level":"error".*pool public: 10.0.0.0\/24 holds 10.0.0.1\d?, the address of .*; its unreachable route is left out/,
    );
    await daemon.says(
      /"level":"error".*pool public: 198.51.100.0\/24 holds 198.51.100.9, the address of node n9/,
    );
    await until(
      'EIPs are routed',
      () => host.routing(),
      (now) => now.includes('198.51.100.10 > 10.0.0.11'),
    );
    for (const address of ['10.0.0.12', '10.0.0.1']) {
      await daemon.says(new RegExp(`"eip":"${address}"`));
      expect(await host.ip(`route show ${address}`)).to.equal('');
    }
    expect(await host.ours()).not.to.match(/^unreachable (10|198)/m);
    expect((await host.within('ip', 'route', 'get', '10.0.0.12')).out).to.match(/dev eth0 src 10.0.0.1/);
  });
});
