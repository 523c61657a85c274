import { expect } from 'chai';
import { candidates } from '../../../src/desire/carriers.ts';
import type { Node } from '../../../src/model/cluster.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { ToldAgent } from '../../../src/model/publication.ts';
import { type AgentTerms, agentProblems, servesEip } from '../../../src/status/agents.ts';
import { node } from '../../scene.ts';

const ips = (...texts: readonly string[]): readonly Ip[] => texts.map(parseIp);
const terms: AgentTerms = {
  pools: [
    { name: 'public', addresses: ['198.51.100.0/24', '2001:db8:e::/64'].map(parsePrefix) },
    { name: 'new', addresses: [parsePrefix('192.0.2.0/24')] },
  ],
  lan: ips('10.0.0.1', '10.0.0.100', '2001:db8:10::1'),
  published: ips('10.0.0.1', '2001:db8:10::1'),
};
const all: ToldAgent = {
  eips: ['192.0.2.0/24', '198.51.100.0/25', '198.51.100.128/25', '2001:db8::/32'].map(parsePrefix),
  gateways: ips('10.0.0.1', '10.0.0.2', '2001:db8:10::1'),
  eipsAt: undefined,
  gatewaysAt: undefined,
};
const n = (name: string, agent?: ToldAgent, rest: Partial<Node> = {}): Node => ({
  ...node(name, [`10.0.0.${10 + Number(name.slice(1))}`, `2001:db8:10::${name.slice(1)}1`]),
  ...(agent ? { agent } : {}),
  ...rest,
});
const says = (...nodes: readonly Node[]): readonly string[] =>
  agentProblems(nodes, candidates(nodes), terms).map(
    ({ severity, code, subject, message, advice }) =>
      `${severity} ${code} [${subject}] ${message} -> ${advice}`,
  );
const lost = 'replies of its EIPs from there do not come back through a gateway';
const follows =
  'it follows within a second where it can read what is published; on the node: eiproute status --config /etc/eiproute/node.yaml';

describe('the agents of the nodes', () => {
  it('are fine when they serve all pools through this gateway, in whatever pieces', () => {
    expect(says(n('n1', all), n('n2', all))).to.deep.equal([]);
  });

  it('are not judged when they tell nothing', () => {
    expect(says(n('n1'), n('n2', all))).to.deep.equal([]);
  });

  const narrow = { ...all, eips: [parsePrefix('198.51.100.0/24'), parsePrefix('2001:db8:e::/64')] };

  it('are one problem for each pool, whatever their number', () => {
    expect(says(n('n1', narrow), n('n2', narrow), n('n3', all))).to.deep.equal([
      `error agent-lacks-pool [pool new for agents that follow] the agents of n1, n2 do not serve 192.0.2.0/24 of pool new: ${lost} -> ${follows}`,
    ]);
  });

  it('are named with the line of the file that says otherwise', () => {
    const half = { ...all, eips: narrow.eips.slice(0, 1), eipsAt: '/etc/eiproute/node.yaml:2' };
    expect(says(n('n1', half))).to.deep.equal([
      `error agent-lacks-pool [pool public in /etc/eiproute/node.yaml:2] the agent of n1 does not serve 2001:db8:e::/64 of pool public: ${lost} -> add 2001:db8:e::/64 to eips in /etc/eiproute/node.yaml:2 on n1, or take eips out of that file: then what is published counts`,
      `error agent-lacks-pool [pool new in /etc/eiproute/node.yaml:2] the agent of n1 does not serve 192.0.2.0/24 of pool new: ${lost} -> add 192.0.2.0/24 to eips in /etc/eiproute/node.yaml:2 on n1, or take eips out of that file: then what is published counts`,
    ]);
  });

  it('lack this gateway when they have none of its addresses on the LAN', () => {
    const other = { ...all, gateways: ips('10.0.0.2', '2001:db8:10::1'), gatewaysAt: 'node.yaml:3' };
    expect(says(n('n1', other))).to.deep.equal([
      'error agent-lacks-gateway [gateway 10.0.0.1 in node.yaml:3] the agent of n1 does not serve this gateway, 10.0.0.1: replies to what goes through it are lost -> add 10.0.0.1 to gateways in node.yaml:3 on n1, or take gateways out of that file: then what is published counts',
    ]);
    expect(says(n('n1', { ...other, gateways: ips('10.0.0.100', '2001:db8:10::1') }))).to.deep.equal([]);
  });

  it('need no more than the node can carry', () => {
    const four = { ...all, eips: narrow.eips.slice(0, 1), gateways: ips('10.0.0.1') };
    const alone = { addresses: ips('10.0.0.11') };
    expect(says(n('n1', { ...four, eips: all.eips }, alone))).to.deep.equal([]);
    expect(says(n('n1', four, { ...alone, notReady: true }))).to.deep.equal([]);
    expect(says(n('n1', four, { ...alone, excludeLabel: 'true' }))).to.deep.equal([]);
    expect(
      says(n('n1', { ...all, gateways: [] }, { addresses: ips('10.0.0.1', '2001:db8:10::1') })),
    ).to.deep.equal([]);
  });

  it('serve an EIP or not, if they tell', () => {
    const eip = parseIp('192.0.2.7');
    expect(servesEip(n('n1', all), eip, terms.lan)).to.equal(true);
    expect(servesEip(n('n1', narrow), eip, terms.lan)).to.equal(false);
    expect(servesEip(n('n1', { ...all, gateways: ips('10.0.0.2') }), eip, terms.lan)).to.equal(false);
    expect(servesEip(n('n1', { ...all, gateways: ips('10.0.0.2') }), eip, [])).to.equal(true);
    expect(servesEip(n('n1'), eip, terms.lan)).to.equal(undefined);
  });
});
