import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { type JsonObject, listAt, objectAt, textAt } from '../../lab/cluster/api/json.ts';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { inside } from '../../lab/process/namespace.ts';
import { patience } from '../patience.ts';
import { Browser } from './browser.ts';
import { GatewayHost, kindOf } from './gateway-host.ts';
import { needPrograms, needRoot } from './root.ts';
import { until } from './until.ts';

const manifest = readFileSync(new URL('../../docs/rbac.yaml', import.meta.url), 'utf8');

const listen = '127.0.0.1:9469';

const clusters = `clusters:
  - { name: east, kubeconfig: kubeconfig }
  - { name: west, kubeconfig: west.kubeconfig }
`;

interface WebOptions {
  /** Of the Service, in seconds. */
  readonly created?: number;
  readonly spec?: object;
}

/** A Service with an endpoint on node n1. */
function web(
  name: string,
  eips: readonly string[],
  { created = 0, spec = {} }: WebOptions = {},
): readonly object[] {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1, 0, 0, created)).toISOString();
  return [
    rawService(name, { eips, spec, metadata: { creationTimestamp } }),
    rawSlice(name, [{ ip: '10.244.0.10', node: 'n1', ready: true }]),
  ];
}

const api = rawService('kubernetes', { eips: [], spec: { type: 'ClusterIP' } });

const eastern: readonly object[] = [
  rawNode('n1', { addresses: ['10.0.0.11'] }),
  rawNode('n2', { addresses: ['10.0.0.12'] }),
  api,
  ...web('web', ['198.51.100.10']),
];
const western: readonly object[] = [
  rawNode('n1', { addresses: ['10.0.0.13'] }),
  api,
  ...web('web', ['198.51.100.20']),
  ...web('shop', ['198.51.100.21']),
];

/** A gateway before two clusters; that of the host is `east`. */
class TwoClusters implements AsyncDisposable {
  readonly host: GatewayHost;
  readonly west: ApiServer;
  readonly #stack: AsyncDisposableStack;

  private constructor(host: GatewayHost, west: ApiServer, stack: AsyncDisposableStack) {
    this.host = host;
    this.west = west;
    this.#stack = stack;
  }

  static async make(settings = ''): Promise<TwoClusters> {
    await using stack = new AsyncDisposableStack();
    const host = stack.use(await GatewayHost.make({ settings: `${clusters}${settings}`, world: eastern }));
    const listen = {
      listen: (server: Server, port: number) => inside(host.namespace, () => server.listen(port)),
    };
    const west = stack.use(await startApiServer(listen));
    await writeFile(join(host.folder, 'west.kubeconfig'), west.kubeconfig(), { mode: 0o600 });
    const made = new TwoClusters(host, west, stack.move());
    made.put(west, ...western);
    for (const document of parseAllDocuments(manifest)) {
      const object: JsonObject = document.toJS();
      if (/^(Lease|ConfigMap)$/.test(textAt(object, 'kind')))
        for (const one of [host.api, west]) made.put(one, object);
    }
    return made;
  }

  put(at: ApiServer, ...objects: readonly object[]): void {
    for (const object of objects) at.put(JSON.parse(JSON.stringify(object)));
  }

  delete(at: ApiServer, name: string): void {
    at.objects.delete(kindOf('Service'), 'default', name);
  }

  async routes(...lines: readonly string[]): Promise<void> {
    const wanted = lines.join('\n');
    await until(
      wanted,
      async () => (await this.host.routing()).split('\n').sort().join('\n'),
      (now) => now === wanted,
    );
  }

