import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { outcome } from '../../lab/process/run.ts';
import type { Check, CheckState } from '../../src/explain/check.ts';
import { GatewayHost } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

describe('eiproute doctor', () => {
  let host: GatewayHost;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  async function examined(...words: readonly string[]) {
    const { status, out, err } = await host.eiproute('doctor', '--json', ...words);
    if (out === '') throw new Error(err);
    const { version, checks }: { version: number; checks: readonly Check[] } = JSON.parse(out);
    expect(version).to.equal(1);
    const of = (name: string): Check => {
      const found = checks.find((one) => one.name === name);
      if (found === undefined) throw new Error(`no check ${name}`);
      return found;
    };
    return { status, err, checks, of };
  }

  it('finds nothing wrong with a host before the first start', async () => {
    const { status, out, err } = await host.eiproute('doctor');
    expect({ status, err }, out).to.deep.equal({ status: 0, err: '' });
    const lines = out.split('\n').map((line) => line.replace(/ +/g, ' '));
    expect(lines[0]).to.match(/^eiproute \d\S+ on \S+, .*, Linux \d/);
    const has = (pattern: RegExp): void => {
      expect(
        lines.some((line) => pattern.test(line)),
        `${pattern} in\n${out}`,
      ).to.equal(true);
    };
    has(/^ok configuration \S+gateway\.yaml, 1 pool, more addresses than one counts$/);
    has(/^ok interfaces lan eth0, uplink eth1$/);
    has(/^ok capability CAP_NET_ADMIN$/);
    has(/^ok kernel Linux \d.*: nexthop objects, nexthop groups, IPv6, nf_tables$/);
    has(/^ok API https:\/\/127\.0\.0\.1:\d+, v1\.\S+, [\d.]+ ms, certificate good for /);
    has(/^ok credentials the token, which does not say when it ends$/);
    has(/^ok rights all 6: list services, list nodes, .*watch endpointslices\.discovery\.k8s\.io$/);
    has(/^ok time this clock and that of the API server agree$/);
    has(/^warn default route there is no default route of IPv4/);
    has(/^ok firewall no forward hook drops eth1 -> eth0$/);
    has(/^ok nodes 6 of 6 answer ARP or NDP on eth0, by the API$/);
    has(/^\? node agents /);
    has(/^- daemon no gateway daemon answers/);
    has(/^0 failures, 2 warnings, 1 not known$/);
  });

  it('changes nothing', async () => {
    const before = [await host.kernel(), await host.settings()];
    await host.eiproute('doctor');
    expect([await host.kernel(), await host.settings()]).to.deep.equal(before);
  });

  const breaks: readonly {
    readonly name: string;
    readonly check: string;
    readonly state: CheckState;
    readonly finding: RegExp;
    readonly disturb: () => Promise<unknown>;
    readonly restore: () => Promise<unknown>;
  }[] = [
    {
      name: 'a forward chain that drops everything',
      check: 'firewall',
      state: 'FAIL',
      finding: /^TCP to pool public \(IPv4\) is dropped by chain inet filter forward, its policy drop$/,
      disturb: () =>
        host.within(
          'nft',
          'table inet filter {\nchain forward {\ntype filter hook forward priority 0; policy drop;\n}\n}\n',
        ),
      restore: () => host.within('nft', 'delete table inet filter'),
    },
    {
      name: 'a right that is missing',
      check: 'rights',
      state: 'FAIL',
      finding: /^may not watch nodes$/,
      disturb: async () => host.api.faults.forbid('watch', 'nodes'),
      restore: async () => host.api.faults.allow('watch', 'nodes'),
    },
    {
      name: 'a node that does not answer',
      check: 'nodes',
      state: 'warn',
      finding: /^5 of 6 answer .*; not n2 \(10\.0\.0\.12\)$/,
      disturb: () => host.ip('neigh delete 10.0.0.12 dev eth0'),
      restore: () => host.ip('neigh replace 10.0.0.12 lladdr 02:00:5e:00:53:12 dev eth0 nud permanent'),
    },
    {
      name: 'a router that does not answer',
      check: 'default route',
      state: 'FAIL',
      finding: /^the router 203\.0\.113\.254 does not answer$/,
      disturb: () => host.ip('route add default via 203.0.113.254'),
      restore: () => host.ip('route delete default via 203.0.113.254'),
    },
    {
      name: 'an API that does not answer',
      check: 'API',
      state: 'FAIL',
      finding: /cannot reach the Kubernetes API at 127\.0\.0\.1:\d+ .*connection refused/,
      disturb: async () => {
        const file = join(host.folder, 'kubeconfig');
        const text = await readFile(file, 'utf8');
        await writeFile(`${file}.good`, text);
        await writeFile(file, text.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
      },
      restore: async () => {
        const file = join(host.folder, 'kubeconfig');
        await writeFile(file, await readFile(`${file}.good`, 'utf8'));
      },
    },
    {
      name: 'an interface that does not exist',
      check: 'interfaces',
      state: 'FAIL',
      finding: /^lan: eth0 does not exist; there are: lo .*eth1/,
      disturb: () => host.ip('link set eth0 name enp9s0'),
      restore: () => host.ip('link set enp9s0 name eth0'),
    },
  ];
  for (const { name, check, state, finding, disturb, restore } of breaks) {
    it(`finds ${name}`, async () => {
      await disturb();
      // The neighbour table is one for the whole machine: while other suites fill it, the kernel asks nobody.
      const { status, of } = await until(
        'it is found',
        () => examined(),
        (seen) => seen.of(check).state === state,
      );
      await restore();
      expect(of(check).finding).to.match(finding);
      expect(of(check).state).to.equal(state);
      expect(of(check).advice).to.match(/./);
      expect(status).to.equal(state === 'FAIL' ? 1 : 0);
    });
  }

  it('says of a wrong configuration what is wrong with it, and goes on with what it needs none for', async () => {
    const file = join(host.folder, 'wrong.yaml');
    await writeFile(file, 'lan: eth0\nuplinc: eth1\n');
    const { status, out } = await host.eiproute('doctor', '--config', file);
    expect(status).to.equal(1);
    expect(out).to.match(/^FAIL {2}configuration {2}.*pools: is missing/m);
    expect(out).to.match(/^ {20}.* uplinc: unknown key \(did you mean "uplink"\?\)$/m);
    expect(out).to.match(/^ok {4}capability/m);
  });

  it('looks at a node by its configuration', async () => {
    const file = join(host.folder, 'node.yaml');
    const write = (gateway: string): Promise<void> =>
      writeFile(
        file,
        `eips: [198.51.100.0/24]\ngateways: [${gateway}]\nstateDirectory: n\nruntimeDirectory: n\n`,
      );
    await write('10.0.0.11');
    const fine = await examined('--config', file);
    expect(fine.of('gateways')).to.include({ state: 'ok', finding: '1 of 1 answer ARP or NDP on the LAN' });
    expect(fine.status).to.equal(0);
    await write('10.0.0.99');
    const silent = await examined('--config', file);
    expect(silent.of('gateways').state).to.equal('FAIL');
    expect(silent.status).to.equal(1);
  });

  it('says of no host that it is silent where it may not ask', async () => {
    const node = join(host.folder, 'node.yaml');
    await writeFile(
      node,
      'eips: [198.51.100.0/24]\ngateways: [10.0.0.11]\nstateDirectory: n\nruntimeDirectory: n\n',
    );
    const unable = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'];
    const { out } = await outcome({ argv: [...unable, ...host.argv('doctor', '--config', node)] });
    expect(out).to.match(/^FAIL {2}capability/m);
    expect(out).to.match(/^\? {5}gateways +not asked: the kernel cannot be read$/m);
  });

  it('says how a running daemon is', async () => {
    await using other = await GatewayHost.make();
    await other.start();
    const { out } = await other.eiproute('doctor');
    expect(out).to.match(/^ok {4}daemon +OK: 3 of 3 EIPs routed over 3 nodes$/m);
  });

  it('writes a bundle without the secrets of the kubeconfig, and not over another file', async () => {
    const secrets = ['s3cr3t-token-of-another-user', 'hunter22', 'exec-env-value', 'proxy-pass'];
    const kubeconfig = join(host.folder, 'kubeconfig');
    const good = await readFile(kubeconfig, 'utf8');
    const [token, password, value, proxy] = secrets;
    const others = [
      { name: 'other', user: { token } },
      { name: 'basic', user: { username: 'me', password } },
      { name: 'plugin', user: { exec: { command: 'login', env: [{ name: 'LOGIN_KEY', value }] } } },
    ];
    const parsed = good.replace(
      /^users:\n/m,
      `users:\n${others.map((one) => `  - ${JSON.stringify(one)}\n`).join('')}`,
    );
    await writeFile(
      kubeconfig,
      parsed.replace(
        /^clusters:\n/m,
        `clusters:\n  - { name: far, cluster: { server: "https://192.0.2.1", proxy-url: "http://u:${proxy}@192.0.2.2" } }\n`,
      ),
    );
    const file = join(host.folder, 'bundle.tar');
    const { status, err } = await host.eiproute('doctor', '--bundle', file);
    expect(status, err).to.equal(0);
    const again = await host.eiproute('doctor', '--bundle', file);
    expect(again.status).to.equal(1);
    expect(again.err).to.match(/bundle\.tar exists already \(EEXIST\): name another file with --bundle/);
    await writeFile(kubeconfig, good);

    const listed = await outcome({ argv: ['tar', '-tvf', file] });
    expect(listed.status, listed.err).to.equal(0);
    for (const name of [
      'doctor.txt',
      'doctor.json',
      'gateway.yaml',
      'kubeconfig.json',
      'routes.txt',
      'nftables.txt',
      'status.json',
      'journal.txt',
    ])
      expect(listed.out).to.match(new RegExp(`^-rw------- .* eiproute-doctor/${name}$`, 'm'));
    const text = (await readFile(file)).toString('latin1');
    expect(text).to.include('"name": "LOGIN_KEY"');
    const own = /token: (\S+)/.exec(good)?.[1] ?? '';
    expect(own).to.have.length.above(8);
    for (const secret of [...secrets, own])
      for (const form of [secret, Buffer.from(secret).toString('base64')]) expect(text).not.to.include(form);
  });
});
