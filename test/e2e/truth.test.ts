import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { rawNode } from '../../lab/cluster/manifests.ts';
import { patience } from '../patience.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, serviceOn, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

// What `eiproute status` once said of a gateway that did not do its work. Only what a user sees is asked for.

const ofInterface = /interface enp9s0 does not exist/;

/** Waits until `eiproute status` prints this, and returns its exit code and text. */
async function shows(host: GatewayHost, pattern: RegExp, deadline?: number) {
  return await until(
    `the status shows ${pattern}`,
    () => host.eiproute('status'),
    ({ out }) => pattern.test(out),
    deadline,
  );
}

describe('eiproute status tells the truth', () => {
  before(function () {
    needRoot(this);
  });

  it('of a gateway whose LAN does not exist: no EIP is routed', async () => {
    await using host = await GatewayHost.make();
    await host.ip('link delete eth0');
    const daemon = host.launch();
    await daemon.says(/interface eth0 does not exist/);
    const waited = await host.eiproute('status', '--wait-synced', '--timeout', '1');
    expect(await host.routing()).to.equal('');
    expect(waited.status).not.to.equal(0);
    expect(waited.out.split('\n')[0]).to.equal(
      'DEGRADED: interface eth0 does not exist: 0 of 3 EIPs are routed',
    );
  });

  it('of a wrong LAN in a file, with the cluster from a file', async () => {
    await using host = await GatewayHost.make();
    const cluster = join(host.folder, 'cluster.yaml.json');
    await writeFile(cluster, JSON.stringify({ kind: 'List', items: standardWorld }));
    await host.configure({ settings: `source: { file: ${cluster} }` });
    await host.within('sed', '-i', 's/^lan: .*/lan: enp9s0/', host.config);
    const daemon = host.launch();
    await daemon.says(ofInterface);
    const { status, out } = await shows(host, ofInterface);
    expect(status).to.equal(3);
    expect(out).to.match(/^DEGRADED: interface enp9s0 does not exist: 0 of 3 EIPs are routed\n/);
  });

  it('of a foreign route in the place of an EIP', async () => {
    await using host = await GatewayHost.make();
    await host.ip('route add 198.51.100.10 via 10.0.0.12 proto static');
    host.launch();
    const { status, out } = await shows(host, /conflict/i);
    expect(status).to.equal(3);
    expect(out).to.match(/^DEGRADED: 2 of 3 EIPs routed over 3 nodes; 1 in conflict\n/);
    expect(out).to.match(
      /CONFLICT {2}198.51.100.10 {2}default\/web {2}held by "via 10.0.0.12 dev eth0 proto 4"/,
    );
    const waited = await host.eiproute('status', '--wait-synced', '--timeout', '0.5');
    expect(waited.status).to.equal(3);
  });

  it('of a policy rule that refuses a pool, and of its end', async () => {
    await using host = await GatewayHost.make();
    await host.start();
    await host.ip('rule add pref 50 to 198.51.100.0/24 prohibit');
    const { status, out } = await shows(host, /another route or a rule takes/);
    expect(status).to.equal(3);
    expect(out).to.match(
      /^DEGRADED: 3 of 3 EIPs routed over 3 nodes; 2 that another route or a rule takes; 1 problem\n/,
    );
    expect(out).to.match(
      /EIP {2}198\.51\.100\.10, 198\.51\.100\.11: the kernel refuses the packets \(EACCES: a rule or a route says prohibit\) instead/,
    );
    expect(out).to.match(
      /ip rule show; ip route show table all 198\.51\.100\.10; eiproute trace 198\.51\.100\.10/,
    );
    const traced = await host.eiproute('trace', '198.51.100.10');
    expect(traced.status).to.equal(1);
    expect(traced.out).to.match(/BROKEN at step 5[\s\S]*EACCES/);
    await host.ip('rule delete pref 50');
    expect((await shows(host, /^OK: 3 of 3/)).status).to.equal(0);
  });

  it('of a route of another program that wins', async () => {
    await using host = await GatewayHost.make();
    const daemon = await host.start();
    await host.ip('route add 2001:db8:e::10 via 2001:db8:10::12 dev eth0 metric 10');
    await host.batch([
      'route add 198.51.100.0/24 via 10.0.0.12 dev eth0 table 77',
      'rule add pref 10 iif eth1 lookup 77',
    ]);
    const { status, out } = await shows(host, /3 that another route or a rule takes; 2 problems/);
    expect(status).to.equal(3);
    expect(out).to.match(
      /2001:db8:e::10: the kernel takes "2001:db8:e::10 via 2001:db8:10::12 dev eth0 proto 3 metric 10"/,
    );
    expect(out).to.match(/"198\.51\.100\.0\/24 via 10\.0\.0\.12 dev eth0 table 77 proto 3" instead/);
    await daemon.says(/"code":"eip-shadowed"/);
    for (const eip of ['2001:db8:e::10', '198.51.100.10']) {
      const traced = await host.eiproute('trace', eip);
      expect(traced.status, eip).to.equal(1);
      expect(traced.out).to.match(/BROKEN at step 5[\s\S]*route +another route wins: /);
    }
    await host.batch(['rule delete pref 10', 'route delete 2001:db8:e::10 metric 10']);
    await shows(host, /^OK: 3 of 3/);
  });

  describe('and `eiproute trace` and `plan` say the same', () => {
    const four = '198.51.100.10';
    const six = '2001:db8:e::10';
    let host: GatewayHost;

    before(async function () {
      needRoot(this);
      // What is told is told at once: no resync helps.
      host = await GatewayHost.make({ settings: 'pace: { resync: 1h }' });
      await host.ip('rule add pref 10 iif eth1 lookup 77');
      await host.start();
    });
    after(async () => {
      await host?.[Symbol.asyncDispose]();
    });

    const cases: readonly { name: string; eip: string; words: string; what: RegExp }[] = [
      {
        name: 'a rule that prohibits',
        eip: four,
        words: `rule add pref 5 to ${four} prohibit`,
        what: /EACCES/,
      },
      {
        name: 'a foreign route that is first among equals',
        eip: four,
        words: `route prepend ${four} via 10.0.0.12 dev eth0`,
        what: /198\.51\.100\.10 via 10\.0\.0\.12 dev eth0 proto 3/,
      },
      {
        name: 'a foreign route with a better metric',
        eip: six,
        words: `route add ${six} via 2001:db8:10::12 dev eth0 metric 10`,
        what: /proto 3 metric 10/,
      },
      {
        name: 'a foreign network in a table that is looked up earlier',
        eip: four,
        words: 'route add 198.51.100.8/29 via 10.0.0.12 dev eth0 table 77',
        what: /198\.51\.100\.8\/29 via 10\.0\.0\.12 dev eth0 table 77/,
      },
      {
        name: 'a blackhole in a table that is looked up earlier',
        eip: four,
        words: `route add blackhole ${four} table 77`,
        what: /EINVAL/,
      },
      {
        name: 'a blackhole with a better metric',
        eip: six,
        words: `route add blackhole ${six} metric 10`,
        what: /EINVAL/,
      },
      {
        name: 'an unreachable route with a better metric',
        eip: six,
        words: `route add unreachable ${six} metric 10`,
        what: /EHOSTUNREACH/,
      },
    ];
    for (const { name, eip, words, what } of cases)
      it(`of ${name}, and of its end`, async () => {
        await host.ip(words);
        const { status, out } = await shows(host, /another route or a rule takes/);
        expect(status).to.equal(3);
        const told = out.split('\n').find((line) => line.startsWith('  EIP '));
        expect(told).to.include(eip).and.to.match(what);
        const traced = await host.eiproute('trace', eip);
        expect(traced.status).to.equal(1);
        // What is refused where it comes in alone is told of at the next step.
        expect(traced.out)
          .to.match(/BROKEN at step [56]/)
          .and.to.match(what);
        const planned = await host.eiproute('plan');
        expect(planned.status).to.equal(3);
        expect(planned.out)
          .to.match(
            /Afterwards DEGRADED: 3 of 3 EIPs.* that another route or a rule takes.*\nNo changes\.\n$/,
          )
          .and.to.match(what);
        await host.ip(words.replace(/(add|prepend)/, 'delete'));
        expect((await shows(host, /^OK: 3 of 3/)).status).to.equal(0);
        expect((await host.eiproute('trace', eip)).out).not.to.match(/BROKEN at step [56]/);
        expect((await host.eiproute('plan')).status).to.equal(0);
      });
  });

  it('in a plan that is to change a setting: the kernel is not asked where packets go without it', async () => {
    await using host = await GatewayHost.make();
    const daemon = await host.start();
    await daemon.stop();
    expect((await host.eiproute('plan')).status).to.equal(0);
    await host.within('sysctl', '-w', 'net.ipv4.ip_forward=0');
    const { status, out } = await host.eiproute('plan');
    expect(status).to.equal(2);
    expect(out)
      .to.match(/ip_forward +0 -> 1/)
      .and.not.to.match(/Afterwards|Needs you/);
  });

  it('of a table whose rules go by a source: whether the kernel takes the routes is not asked', async () => {
    await using host = await GatewayHost.make({ settings: 'table: 100' });
    await host.ip('rule add pref 100 from 192.0.2.0/24 lookup 100');
    await host.ip('-6 rule add pref 100 lookup 100');
    await host.start();
    const said = /IPv4 EIPs is not asked: the rules that look up table 100 go by more than interface, mark/;
    const { status, out } = await shows(host, said);
    expect(status).to.equal(0);
    expect(out).to.match(/^OK: 3 of 3/);
    const eips = await host.eiproute('status', '--eips');
    expect(eips.out).not.to.match(said);
    expect(eips.err).to.match(said);
    const { lookup } = JSON.parse((await host.eiproute('status', '--eips', '--json')).out);
    expect(lookup).to.have.length(1);
    expect(lookup[0]).to.have.property('family', 4);
    await host.batch([
      'rule add pref 100 iif eth1 lookup 100',
      'rule delete pref 100 from 192.0.2.0/24 lookup 100',
    ]);
    await until(
      'it is asked',
      () => host.eiproute('status'),
      (now) => now.out.startsWith('OK') && !said.test(now.out),
    );
  });

  it('of no EIP but the one that a rule takes, while routes change, nodes drain and the announce table is there', async () => {
    const idle = serviceOn('idle', ['198.51.100.20'], []);
    await using host = await GatewayHost.make({
      world: [...standardWorld, ...idle],
      settings: 'announce: true\nresilient: { buckets: 16 }\nguard: { share: 1 }',
    });
    const daemon = await host.start();
    expect((await host.eiproute('drain', 'n3')).status).to.equal(0);
    const many = Array.from({ length: 100 }, (_, i) => `s${i}`);
    // Each change of a rule makes the gateway look at all EIPs, while routes come, change and go.
    for (let turn = 0; turn < 12; turn += 1) {
      host.put(
        ...serviceOn('web', ['198.51.100.10', '2001:db8:e::10'], [['n1'], ['n2', 'n1'], ['n3']][turn % 3]),
      );
      await host.ip(`rule ${turn % 2 === 0 ? 'add' : 'delete'} pref 60 to 192.0.2.0/24 prohibit`);
      for (const [i, name] of many.entries()) {
        if (turn % 2 === 0) host.put(...serviceOn(name, [`198.51.100.${100 + i}`], ['n1', 'n2']));
        else host.delete('Service', name);
      }
      // It may be on its way back still.
      await host.within('ip', 'route', 'delete', '198.51.100.10');
    }
    await host.ip('rule add pref 50 to 198.51.100.11 prohibit');
    const { out } = await shows(host, /another route or a rule takes/);
    expect(out).to.match(/; 1 that another route or a rule takes;/);
    const told = daemon.journal.filter(({ code }) => code === 'eip-shadowed' || code === 'route-lookup');
    expect(told.map(({ eip }) => eip)).to.deep.equal(['198.51.100.11']);
  });

  it('of a node that does not answer, and of one that is not Ready', async () => {
    await using host = await GatewayHost.make();
    const daemon = await host.start();
    host.put(rawNode('n3', { addresses: ['10.0.0.13', '2001:db8:10::13'], ready: 'Unknown' }));
    await host.ip('neigh replace 10.0.0.12 dev eth0 nud failed');
    const { status, out } = await shows(host, /FAILED[\s\S]*n3 not Ready[\s\S]*Needs you \(3\)/);
    // The EIP that only n2 could serve goes nowhere.
    expect(status).to.equal(3);
    expect(out).to.match(
      /^DEGRADED: 3 of 3 EIPs routed over 3 nodes; 1 without a node that answers; 2 warnings\n/,
    );
    expect(out).to.match(/\nNodes .*n2 FAILED for \d+ s {3}n3 not Ready\n/);
    expect(out).to.match(/NODE {2}node n2 does not answer ARP at 10.0.0.12 on eth0/);
    await daemon.says(/"level":"warn".*node n2 does not answer ARP/);
    const eips = await host.eiproute('status', '--eips');
    expect(eips.out).to.match(/^198.51.100.11 .* n2\(down\)$/m);
    host.put(rawNode('n3', { addresses: ['10.0.0.13', '2001:db8:10::13'] }));
    await host.ip('neigh replace 10.0.0.12 lladdr 02:00:5e:00:53:12 dev eth0 nud permanent');
    await shows(host, /^OK: 3 of 3 EIPs routed over 3 nodes\n/);
    await daemon.says(/node-silent node n2.*"solved"/);
  });

  it('of two Services on one address and port: both are named, and pools shows both', async () => {
    await using host = await GatewayHost.make({
      world: [...standardWorld, ...serviceOn('dup', ['198.51.100.10'])],
    });
    const daemon = host.launch();
    const { status, out } = await shows(
      host,
      /default\/dup and default\/web hold 198.51.100.10 with the same port TCP\/80/,
    );
    expect(status).to.equal(3);
    expect(out).to.match(/^DEGRADED: 3 of 3 EIPs routed over 3 nodes; 1 problem\n/);
    await daemon.says(/"level":"error".*eip-port-twice/);
    const pools = await host.eiproute('pools');
    expect(pools.out).to.match(/198.51.100.10 +default\/dup, default\/web$/m);
  });

  describe('of an API server', () => {
    let host: GatewayHost;
    let daemon: GatewayDaemon;

    beforeEach(async () => {
      host = await GatewayHost.make();
      daemon = await host.start();
    });
    afterEach(async () => {
      await host?.[Symbol.asyncDispose]();
    });

    // In how many seconds is held by the unit tests of the feeds, on a clock of their own.
    it('whose packets are dropped: told, FROZEN, and heard again when they come through', async () => {
      const port = new URL(host.api.url).port;
      const asked = () => host.api.seen.filter(({ target }) => target === '/readyz');
      await until('it is asked', asked, (seen) => seen.length > 1);
      // On the connection of the watches; the ConfigMap of the agents has one of its own.
      const watching = host.api.seen.filter(
        ({ target }) => target.includes('watch=true') && !target.includes('/configmaps?'),
      );
      expect(asked().at(-1)?.connection).to.equal(watching.at(-1)?.connection);
      await host.within(
        'nft',
        `add table inet hole; add chain inet hole in { type filter hook input priority 0; }; add rule inet hole in tcp dport ${port} drop; add rule inet hole in tcp sport ${port} drop`,
      );
      await until(
        'the journal tells',
        () => daemon.text(),
        (text) => text.includes('"event":"cluster-silent"'),
        2 * patience,
      );
      const { status, out } = await shows(host, /^FROZEN/, 2 * patience);
      expect(out).to.match(/^FROZEN: no answer from the API for \d+ s; 3 EIPs stay as they were\n/);
      // Whichever of the limits was over last: that of a connection, or that of a question.
      expect(out).to.match(
        /cannot reach the Kubernetes API at 127.0.0.1:\d+ \(server in \S+kubeconfig\): (no answer in time|the API server has been silent for \d+ s)/,
      );
      expect(status).to.equal(4);
      expect(await host.routing()).to.include('198.51.100.10 > 10.0.0.11 10.0.0.12 10.0.0.13\n');
      await host.within('nft', 'delete table inet hole');
      await shows(host, /^OK: 3 of 3/);
    });

    it('that was killed and starts with 403 and 410: it is said, and the lists come back', async () => {
      await host.api.stop();
      await daemon.says(/"event":"cluster-silent"/);
      host.put(...serviceOn('late', ['198.51.100.30']));
      host.api.faults.refuse(
        { status: 403, message: 'services is forbidden' },
        Number.POSITIVE_INFINITY,
        /./,
      );
      host.api.objects.compact();
      await host.api.start();
      const troubles = (): readonly string[] =>
        daemon.journal
          .filter(({ event }) => event === 'cluster-silent')
          .map((line) => String(line['trouble']));
      await until('it is said', troubles, (said) =>
        said.some((text) => text.includes('the API server is starting')),
      );
      expect(troubles().filter((text) => text.includes('ClusterRole needs'))).to.deep.equal([]);
      host.api.faults.clear();
      await until(
        'what came meanwhile is routed',
        () => host.routing(),
        (now) => now.includes('198.51.100.30'),
      );
    });
  });
});