  /** Waits until `eiproute status` prints this, and returns its text. */
  async shows(pattern: RegExp): Promise<string> {
    const { out } = await until(
      `the status shows ${pattern}`,
      () => this.host.eiproute('status'),
      (seen) => pattern.test(seen.out),
      3 * patience,
    );
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

function ips(at: ApiServer, name: string): string {
  const ingress = listAt(
    at.objects.get(kindOf('Service'), 'default', name),
    'status',
    'loadBalancer',
    'ingress',
  );
  return ingress.map((item) => textAt(item, 'ip')).join(' ');
}

const east10 = '198.51.100.10 > 10.0.0.11 10.0.0.12';
const west20 = '198.51.100.20 > 10.0.0.13';
const west21 = '198.51.100.21 > 10.0.0.13';

describe('eiproute gateway before two clusters', () => {
  before(function () {
    needRoot(this);
  });

  it('routes the EIPs of each to its own nodes, though Services and nodes have the same names', async () => {
    await using at = await TwoClusters.make();
    await at.host.start();
    await at.routes(east10, west20, west21);
    const { out } = await at.host.eiproute('status', '--eips');
    expect(out).to.match(/198.51.100.10 +routed +east:default\/web +east:n1 east:n2\n/);
    expect(out).to.match(/198.51.100.20 +routed +west:default\/web +west:n1\n/);
    const { out: status } = await at.host.eiproute('status');
    expect(status).to.match(/\nCluster +east: ok, heard .*\(https:.*\n +2 nodes, 1 EIP routed there\n/);
    expect(status).to.match(/\nCluster +west: ok, heard .*\n +1 node, 2 EIPs routed there\n/);
  });

  it('gives an EIP of both to the older Service, tells the other, and hands it over', async () => {
    await using at = await TwoClusters.make();
    at.put(at.west, ...web('late', ['198.51.100.10'], { created: 30 }));
    at.host.launch();
    await at.routes(east10, west20, west21);
    await at.shows(/Service west:default\/late claims 198.51.100.10 .* which east:default\/web holds/);
    at.delete(at.host.api, 'web');
    await at.routes('198.51.100.10 > 10.0.0.13', west20, west21);
  });

  it('freezes the one whose API is gone; of the other everything goes on, deletes as well', async () => {
    await using at = await TwoClusters.make();
    const daemon = await at.host.start();
    await at.host.api.stop();
    await daemon.says(/"event":"cluster-silent","cluster":"east"/);
    at.put(at.west, ...web('more', ['198.51.100.22']));
    at.delete(at.west, 'shop');
    await at.routes(east10, west20, '198.51.100.22 > 10.0.0.13');
    // The kernel has the routes before the round is over.
    const out = await at.shows(
      /^FROZEN: no answer from the API of cluster east for .*, west goes on; 3 of 3 EIPs routed\n/,
    );
    expect(out).to.match(/\nCluster +west: ok/);
    await at.host.api.start();
    await at.shows(/^OK/);
  });

  it('keeps the routes of one that is away at its start, and routes the other', async () => {
    await using at = await TwoClusters.make();
    const daemon = await at.host.start();
    await at.routes(east10, west20, west21);
    await daemon.stop();
    await at.host.api.stop();
    at.put(at.west, ...web('more', ['198.51.100.22']));
    const again = at.host.launch();
    await at.routes(east10, west20, west21, '198.51.100.22 > 10.0.0.13');
    at.delete(at.west, 'shop');
    await at.routes(east10, west20, '198.51.100.22 > 10.0.0.13');
    // By what is remembered of it: n2 is known.
    expect(await at.shows(/^NOT SYNCED/)).to.match(/\nCluster +east: NOT SYNCED, .*routed as last known/);
    await again.stop();
    // With nothing remembered, what the kernel has is all that is known.
    await at.host.within('rm', '-r', at.host.state);
    await at.host.within('mkdir', at.host.state);
    at.host.launch();
    at.put(at.west, ...web('other', ['198.51.100.23']));
    await at.routes(east10, west20, '198.51.100.22 > 10.0.0.13', '198.51.100.23 > 10.0.0.13');
    at.delete(at.west, 'other');
    await at.routes(east10, west20, '198.51.100.22 > 10.0.0.13');
    await at.host.api.start();
    await at.shows(/^OK: 3 of 3/);
  });

  it('withdraws what belonged to a cluster that is configured no more', async () => {
    await using at = await TwoClusters.make();
    const daemon = await at.host.start();
    await daemon.stop();
    await at.host.configure({ settings: 'clusters: [{ name: west, kubeconfig: west.kubeconfig }]\n' });
    at.host.launch();
    // Two of three nodes go: a list that is suddenly short would look like this.
    await at.shows(/HELD +198.51.100.10/);
    await at.host.eiproute('release', '--yes');
    await at.routes(west20, west21);
  });

  it('gives no address while a cluster is away that it has not read since it began, and says which', async () => {
    await using at = await TwoClusters.make('allocate: true\n');
    const daemon = await at.host.start();
    await at.shows(/^OK/);
    await daemon.stop();
    await at.host.api.stop();
    at.host.launch();
    at.put(at.west, ...web('next', []));
    await at.shows(/WAITS +west:default\/next +an address that looks free may be in use in cluster east/);
    expect(ips(at.west, 'next')).to.equal('');
    await at.host.api.start();
    await until(
      'it is given',
      () => ips(at.west, 'next'),
      (ip) => ip !== '',
    );
  });

  it('gives no address twice, and passes over a cluster that is away', async () => {
    await using at = await TwoClusters.make('allocate: true\n');
    await at.host.configure({
      settings: `${clusters}allocate: true\n`,
      pools: '[198.51.100.8/29, 198.51.100.20/31, 198.51.100.24/31]',
    });
    const names = ['a', 'b', 'c'];
    for (const name of names) for (const one of [at.host.api, at.west]) at.put(one, ...web(name, []));
    const daemon = at.host.launch();
    const given = () =>
      [at.host.api, at.west].flatMap((one) => ['web', ...names].map((name) => ips(one, name)));
    await until('all have one', given, (all) => all.every((ip) => ip !== ''));
    expect(new Set(given()).size, given().join(' ')).to.equal(8);
    // One that is asked for by name in both goes to the older.
    const free = Array.from({ length: 8 }, (_, i) => `198.51.100.${8 + i}`).find(
      (ip) => !given().includes(ip),
    );
    const spec = { loadBalancerIP: free };
    at.put(at.west, ...web('asks', [], { created: 50, spec }));
    await until(
      'it is given',
      () => ips(at.west, 'asks'),
      (ip) => ip === free,
    );
    at.put(at.host.api, ...web('asks', [], { created: 60, spec }));
    await daemon.says(/east:default\/asks waits for an address: .*held by west:default\/asks/);
    await at.host.api.stop();
    await daemon.says(/"event":"cluster-silent","cluster":"east"/);
    at.delete(at.west, 'asks');
    at.put(at.west, ...web('next', []));
    await until(
      'the other is served',
      () => ips(at.west, 'next'),
      (ip) => ip !== '',
    );
    const held = new Set(['web', ...names].map((name) => ips(at.host.api, name)));
    expect(held.has(ips(at.west, 'next'))).to.equal(false);
  });

  it('publishes in each, drains a node of one, and tells how each is: doctor, metrics, page', async function () {
    needPrograms(this, 'chromium');
    await using at = await TwoClusters.make(`allocate: true\nmetrics: { listen: "${listen}" }\n`);
    const { host } = at;
    await host.start();
    const published = (api: ApiServer): readonly string[] =>
      Object.keys(objectAt(api.objects.get(kindOf('ConfigMap'), 'kube-system', 'eiproute'), 'data'));
    for (const api of [host.api, at.west])
      await until(
        'the networks are published',
        () => published(api),
        (keys) => keys.length === 1,
      );
    expect(published(host.api)).to.deep.equal(published(at.west));

    const plain = await host.eiproute('drain', 'n1');
    expect([plain.status, plain.err]).to.deep.equal([
      1,
      'eiproute: there are several clusters: name the node with its cluster, east:n1 or west:n1\n',
    ]);
    const drained = await host.eiproute('drain', 'east:n1');
    expect([drained.err, drained.out]).to.deep.equal([
      '',
      // Nodes of the other cluster get none of its connections.
      'node east:n1 gets no new flows any more; its connections that come to east:n2 break, whose agents do not tell that they follow the gateways; eiproute status shows it\n',
    ]);
    const drain = (api: ApiServer): string =>
      textAt(api.objects.get(kindOf('Node'), '', 'n1'), 'metadata', 'annotations', 'eiproute.io/drain');
    expect(drain(host.api)).to.match(/@/);
    expect(drain(at.west)).to.equal('');
    await at.routes('198.51.100.10 > 10.0.0.12', west20, west21);
    await host.eiproute('undrain', 'east:n1');
    await at.routes(east10, west20, west21);

    const metrics = async (): Promise<string> =>
      (await host.within('curl', '-sS', `http://${listen}/metrics`)).out;
    await until('it leads in both', metrics, (text) =>
      ['east', 'west'].every((name) => text.includes(`eiproute_leader{cluster="${name}"} 1\n`)),
    );
    for (const name of ['east', 'west'])
      expect(await metrics()).to.match(
        new RegExp(
          `^eiproute_api_last_heard_timestamp_seconds\\{resource="nodes",cluster="${name}"\\} \\d`,
          'm',
        ),
      );

    await using browser = await Browser.start(host.namespace);
    await browser.open(`http://${listen}/`);
    await browser.shows('#clusters-list', /OK\s+east\s+heard \d+ s ago\s+2 nodes\s+1 EIP\s/);
    await browser.shows('#clusters-list', /OK\s+west\s+heard \d+ s ago\s+1 node\s+2 EIPs\s/);
    await host.api.stop();
    await browser.shows('#clusters-list', /FROZEN\s+east\s+heard/);
    await browser.shows('#clusters-list', /OK\s+west\s+heard/);
    expect(await browser.text('#clusters-more')).to.equal('1 of 2 away');
    const { out } = await host.eiproute('doctor');
    expect(out).to.match(/FAIL +API east +cannot reach/);
    expect(out).to.match(/ok +API west +https/);
    expect(browser.errors).to.deep.equal([]);
  });
});
