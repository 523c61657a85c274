import { expect } from 'chai';
import type { NodeConfig } from '../../../src/config/config.ts';
import { originText, problemLine } from '../../../src/config/config-problem.ts';
import type { LoadResult } from '../../../src/config/file.ts';
import type { Environment } from '../../../src/config/layers.ts';
import { readNodeConfig } from '../../../src/config/load-node.ts';
import { printYaml } from '../../../src/config/notation.ts';
import { roleOf } from '../../../src/config/role.ts';

const good = `eips: [198.51.100.0/24, "2001:db8:e::/64"]
gateways: [10.0.0.1, 10.0.0.2, "2001:db8:10::1"]
`;

function read(text: string, env: Environment = {}): LoadResult<NodeConfig> {
  return readNodeConfig(Buffer.from(text), { file: 'node.yaml', env, flags: [], cwd: '/etc/eiproute' });
}

function config(text: string, env: Environment = {}): NodeConfig {
  const result = read(text, env);
  if (result.kind === 'loaded') return result.config;
  throw new Error(result.errors.map(problemLine).join('\n'));
}

function errors(text: string): readonly string[] {
  const result = read(text);
  return result.kind === 'refused' ? result.errors.map(problemLine) : [];
}

describe("a node's configuration", () => {
  it('needs EIPs and gateways, and has a default for everything else', () => {
    expect(config(good)).to.deep.equal({
      agent: {
        eips: ['198.51.100.0/24', '2001:db8:e::/64'],
        gateways: [
          { address: '10.0.0.1', table: 101, mark: 0x00100000 },
          { address: '10.0.0.2', table: 102, mark: 0x00200000 },
          { address: '2001:db8:10::1', table: 101, mark: 0x00100000 },
        ],
        interface: undefined,
        localTable: 100,
        priorities: { marks: 1001, local: 1100, replies: 1101 },
        markMask: 0x00f00000,
        protocol: 86,
        literalLocal: false,
      },
      eipsFrom: undefined,
      follow: undefined,
      stateDirectory: '/var/lib/eiproute',
      runtimeDirectory: '/run/eiproute',
      metrics: undefined,
      namesDirectory: '/etc/iproute2',
      pace: { settle: 0, resync: 60_000, retryFirst: 100, retryLongest: 30_000 },
      logLevel: 'info',
      logFormat: 'auto',
    });
  });

  it('is warned of a listener that others can reach', () => {
    const result = read(`${good}metrics: { listen: 10.0.0.11:9469 }\n`);
    const [warning, ...more] = result.kind === 'loaded' ? result.warnings : [];
    expect(more).to.deep.equal([]);
    expect(warning?.what).to.match(
      /^10\.0\.0\.11:9469 can be reached from elsewhere: .* the networks of the EIPs/,
    );
  });

  it('is the same when it is printed and read again', () => {
    const first = config(
      `${good}markMask: 0x0ff00000\ninterface: bond0.7\ntables: { local: 7 }\nliteralLocal: true\n`,
    );
    const printed = printYaml(first);
    expect(printed).to.include('markMask: 0xff00000');
    expect(config(printed)).to.deep.equal(first);
  });

  it('needs neither where it follows the gateways, and knows where the file has them', () => {
    const { agent, follow } = config('follow: { kubeconfig: kc }\n');
    expect([agent.eips, agent.gateways]).to.deep.equal([[], []]);
    expect(follow).to.deep.equal({
      kubeconfig: '/etc/eiproute/kc',
      context: undefined,
      configMap: { namespace: 'kube-system', name: 'eiproute' },
      node: undefined,
      tell: true,
      repliesTable: 101,
      eipsAt: undefined,
      gatewaysAt: undefined,
    });
    const mixed = config('follow: true\ntables: { replies: 200 }\neips: [198.51.100.0/24]\n');
    expect(mixed.follow).to.include({ repliesTable: 200, eipsAt: 'node.yaml:3', gatewaysAt: undefined });
    expect(mixed.agent.eips).to.deep.equal(['198.51.100.0/24']);
    expect(config(`${good}follow: false\n`).follow).to.equal(undefined);
    expect(roleOf(Buffer.from('follow: true\n'))).to.equal('node');
    const printed = printYaml(mixed);
    expect({ ...config(printed).follow, eipsAt: 'node.yaml:3' }).to.deep.equal(mixed.follow);
  });

  it('may have its EIPs from a ConfigMap instead', () => {
    const text = `eipsFrom: { configMap: kube-system/eips, kubeconfig: kc }\n${good.replace(/eips:.*\n/, '')}`;
    const first = config(text);
    expect(first.agent.eips).to.deep.equal([]);
    expect(first.eipsFrom).to.deep.equal({
      kubeconfig: '/etc/eiproute/kc',
      context: undefined,
      namespace: 'kube-system',
      name: 'eips',
      key: 'eips',
      every: 30_000,
    });
    expect(config(printYaml(first))).to.deep.equal(first);
    expect(roleOf(Buffer.from('eipsFrom: { configMap: a/b }\n'))).to.equal('node');
  });

  it('gives a gateway the table and the mark that it asks for', () => {
    const { agent } = config(
      'eips: [198.51.100.0/24]\ngateways: [10.0.0.1, { address: 10.0.0.2, table: 7, mark: 0x00700000 }]\n',
    );
    expect(agent.gateways[1]).to.deep.equal({ address: '10.0.0.2', table: 7, mark: 0x00700000 });
  });

  it('may come from the environment in part', () => {
    const result = read(good, { EIPROUTE_MARK_MASK: '0x0f000000', EIPROUTE_TABLES_REPLIES: '201' });
    if (result.kind === 'refused') throw new Error(result.errors.map(problemLine).join('\n'));
    expect(result.config.agent.gateways[1]).to.deep.equal({
      address: '10.0.0.2',
      table: 202,
      mark: 0x02000000,
    });
    const origin = result.origins.get('markMask');
    expect(origin && originText(origin)).to.equal('EIPROUTE_MARK_MASK');
  });

  const wrong: readonly (readonly [what: string, text: string, says: RegExp])[] = [
    ['nothing', '', /^node\.yaml:1:1 eips: is missing.*\n.*gateways: is missing/],
    ["a gateway's keys", `${good}lan: eth0\n`, /^node\.yaml:3:1 lan: unknown key/],
    [
      "kube-proxy's masquerade bit",
      `${good}markMask: 0x0000f000\n`,
      /markMask: .* 0x00004000, which kube-proxy/,
    ],
    ["kube-proxy's drop bit", `${good}markMask: 0x00018000\n`, /markMask: .* 0x00008000, which kube-proxy/],
    ['a mask with a gap', `${good}markMask: 0x00500000\n`, /markMask: .* side by side/],
    ['a mask of one bit', `${good}markMask: 0x00100000\n`, /markMask: .* two or more bits/],
    [
      'more gateways than marks',
      `${good}markMask: 0x00300000\n`.replace('10.0.0.2', '10.0.0.2, 10.0.0.3'),
      /^node\.yaml:2:32 gateways\[2\]: mark 0x00300000 does not fit .* room for 2 gateways/,
    ],
    [
      'a mark outside the mask',
      `${good.replace('10.0.0.2', '{ address: 10.0.0.2, mark: 1 }')}`,
      /does not fit/,
    ],
    ['a gateway twice', good.replace('10.0.0.2', '10.0.0.1'), /gateways\[1\]: 10\.0\.0\.1 is there twice/],
    [
      'two gateways in one table',
      good.replace('10.0.0.2', '{ address: 10.0.0.2, table: 101 }'),
      /table 101 is that of 10\.0\.0\.1 already/,
    ],
    ['the local table for replies', `${good}tables: { replies: 100 }\n`, /table 100 is tables\.local/],
    ["a kernel's table", `${good}tables: { local: 254 }\n`, /tables\.local: 254 is one of the kernel's own/],
    [
      'a gateway that is an EIP',
      good.replace('10.0.0.2', '198.51.100.7'),
      /is inside 198\.51\.100\.0\/24 of eips/,
    ],
    [
      'IPv6 EIPs without an IPv6 gateway',
      good.replace(', "2001:db8:10::1"', ''),
      /gateways: has no IPv6 address/,
    ],
    [
      'EIPs that overlap',
      good.replace('"2001:db8:e::/64"', '198.51.100.7'),
      /eips\[1\]: .* overlaps 198\.51\.100\.0\/24/,
    ],
    ['EIPs that are loopback', good.replace('198.51.100.0/24', '127.0.0.0/8'), /eips\[0\]: .* \(loopback\)/],
    ['host bits', good.replace('198.51.100.0/24', '198.51.100.7/24'), /the network is 198\.51\.100\.0\/24/],
    [
      'an EIP network that is a number',
      'eips: [7]\ngateways: [10.0.0.1]\n',
      /eips\[0\]: must be a network, not a number/,
    ],
    [
      'a ConfigMap without its namespace',
      `${good}eipsFrom: { configMap: eips }\n`,
      /^node\.yaml:3:24 eipsFrom\.configMap: must be NAMESPACE\/NAME, not "eips"$/,
    ],
    [
      'half an object',
      `eipsFrom: { key: eips }\n${good.replace(/eips:.*\n/, '')}`,
      /^node\.yaml:1:11 eipsFrom\.configMap: is missing: the ConfigMap .*NAMESPACE\/NAME\)$/,
    ],
    [
      'two origins of the networks',
      `${good}follow: true\neipsFrom: { configMap: a/b }\n`,
      /^node\.yaml:4:\d+ eipsFrom: is given together with follow/,
    ],
    ['a slip in eipsFrom', `${good}eipsFrom: { configmap: a/b }\n`, /did you mean "configMap"/],
    ['no ConfigMap', `${good}eipsFrom: { configMap: false }\n`, /configMap: must be/],
    ['no list', 'eips: 198.51.100.0/24\ngateways: [10.0.0.1]\n', /eips: must be a list of networks/],
    ['no gateways', 'eips: [198.51.100.0/24]\ngateways: []\n', /gateways: is an empty list/],
    [
      'more networks than the kernel finds fast, before they are compared',
      `eips: [${Array.from({ length: 65_536 }, (_, i) => `10.9.${i >> 8}.${i & 255}`).join(', ')}]\ngateways: [10.0.0.1]\n`,
      /eips: has 65536 entries; a node takes 1000 at most/,
    ],
    [
      'a slip in an entry',
      good.replace('10.0.0.2', '{ adress: 10.0.0.2 }'),
      /adress: unknown key \(did you mean "address"\?\)/,
    ],
    [
      'a priority behind main',
      `${good}priorities: { local: 32766 }\n`,
      /priorities\.local: must be a whole number from 1 to 32765/,
    ],
  ];
  for (const [what, text, says] of wrong) {
    it(`is refused with ${what}`, () => {
      expect(errors(text).join('\n')).to.match(says);
    });
  }

  it('is recognized by its keys', () => {
    expect(roleOf(Buffer.from(good))).to.equal('node');
    expect(roleOf(Buffer.from('gateways: ['))).to.equal('gateway');
    expect(roleOf(Buffer.from('lan: eth0\nuplink: eth1\npools: []\n'))).to.equal('gateway');
  });
});
