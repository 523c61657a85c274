import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import type { GatewayConfig } from '../../../src/config/config.ts';
import { originText, problemLine } from '../../../src/config/config-problem.ts';
import type { LoadResult } from '../../../src/config/file.ts';
import type { Environment, Flag } from '../../../src/config/layers.ts';
import { loadGatewayConfig, readGatewayConfig } from '../../../src/config/load.ts';

const good = `lan: eth0
uplink: eth1
pools: [ { name: public, addresses: [198.51.100.0/24] } ]
`;

function read(text: string, env: Environment = {}, flags: readonly Flag[] = []): LoadResult {
  return readGatewayConfig(Buffer.from(text), { file: 'etc/gw.yaml', env, flags, cwd: '/work' });
}

function loaded(text: string, env: Environment = {}, flags: readonly Flag[] = []): GatewayConfig {
  const result = read(text, env, flags);
  if (result.kind === 'loaded') return result.config;
  throw new Error(result.errors.map(problemLine).join('\n'));
}

function errors(text: string, env: Environment = {}, flags: readonly Flag[] = []): readonly string[] {
  const result = read(text, env, flags);
  return result.kind === 'refused' ? result.errors.map(problemLine) : [];
}

function warnings(text: string, env: Environment = {}): readonly string[] {
  const result = read(text, env);
  return result.kind === 'loaded' ? result.warnings.map(problemLine) : ['refused'];
}

describe('a configuration', () => {
  it('needs three keys and fills in the rest', () => {
    expect(loaded(good)).to.deep.equal({
      gateway: {
        lan: 'eth0',
        uplink: 'eth1',
        defaultRoutes: [],
        pools: [{ name: 'public', addresses: ['198.51.100.0/24'] }],
        protocol: 86,
        table: 254,
        weighByEndpoints: false,
        resilience: undefined,
        hash: 'addresses',
        segmentSize: 1220,
        nexthopCompat: false,
        neighbour: { reachableMs: 300, delaySeconds: 0, retransMs: 100 },
      },
      source: { kind: 'kubernetes', kubeconfig: undefined, context: undefined },
      publish: { configMap: { namespace: 'kube-system', name: 'eiproute' }, name: undefined, lan: [] },
      stateDirectory: '/var/lib/eiproute',
      runtimeDirectory: '/run/eiproute',
      metrics: undefined,
      pace: { settle: 0, resync: 60_000, retryFirst: 100, retryLongest: 30_000 },
      limits: { share: 0.5, window: 60_000, always: 1, hold: 600_000 },
      probe: {
        share: 0.5,
        wait: 2000,
        proxyPort: 10_256,
        kubeletPort: 10_250,
        drainLimit: 300_000,
        cordon: 'ignored',
      },
      logLevel: 'info',
      logFormat: 'auto',
    });
  });

  it('takes several clusters, unless a layer above the file names another source', () => {
    const text = `${good}clusters:
  - { name: east, kubeconfig: east.kubeconfig }
  - { name: west-2, kubeconfig: /etc/kube/west, context: admin }
`;
    expect(loaded(text).source).to.deep.equal({
      kind: 'clusters',
      clusters: [
        { name: 'east', kubeconfig: '/work/etc/east.kubeconfig', context: undefined },
        { name: 'west-2', kubeconfig: '/etc/kube/west', context: 'admin' },
      ],
    });
    expect(loaded(text, { EIPROUTE_SOURCE_FILE: '/c.json' }).source).to.deep.equal({
      kind: 'file',
      path: '/c.json',
    });
    expect(loaded(text, { EIPROUTE_KUBECONFIG: '/k' }).source).to.deep.equal({
      kind: 'kubernetes',
      kubeconfig: '/k',
      context: undefined,
    });
  });

  it('takes every key', () => {
    const config = loaded(`
source: { file: cluster.json }
lan: eth0.100
uplink: eth1
defaultRoute: { via: [2001:db8::fe, 203.0.113.254] }
pools:
  - name: public
    addresses: [ 198.51.100.0/24, 192.0.2.10 - 192.0.2.12, 2001:DB8:E:0::/64 ]
  - { name: spare, addresses: [ 192.0.2.200 ] }
protocol: 0x57
table: 100
weightByEndpoints: true
resilient: { buckets: 64, idleTimer: 1m, unbalancedTimer: 10m }
publish: { configMap: net/eips, name: gw1, lan: [10.0.0.1, 2001:DB8:10::1] }
hashPolicy: ports
nexthopCompatMode: true
neighbour: { reachable: 500ms, firstProbe: 1s, retransmit: 240ms }
pace: { settle: 0, resync: 1.5m, retryFirst: 1s, retryLongest: 1s }
guard: { share: 1, window: 30s, always: 0, hold: 0 }
probe: { share: 0.2, wait: 0, proxyPort: 0, kubeletPort: 0 }
drain: { limit: 1m, cordon: true }
stateDirectory: state
runtimeDirectory: /run/other
metrics: { listen: "[2001:db8:0::7]:9469" }
log: { level: debug, format: json }
`);
    expect(config).to.deep.equal({
      gateway: {
        lan: 'eth0.100',
        uplink: 'eth1',
        defaultRoutes: ['203.0.113.254', '2001:db8::fe'],
        pools: [
          {
            name: 'public',
            addresses: ['192.0.2.10/31', '192.0.2.12/32', '198.51.100.0/24', '2001:db8:e::/64'],
          },
          { name: 'spare', addresses: ['192.0.2.200/32'] },
        ],
        protocol: 87,
        table: 100,
        weighByEndpoints: true,
        resilience: { buckets: 64, idleTimer: 60, unbalancedTimer: 600 },
        hash: 'ports',
        segmentSize: 1220,
        nexthopCompat: true,
        neighbour: { reachableMs: 500, delaySeconds: 1, retransMs: 240 },
      },
      source: { kind: 'file', path: '/work/etc/cluster.json' },
      publish: {
        configMap: { namespace: 'net', name: 'eips' },
        name: 'gw1',
        lan: ['10.0.0.1', '2001:db8:10::1'],
      },
      stateDirectory: '/work/etc/state',
      runtimeDirectory: '/run/other',
      metrics: { host: '2001:db8::7', port: 9469 },
      pace: { settle: 0, resync: 90_000, retryFirst: 1000, retryLongest: 1000 },
      limits: { share: 1, window: 30_000, always: 0, hold: 0 },
      probe: { share: 0.2, wait: 0, proxyPort: 0, kubeletPort: 0, drainLimit: 60_000, cordon: 'drains' },
      logLevel: 'debug',
      logFormat: 'json',
    });
  });

  it('publishes where it is told to, or nowhere', () => {
    expect(loaded(`${good}publish: { configMap: false }\n`).publish).to.equal(undefined);
    expect(errors(`${good}publish: { name: a/b }\n`).join()).to.match(
      /publish\.name: must be letters, digits/,
    );
    expect(errors(`${good}publish: { lan: [169.254.0.1] }\n`).join()).to.match(
      /publish\.lan: 169\.254\.0\.1 cannot be a gateway \(link-local\)/,
    );
    expect(errors(`${good}publish: { lan: [10.0.0.1, 10.0.0.2] }\n`).join()).to.match(
      /publish\.lan: 10\.0\.0\.1 and 10\.0\.0\.2 are both IPv4/,
    );
  });

  it('has resilient groups by one word, by their section, and not by default', () => {
    const all = { buckets: 128, idleTimer: 120, unbalancedTimer: 0 };
    expect(loaded(`${good}resilient: true\n`).gateway.resilience).to.deep.equal(all);
    expect(loaded(`${good}resilient: { buckets: 8 }\n`).gateway.resilience).to.deep.equal({
      ...all,
      buckets: 8,
    });
    expect(loaded(`${good}resilient: { enabled: false, buckets: 8 }\n`).gateway.resilience).to.equal(
      undefined,
    );
    expect(loaded(`${good}resilient: false\n`).gateway.resilience).to.equal(undefined);
    expect(loaded(good, { EIPROUTE_RESILIENT: 'on' }).gateway.resilience).to.deep.equal(all);
  });

  it('names the alias, not the anchor, when a key in it is wrong there', () => {
    const text =
      'lan: eth0\nuplink: eth1\nguard: &g { share: 0.5 }\nlog: *g\npools: [ { name: a, addresses: [192.0.2.1] } ]\n';
    expect(errors(text)).to.deep.equal([
      'etc/gw.yaml:4:6 log.share: unknown key (did you mean "guard.share"?)',
    ]);
  });

  it('may use anchors, as Ansible writes them', () => {
    const text = `lan: eth0\nuplink: eth1\npools:\n  - name: a\n    addresses: &id001 [192.0.2.0/24]\n`;
    expect(loaded(text).gateway.pools).to.have.length(1);
    expect(errors(`${text}  - name: b\n    addresses: *id001\n`)).to.deep.equal([
      'etc/gw.yaml:7:16 pools[1].addresses[0]: 192.0.2.0/24 of pool "b" overlaps 192.0.2.0/24 of pool "a"',
    ]);
  });
});

describe('a wrong configuration', () => {
  const cases: readonly { name: string; text: string; want: readonly string[] }[] = [
    {
      name: 'has a listener without an address, with a name, or with a port that there is not',
      text: `${good}metrics: { listen: 9469 }\n`,
      want: ['4:20 metrics.listen: must be ADDRESS:PORT, not a number; put it in quotes'],
    },
    {
      name: 'has a listener on a name',
      text: `${good}metrics: { listen: localhost:9469 }\n`,
      want: ['4:20 metrics.listen: "localhost" is not an IP address'],
    },
    {
      name: 'has a listener on every port, or on none',
      text: `${good}metrics: { listen: 127.0.0.1 }\n`,
      want: [
        '4:20 metrics.listen: must be ADDRESS:PORT, such as 127.0.0.1:9469 or [::1]:9469, not "127.0.0.1"',
      ],
    },
    {
      name: 'has a listener on a port that no host has',
      text: `${good}metrics: { listen: "[::1]:70000" }\n`,
      want: ['4:20 metrics.listen: has port 70000; there are 1 to 65535'],
    },
    {
      name: 'names what is missing',
      text: '# nothing yet\n',
      want: [
        '1:1 lan: is missing: the interface towards the nodes',
        '1:1 pools: is missing: the addresses that may be routed',
        '1:1 uplink: is missing: the interface towards the world',
      ],
    },
    {
      name: 'names unknown keys at every depth, and what was meant',
      text: `${good}log: { levle: info }\nhash_policy: ports\nlevel: debug\nneighbor: { reachable: 2s }\nxyzzy: 1\n`,
      want: [
        '4:8 log.levle: unknown key (did you mean "level"?)',
        '5:1 hash_policy: unknown key (did you mean "hashPolicy"?)',
        '6:1 level: unknown key (did you mean "log.level"?)',
        '7:1 neighbor: unknown key (did you mean "neighbour"?)',
        '8:1 xyzzy: unknown key',
      ],
    },
    {
      name: 'has unknown keys in pools',
      text: 'lan: a\nuplink: b\npools:\n  - name: x\n    adresses: [192.0.2.1]\n    addresses: [192.0.2.2]\n',
      want: ['5:5 pools[0].adresses: unknown key (did you mean "addresses"?)'],
    },
    {
      name: 'has keys that only JavaScript knows',
      text: `${good}__proto__: { lan: eth9 }\nconstructor: { prototype: 1 }\nlog: { toString: 1, level: info }\n`,
      want: ['4:1 __proto__: unknown key', '5:1 constructor: unknown key', '6:8 log.toString: unknown key'],
    },
    {
      name: 'has a key twice',
      text: `${good}lan: eth2\nlog: { level: info, level: warn }\n`,
      want: [
        '4:1 lan: is here twice; the first one is in line 1',
        '5:21 log.level: is here twice; the first one is in line 5',
      ],
    },
    {
      name: 'has a scalar or a list where a section belongs',
      text: `${good}log: info\nguard: [0.5]\ndefaultRoute: 203.0.113.254\nresilient: maybe\n`,
      want: [
        '4:6 log: must be a section with some of the keys level, format, not text',
        '5:8 guard: must be a section with some of the keys share, window, always, hold, not a list',
        '6:15 defaultRoute: must be a section with the key via, not text',
        '7:12 resilient: must be true, false, or a section with some of the keys enabled, buckets, idleTimer, unbalancedTimer, not text',
      ],
    },
    {
      name: 'has empty sections and values',
      text: `${good}log:\nguard: {}\ntable:\nsource: ~\n`,
      want: [
        '4:1 log: is empty; put some of the keys level, format below it, or take the line out',
        '5:1 guard: is empty; put some of the keys share, window, always, hold below it, or take the line out',
        '6:1 table: has no value; give one, or take the line out',
        '7:1 source: is empty; put the key file below it, or take the line out',
      ],
    },
    {
      name: 'has values of a wrong type',
      text: 'lan: 5\nuplink: [eth1]\nprotocol: "86"\ntable: { a: 1 }\nweightByEndpoints: yes\nkubeconfig: 7\npools: eth0\n',
      want: [
        '1:6 lan: must be an interface name, not a number; put it in quotes',
        '2:9 uplink: must be an interface name, not a list',
        '3:11 protocol: must be a whole number from 1 to 255, not the text "86"',
        '4:8 table: must be one value, not a section',
        '5:20 weightByEndpoints: must be true or false, not the text "yes"',
        '6:13 kubeconfig: must be a path, not a number; put it in quotes',
        '7:8 pools: must be a list of pools like "- { name: public, addresses: [...] }", not text',
      ],
    },
    {
      name: 'has numbers out of bounds',
      text: `${good}table: 4294967296\nresilient: { buckets: 1.5 }\nguard: { share: 50, always: -1 }\n`,
      want: [
        '4:8 table: must be a whole number from 1 to 4294967295, not 4294967296',
        '5:23 resilient.buckets: must be a whole number from 1 to 65535, not 1.5',
        '6:17 guard.share: must be a number from 0 to 1, not 50',
        '6:29 guard.always: must be a whole number from 0 to 1000000, not -1',
      ],
    },
    {
      name: 'has times without a unit, out of bounds, or finer than the kernel takes',
      text: `${good}neighbour: { reachable: 2000, firstProbe: 1500ms, retransmit: 250ms }\npace: { settle: soon, resync: 90d }\nguard: { hold: -5s }\n`,
      want: [
        '4:25 neighbour.reachable: needs a unit: 2000ms, 2000s or 2000m?',
        '4:43 neighbour.firstProbe: must be whole seconds, not 1500ms',
        '4:63 neighbour.retransmit: must be a multiple of 20ms, not 250ms',
        '5:17 pace.settle: must be a time like 250ms, 2s or 10m, not "soon"',
        '5:31 pace.resync: must be a time like 250ms, 2s or 10m, not "90d"',
        '6:16 guard.hold: must be a time like 250ms, 2s or 10m, not "-5s"',
      ],
    },
    {
      name: 'names clusters wrongly',
      text: `${good}clusters:\n  - { name: east, kubeconfig: a, contxt: x }\n  - { name: East, kubeconfig: b }\n  - { name: east, kubeconfig: c }\n  - { name: twin, kubeconfig: a }\n  - { kubeconfig: d }\n  - { name: bare }\n  - west\n`,
      want: [
        '5:34 clusters[0].contxt: unknown key (did you mean "context"?)',
        '6:13 clusters[1].name: must be of a-z, 0-9 and -, at most 63 of them, not "East"',
        '7:13 clusters[2].name: "east" is already the name of another cluster',
        '8:31 clusters[3].kubeconfig: is that of cluster east, with the same context: it would be one cluster twice',
        '9:5 clusters[4]: has no name; status, trace and metrics tell the clusters apart by it',
        '10:5 clusters[5]: has no kubeconfig: how to reach its Kubernetes API',
        '11:5 clusters[6]: must be a cluster with the keys name and kubeconfig, not text',
      ],
    },
    {
      name: 'names clusters and one beside them',
      text: `${good}kubeconfig: a\nsource: { file: b }\nclusters: [{ name: east, kubeconfig: c }]\n`,
      want: [
        '4:13 kubeconfig: is given together with clusters (line 6); name each cluster there',
        '5:17 source.file: is given together with clusters (line 6); name each cluster there',
      ],
    },
    {
      name: 'names no cluster',
      text: `${good}clusters: []\n`,
      want: ['4:11 clusters: is an empty list; for one cluster without a name there is kubeconfig'],
    },
    {
      name: 'has words that are not among the choices',
      text: `${good}hashPolicy: l4\nlog: { level: notice, format: journal }\n`,
      want: [
        '4:13 hashPolicy: must be addresses or ports, not "l4"',
        '5:15 log.level: must be debug, info, warn or error, not "notice"',
        '5:31 log.format: must be auto, pretty or json, not "journal"',
      ],
    },
    {
      name: 'retries longer first than last',
      text: `${good}pace: { retryFirst: 45s }\n`,
      want: ['4:21 pace.retryFirst: is longer than pace.retryLongest (30s)'],
    },
    {
      name: 'retries shorter last than first',
      text: `${good}pace: { retryFirst: 3s, retryLongest: 2s }\n`,
      want: ['4:39 pace.retryLongest: is shorter than pace.retryFirst (3s)'],
    },
    {
      name: 'has pools that are no pools',
      text: 'lan: a\nuplink: b\npools:\n  - 5\n  - {}\n  - { name: 7, addresses: 192.0.2.1 }\n  - { name: Big, addresses: [] }\n  - { name: x, addresses: [192.0.2.1] }\n  - { name: x, addresses: [{ a: b }] }\n',
      want: [
        '4:5 pools[0]: must be a pool with the keys name and addresses, not a number',
        '5:5 pools[1]: has no name',
        '5:5 pools[1]: has no addresses',
        '6:13 pools[2].name: must be text, not a number; put it in quotes',
        '6:27 pools[2].addresses: must be a list of networks, ranges and addresses, not text',
        '7:13 pools[3].name: "Big" must be 1 to 63 of a-z, 0-9, "-" and ".", with a letter or digit at both ends',
        '7:29 pools[3].addresses: is an empty list; a pool needs at least one address',
        '9:13 pools[5].name: "x" is already the name of pools[4]',
        '9:28 pools[5].addresses[0]: must be a network, a range or an address, not a section',
      ],
    },
    {
      name: 'has no pool in its list',
      text: 'lan: a\nuplink: b\npools: []\n',
      want: ['3:8 pools: is an empty list; without a pool there is nothing to route'],
    },
    {
      name: 'has addresses that are none, or that no EIP can have',
      text: `lan: a
uplink: b
pools:
  - name: x
    addresses:
      - 198.51.100.7/24
      - 192.0.2.0/33
      - 192.0.2.9-192.0.2.1
      - 2001:db8::1-192.0.2.1
      - 192.0.2.1-192.0.2.2-192.0.2.3
      - router.example
      - 127.0.0.1
      - 0.0.0.0/0
      - 223.255.255.0-224.0.0.1
      - fe80::/64
      - ::ffff:192.0.2.1
      - 198.51.100.0/024
`,
      want: [
        '6:9 pools[0].addresses[0]: "198.51.100.7/24" has host bits set; the network is 198.51.100.0/24',
        '7:9 pools[0].addresses[1]: "192.0.2.0/33" is not a network',
        '8:9 pools[0].addresses[2]: 192.0.2.9-192.0.2.1 ends before it starts',
        '9:9 pools[0].addresses[3]: 2001:db8::1-192.0.2.1 mixes IPv4 and IPv6',
        '10:9 pools[0].addresses[4]: "192.0.2.1-192.0.2.2-192.0.2.3" is not a range like 192.0.2.10-192.0.2.20',
        '11:9 pools[0].addresses[5]: "router.example" is not an IP address',
        '12:9 pools[0].addresses[6]: 127.0.0.1 holds addresses that no EIP can have (loopback); name networks that are routed to this gateway',
        '13:9 pools[0].addresses[7]: 0.0.0.0/0 holds addresses that no EIP can have ("this network"); name networks that are routed to this gateway',
        '14:9 pools[0].addresses[8]: 223.255.255.0-224.0.0.1 holds addresses that no EIP can have (multicast); name networks that are routed to this gateway',
        '15:9 pools[0].addresses[9]: fe80::/64 holds addresses that no EIP can have (link-local); name networks that are routed to this gateway',
        '16:9 pools[0].addresses[10]: "::ffff:192.0.2.1" is an IPv4 address written as IPv6',
        '17:9 pools[0].addresses[11]: "198.51.100.0/024" is not a network: write its length as 24, without a leading 0',
      ],
    },
    {
      name: 'has overlapping pools',
      text: `lan: a
uplink: b
pools:
  - { name: one, addresses: [192.0.2.128/25, 2001:db8::/64] }
  - { name: two, addresses: [192.0.2.100-192.0.2.130, 192.0.2.255, 2001:db8::5] }
  - { name: three, addresses: [198.51.100.0/24, 198.51.100.9, 192.0.2.1] }
  - { name: four, addresses: [203.0.113.1, 203.0.113.2, 203.0.113.0/24] }
`,
      want: [
        '5:30 pools[1].addresses[0]: 192.0.2.100-192.0.2.130 of pool "two" overlaps 192.0.2.128/25 of pool "one"',
        '5:55 pools[1].addresses[1]: 192.0.2.255 of pool "two" overlaps 192.0.2.128/25 of pool "one"',
        '5:68 pools[1].addresses[2]: 2001:db8::5 of pool "two" overlaps 2001:db8::/64 of pool "one"',
        '6:49 pools[2].addresses[1]: 198.51.100.9 of pool "three" overlaps 198.51.100.0/24 of the same pool',
        '7:57 pools[3].addresses[2]: 203.0.113.0/24 of pool "four" overlaps 203.0.113.1 of the same pool',
      ],
    },
    {
      name: 'has routers that are none',
      text: `${good}defaultRoute: { via: [203.0.113.1, 203.0.113.2] }\n`,
      want: [
        '4:22 defaultRoute.via: 203.0.113.1 and 203.0.113.2 are both IPv4; there is one router per family',
      ],
    },
    {
      name: 'has a router among the EIPs',
      text: `${good}defaultRoute: { via: 198.51.100.1 }\n`,
      want: ['4:22 defaultRoute.via: 198.51.100.1 is inside pool "public"; a router is no EIP'],
    },
    {
      name: 'has a router that cannot be one',
      text: `${good}defaultRoute: { via: 224.0.0.1 }\n`,
      want: ['4:22 defaultRoute.via: 224.0.0.1 cannot be a router (multicast)'],
    },
    {
      name: 'has two sources',
      text: `${good}kubeconfig: a\ncontext: b\nsource: { file: c }\n`,
      want: [
        '4:13 kubeconfig: is given together with source.file (line 6); the cluster has one source',
        '5:10 context: is given together with source.file (line 6); the cluster has one source',
      ],
    },
    {
      name: 'holds a kubeconfig itself, which is not repeated',
      text: `${good}kubeconfig: |\n  apiVersion: v1\n  token: hunter2\n`,
      want: ['4:13 kubeconfig: must be a path to a file, not the text of the file itself'],
    },
    {
      name: 'leaves ~ to a shell',
      text: `${good}kubeconfig: ~/.kube/config\n`,
      want: ['4:13 kubeconfig: begins with ~, which only a shell knows; write the whole path'],
    },
    {
      name: 'is indented with tabs',
      text: 'log:\n\tlevel: info\n',
      want: ['2:1: is indented with a tab; YAML allows only spaces'],
    },
    {
      name: 'is two documents',
      text: `${good}---\nlan: eth3\n`,
      want: ['4:1: a second YAML document begins here; one file holds one configuration'],
    },
    {
      name: 'is no YAML',
      text: 'lan: "eth0\nuplink: eth1\n',
      want: ['3:1: is not YAML: missing closing "quote'],
    },
    {
      name: 'is a list',
      text: '- lan: eth0\n',
      want: ['1:1: must be keys with values, like "lan: eth0", not a list'],
    },
    { name: 'has a tag', text: 'lan: !vault eth0\n', want: ['1:6: is not YAML: unresolved tag: !vault'] },
    {
      name: 'is an alias of itself',
      text: 'pools: &a [*a, *a]\n',
      want: ['1:12: is nested more than 16 levels deep'],
    },
    {
      name: 'has a key that is a list',
      text: `${good}? [a, b]\n: c\n`,
      want: ['4:3: a key must be a single word'],
    },
    {
      name: 'names an anchor that is not there',
      text: `${good}table: *main\n`,
      want: ['4:8 table: there is no anchor &main before this'],
    },
  ];
  for (const { name, text, want } of cases) {
    it(name, () => {
      expect(errors(text)).to.deep.equal(want.map((line) => `etc/gw.yaml:${line}`));
    });
  }

  it('is refused for names that Linux refuses', () => {
    const say = (name: string): readonly string[] => errors(good.replace('eth0', JSON.stringify(name)));
    expect(say('sixteen-bytes-16')).to.deep.equal([
      'etc/gw.yaml:1:6 lan: "sixteen-bytes-16" is no interface name: longer than Linux\'s 15 bytes',
    ]);
    expect(say('fifteen-bytes15')).to.deep.equal([]);
    for (const name of ['ethäöüäöüäöü', 'a/b', 'a b', 'a:b', '.', '..', 'all', 'default', '', 'a\u0007b']) {
      expect(say(name), name).to.have.length(1);
    }
  });

  it('is refused for protocol numbers that belong to others, with the reason', () => {
    const say = (number: number): string | undefined => errors(`${good}protocol: ${number}\n`)[0]?.slice(27);
    expect(say(186)).to.equal(
      '186 is RTPROT_BGP: FRR takes such routes for its own, adds duplicates and leaves orphans; 86 is free',
    );
    expect(say(196)).to.equal(
      '196 is RTPROT_ZSTATIC: FRR takes such routes for its own, adds duplicates and leaves orphans; 86 is free',
    );
    expect(say(4)).to.equal(
      '4 is the kernel\'s "static", which says nothing of who made a route; 86 is free',
    );
    expect(say(12)).to.equal('12 belongs to BIRD, and ours would be taken for theirs; 86 is free');
    const free = Array.from({ length: 258 }, (_, i) => i - 1).filter((number) => say(number) === undefined);
    expect(free).to.include.members([5, 85, 86, 87, 185, 199, 255]);
    for (const taken of [-1, 0, 1, 2, 3, 4, 11, 186, 191, 196, 198, 256]) expect(free).not.to.include(taken);
  });

  it('says why its file cannot be read', () => {
    const result = (file: string): LoadResult => loadGatewayConfig({ file, env: {}, flags: [], cwd: '/' });
    const line = (file: string): readonly string[] => {
      const { kind, ...rest } = result(file);
      return 'errors' in rest ? rest.errors.map(problemLine) : [kind];
    };
    expect(line('dev/no-such-file.yaml')).to.deep.equal([
      'dev/no-such-file.yaml: cannot be read: there is no such file (ENOENT); name yours with --config FILE, or write it there',
    ]);
    expect(line('/dev')).to.deep.equal(['/dev: cannot be read: it is a directory (EISDIR)']);
    const folder = mkdtempSync(join(tmpdir(), 'eiproute-load-'));
    const pipe = join(folder, 'pipe');
    execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
    expect(line(pipe)).to.deep.equal([`${pipe}: cannot be read: it is a named pipe (FIFO); name a file`]);
    rmSync(folder, { recursive: true });
  });

  it('says that it is not UTF-8', () => {
    const request = { file: 'x', env: {}, flags: [], cwd: '/' };
    const result = readGatewayConfig(Uint8Array.of(0x6c, 0xff, 0xfe), request);
    expect(result.kind === 'refused' && result.errors.map(problemLine)).to.deep.equal([
      'x: is not UTF-8 text',
    ]);
  });

  it('is reported in single lines whatever the bytes', () => {
    const lines = good.split('\n');
    const noise = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('- ', '\t', '{', ': ', '&a', '*a', '---', '? '),
    );
    fc.assert(
      fc.property(fc.nat(lines.length), noise, fc.boolean(), (at, text, cut) => {
        const mixed = lines.toSpliced(at, cut ? 1 : 0, text).join('\n');
        for (const line of errors(mixed)) expect(line).to.match(/^etc\/gw\.yaml[: ]\P{Cc}+$/u);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the layers', () => {
  const origin = (key: string, text: string, env: Environment = {}, flags: readonly Flag[] = []): string => {
    const result = read(text, env, flags);
    const from = result.kind === 'loaded' ? result.origins.get(key) : undefined;
    return from === undefined ? 'none' : originText(from);
  };
  const withLevel = `${good}log: { level: error }\n`;
  const env = { EIPROUTE_LOG_LEVEL: 'warn' };
  const flags = [{ flag: '--log-level', key: 'log.level', value: 'debug' }];

  it('go flag, environment, file, default, and each value knows its own', () => {
    expect(loaded(good).logLevel).to.equal('info');
    expect(loaded(withLevel).logLevel).to.equal('error');
    expect(loaded(withLevel, env).logLevel).to.equal('warn');
    expect(loaded(withLevel, env, flags).logLevel).to.equal('debug');
    expect(origin('log.level', good)).to.equal('default');
    expect(origin('log.level', withLevel)).to.equal('etc/gw.yaml:4:15');
    expect(origin('log.level', withLevel, env)).to.equal('EIPROUTE_LOG_LEVEL');
    expect(origin('log.level', withLevel, env, flags)).to.equal('--log-level');
    expect(origin('pools', withLevel)).to.equal('etc/gw.yaml:3:8');
    expect(origin('kubeconfig', withLevel)).to.equal('none');
  });

  it('read every word for true and false from the environment, and refuse all others', () => {
    for (const text of ['true', 'yes', '1', 'on', 'TRUE']) {
      expect(loaded(good, { EIPROUTE_WEIGHT_BY_ENDPOINTS: text }).gateway.weighByEndpoints, text).to.equal(
        true,
      );
    }
    const set = `${good}weightByEndpoints: true\n`;
    for (const text of ['false', 'no', '0', 'off', 'Off']) {
      expect(loaded(set, { EIPROUTE_WEIGHT_BY_ENDPOINTS: text }).gateway.weighByEndpoints, text).to.equal(
        false,
      );
    }
    for (const text of ['', 'nope', '2', ' true']) {
      expect(errors(set, { EIPROUTE_WEIGHT_BY_ENDPOINTS: text }), text).to.deep.equal([
        `EIPROUTE_WEIGHT_BY_ENDPOINTS weightByEndpoints: must be true or false (yes, no, on, off, 1, 0), not "${text}"`,
      ]);
    }
  });

  it('read numbers, times, addresses and names from the environment with the same checks', () => {
    const config = loaded(good, {
      EIPROUTE_LAN: 'lan0',
      EIPROUTE_TABLE: '100',
      EIPROUTE_NEIGHBOUR_FIRST_PROBE: '3s',
      EIPROUTE_DEFAULT_ROUTE_VIA: '203.0.113.1, 2001:db8::1',
      EIPROUTE_GUARD_SHARE: '0.25',
    });
    expect(config.gateway).to.include({ lan: 'lan0', table: 100 });
    expect(config.gateway.neighbour.delaySeconds).to.equal(3);
    expect(config.gateway.defaultRoutes).to.deep.equal(['203.0.113.1', '2001:db8::1']);
    expect(config.limits.share).to.equal(0.25);
    expect(
      errors(good, {
        EIPROUTE_TABLE: '1e2',
        EIPROUTE_PROTOCOL: '186',
        EIPROUTE_LAN: '',
        EIPROUTE_PACE_SETTLE: '5',
      }),
    ).to.deep.equal([
      'EIPROUTE_LAN lan: is empty; it must be an interface name',
      'EIPROUTE_PACE_SETTLE pace.settle: needs a unit: 5ms, 5s or 5m?',
      'EIPROUTE_PROTOCOL protocol: 186 is RTPROT_BGP: FRR takes such routes for its own, adds duplicates and leaves orphans; 86 is free',
      'EIPROUTE_TABLE table: must be a whole number from 1 to 4294967295, not "1e2"',
    ]);
  });

  it('warn of a variable that looks like a slip, and of no other', () => {
    const strange = { EIPROUTE_LOG_LEVLE: 'debug', EIPROUTE_SERVICE_HOST: '192.0.2.1', EIPROUTE_CONFIG: 'x' };
    expect(warnings(good, strange)).to.deep.equal([
      'EIPROUTE_LOG_LEVLE: is not a setting and has no effect (did you mean "EIPROUTE_LOG_LEVEL"?)',
    ]);
  });

  it('start relative paths where they were written', () => {
    const text = `${good}kubeconfig: ../kube\nstateDirectory: /state\n`;
    const flag = { flag: '--kubeconfig', key: 'kubeconfig', value: 'kube' };
    expect(loaded(text)).to.deep.include({
      source: { kind: 'kubernetes', kubeconfig: '/work/kube', context: undefined },
      stateDirectory: '/state',
    });
    const from = loaded(text, { EIPROUTE_STATE_DIRECTORY: 'st' }, [flag]);
    expect(from).to.deep.include({
      source: { kind: 'kubernetes', kubeconfig: '/work/kube', context: undefined },
      stateDirectory: '/work/st',
    });
  });

  it("take systemd's folders before the file's and after our own variables", () => {
    const text = `${good}stateDirectory: /file\n`;
    const systemd = { STATE_DIRECTORY: '/var/lib/eiproute:/var/lib/second', RUNTIME_DIRECTORY: '/run/unit' };
    expect(loaded(text, systemd)).to.include({
      stateDirectory: '/var/lib/eiproute',
      runtimeDirectory: '/run/unit',
    });
    expect(loaded(text, { ...systemd, EIPROUTE_STATE_DIRECTORY: '/own' }).stateDirectory).to.equal('/own');
    expect(loaded(text, { STATE_DIRECTORY: '' }).stateDirectory).to.equal('/file');
    expect(warnings(text, systemd)).to.deep.equal([
      "etc/gw.yaml:4:17 stateDirectory: has no effect: systemd's STATE_DIRECTORY wins",
    ]);
  });

  it('let the higher of two sources win, and refuse two of one layer', () => {
    const kube = `${good}kubeconfig: /kube\ncontext: prod\n`;
    const file = { flag: '--from', key: 'source.file', value: '/cluster.json' };
    expect(loaded(kube, {}, [file]).source).to.deep.equal({ kind: 'file', path: '/cluster.json' });
    expect(origin('kubeconfig', kube, {}, [file])).to.equal('none');
    expect(loaded(`${good}source: { file: /c }\n`, { EIPROUTE_KUBECONFIG: '/k' }).source).to.deep.equal({
      kind: 'kubernetes',
      kubeconfig: '/k',
      context: undefined,
    });
    expect(errors(good, { EIPROUTE_KUBECONFIG: '/k', EIPROUTE_SOURCE_FILE: '/c' })).to.deep.equal([
      'EIPROUTE_KUBECONFIG kubeconfig: is given together with source.file (EIPROUTE_SOURCE_FILE); the cluster has one source',
    ]);
  });

  it('warn of a listener that others can reach, with what is to be read there', () => {
    for (const here of ['127.0.0.1:9469', '127.3.4.5:9469', '"[::1]:9469"'])
      expect(warnings(`${good}metrics: { listen: ${here} }\n`), here).to.deep.equal([]);
    for (const open of ['0.0.0.0:9469', '10.0.0.1:9469', '"[::]:9469"', '"[2001:db8::1]:9469"']) {
      const [line, ...more] = warnings(`${good}metrics: { listen: ${open} }\n`);
      expect(more, open).to.deep.equal([]);
      expect(line).to.match(
        /^etc\/gw\.yaml:4:20 metrics\.listen: \S+:9469 can be reached from elsewhere: .* anybody there reads the names of all Services and nodes, .*; nothing can be changed there\. Listen on 127\.0\.0\.1:9469, or let only your Prometheus/,
      );
    }
  });

  it('warn when both sides are one interface', () => {
    expect(warnings(good.replace('eth1', 'eth0'))).to.deep.equal([
      'etc/gw.yaml:2:9 uplink: is the same interface as lan (eth0): it works, but replies may reach clients past this gateway',
    ]);
  });
});
