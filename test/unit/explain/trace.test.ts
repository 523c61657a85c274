import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { plain } from '../../../src/cli/paint.ts';
import { traceText } from '../../../src/cli/trace-text.ts';
import { trace } from '../../../src/explain/trace.ts';
import type { KernelFacts, TraceFacts } from '../../../src/explain/trace-facts.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { NatEip, NatPort } from '../../../src/model/object.ts';
import type { Need } from '../../../src/status/need.ts';
import { expectSamples } from '../../sampled-page.ts';
import { gateway } from '../../scene.ts';
import { kernel, links, neighbours, nodes, probed, route, silentNode, view, web, well } from './facts.ts';

const [lan, uplink] = links;

const withKernel = (rest: Partial<KernelFacts>): Partial<TraceFacts> => ({ kernel: { ...kernel, ...rest } });
const sysctl = (name: string, value: string): Partial<TraceFacts> =>
  withKernel({ sysctls: new Map([...kernel.sysctls, [name, value]]) });
const overIpv6 = (rest: Partial<KernelFacts>): Partial<TraceFacts> => ({
  view: { ...view, eip: parseIp('2001:db8:e::10') },
  ...withKernel(rest),
});

const natPort: NatPort = {
  protocol: 'tcp',
  port: 80,
  nodePort: 30_080,
  group: route.nhid,
  affinity: 'address',
  ranges: undefined,
};

/** The same EIP in mode nat, with this in the table of the kernel. */
function withNat(rest: Partial<NatEip>): Partial<TraceFacts> {
  const eip: NatEip = {
    kind: 'nat-eip',
    eip: view.eip ?? parseIp('::'),
    protocol: 86,
    ports: [natPort],
    intact: true,
    ...rest,
  };
  const nat = { eip, nodes: () => nodes.map(({ ip }) => ip) };
  return { gateway: gateway({ mode: 'nat' }), port: 80, ...withKernel({ nat }) };
}

const conflict: Need = {
  kind: 'CONFLICT',
  code: 'conflict',
  severity: 'error',
  subject: '198.51.100.10',
  where: 'default/web',
  why: 'held by "via 10.0.0.99 dev eth0 proto 4"',
  advice: 'delete it',
  eip: parseIp('198.51.100.10'),
};

interface Case {
  readonly name: string;
  readonly facts: Partial<TraceFacts>;
  /** `works`, `broken at route`, `not known` */
  readonly want: string;
  readonly why?: RegExp;
  readonly advice?: RegExp;
}

const allocation = {
  class: 'eiproute.io/gateway',
  classless: false,
  finalizer: true,
  lease: undefined,
};

/** The EIP is announced by layer 2. */
const onSegment = (isAnswered: boolean, rest: Partial<TraceFacts> = {}): Partial<TraceFacts> => ({
  gateway: { ...well.gateway, announce: { table: undefined, segment: 'eth1', active: [] } },
  ...withKernel({ isAnswered }),
  ...rest,
});

describe('trace', () => {
  it('looks at layer 2 where the EIP is announced by it', () => {
    const states = (facts: Partial<TraceFacts>) =>
      trace({ ...well, ...facts }).steps.flatMap(({ name, state }) => (name === 'layer 2' ? [state] : []));
    expect(states({})).to.deep.equal([]);
    expect(states(onSegment(true))).to.deep.equal(['ok']);
    // The other gateway may do it.
    expect(states(onSegment(false))).to.deep.equal(['warn']);
  });

  const cases: readonly Case[] = [
    { name: 'works when all is well', facts: {}, want: 'works' },
    {
      name: 'breaks at layer 2 when another host has the EIP',
      facts: onSegment(false, {
        needs: [
          {
            kind: 'EIP',
            code: 'eip-duplicate',
            severity: 'error',
            subject: 's',
            where: undefined,
            eip: view.eip,
            why: 'it is claimed by 02:00:5e:00:53:99',
            advice: 'a',
          },
        ],
      }),
      want: 'broken at layer 2',
      why: /claimed by 02:00:5e:00:53:99/,
    },
    { name: 'works when the probe says so', facts: { probe: probed }, want: 'works' },
    {
      name: 'is not known from another network namespace than the daemon is in',
      facts: { elsewhere: { pid: 142 }, kernel: undefined },
      want: 'not known',
      why: /the daemon \(process 142\) is in another network namespace than this command/,
    },
    {
      name: 'breaks from there as well at what the daemon knows',
      facts: {
        elsewhere: { pid: 142 },
        kernel: undefined,
        view: { ...view, services: [{ ...web, endpoints: 0, nodes: 0 }] },
      },
      want: 'broken at service',
    },
    { name: 'works by NAT', facts: withNat({}), want: 'works' },
    {
      name: 'breaks at NAT without a place in its table',
      facts: { ...withNat({}), kernel },
      want: 'broken at nat',
      why: /would get to nodes as they are: it is not in table inet eiproute-nat-86/,
    },
    {
      name: 'breaks at NAT that somebody has changed',
      facts: withNat({ intact: false }),
      want: 'broken at nat',
    },
    {
      name: 'breaks at NAT for a port without a NodePort',
      facts: withNat({ ports: [{ ...natPort, port: 443 }] }),
      want: 'broken at nat',
      why: /has tcp 443, and what comes to another port is refused/,
    },
    {
      name: 'breaks at a pool that is missing',
      facts: { view: { ...view, pool: undefined, services: [] } },
      want: 'broken at pool',
      why: /no Service asks for it either/,
    },
    {
      name: 'works where a Service keeps an address of no pool',
      facts: { view: { ...view, pool: undefined } },
      want: 'works',
    },
    {
      name: 'breaks at a Service that is not there',
      facts: { view: undefined, kernel: undefined },
      want: 'broken at service',
    },
    {
      name: 'breaks at an address without a Service',
      facts: { view: { ...view, services: [], carriers: [] } },
      want: 'broken at service',
    },
    {
      name: 'breaks at a Service that may not have the address',
      facts: { view: { ...view, services: [{ ...web, holds: false }], carriers: [] } },
      want: 'broken at service',
      why: /default\/web may not have it/,
    },
    {
      name: 'breaks at a Service without an address',
      facts: { view: { ...view, eip: undefined, services: [{ ...web, holds: false }] }, kernel: undefined },
      want: 'broken at service',
      why: /allocate: false/,
    },
    {
      name: 'breaks at a Service that is no load balancer',
      facts: {
        view: { ...view, eip: undefined, services: [{ ...web, type: 'ClusterIP' }] },
        kernel: undefined,
      },
      want: 'broken at service',
      why: /of type LoadBalancer/,
    },
    {
      name: 'breaks at a port that no Service has',
      facts: { port: 81 },
      want: 'broken at service',
      why: /TCP 80 \(default\/web\)/,
    },
    {
      name: 'breaks without an endpoint',
      facts: { view: { ...view, services: [{ ...web, endpoints: 0, nodes: 0 }], carriers: [] } },
      want: 'broken at service',
      why: /no ready endpoint/,
    },
    {
      name: 'breaks without an endpoint of the family, and says that there are others',
      facts: {
        view: { ...view, services: [{ ...web, endpoints: 0, nodes: 0, otherEndpoints: 2 }], carriers: [] },
      },
      want: 'broken at service',
      why: /^default\/web has no ready endpoint of IPv4, and 2 of IPv6: /,
    },
    {
      name: 'breaks at endpoints that name no node, and does not blame the pods',
      facts: {
        view: {
          ...view,
          services: [{ ...web, endpoints: 0, nodes: 0 }],
          carriers: [],
          problems: [
            {
              code: 'eip-no-node',
              severity: 'warn',
              subject: 'an EIP',
              message: 'they name none',
              advice: 'do',
            },
          ],
        },
      },
      want: 'broken at service',
      why: /^they name none$/,
    },
    {
      name: 'breaks at a Service that is being deleted',
      facts: { view: { ...view, services: [{ ...web, holds: false, deleting: true }], carriers: [] } },
      want: 'broken at service',
      why: /^default\/web is being deleted, and holds no address any more/,
    },
    {
      name: 'breaks at a Service without an address that is being deleted',
      facts: {
        view: { ...view, eip: undefined, services: [{ ...web, holds: false, deleting: true }] },
        kernel: undefined,
      },
      want: 'broken at service',
      why: /^default\/web is being deleted, and holds no address any more/,
    },
    {
      name: 'breaks at a Service with a host name alone',
      facts: {
        view: { ...view, eip: undefined, services: [{ ...web, holds: false, hostnames: ['lb.example'] }] },
        kernel: undefined,
      },
      want: 'broken at service',
      why: /has no address, but the host name lb.example of another load balancer$/,
    },
    {
      name: 'works for the port of the one of two Services that has endpoints',
      facts: {
        port: 80,
        view: {
          ...view,
          services: [
            web,
            {
              ...web,
              name: 'default/udp',
              endpoints: 0,
              ports: [{ name: '', protocol: 'UDP', port: 53, nodePort: undefined }],
            },
          ],
        },
      },
      want: 'works',
    },
    { name: 'breaks without a node', facts: { view: { ...view, carriers: [] } }, want: 'broken at carriers' },
    {
      name: 'breaks without the LAN',
      facts: withKernel({ links: [uplink] }),
      want: 'broken at route',
      why: /eth0 does not exist/,
    },
    {
      name: 'breaks without a carrier on the LAN',
      facts: withKernel({ links: [{ ...lan, carrier: false }, uplink] }),
      want: 'broken at route',
      why: /no carrier/,
    },
    {
      name: 'breaks without a route',
      facts: withKernel({ matched: { kind: 'refused', why: 'No route to host' } }),
      want: 'broken at route',
    },
    {
      name: 'breaks at a rule that refuses what our own route would take',
      facts: withKernel({
        matched: { kind: 'refused', why: 'EACCES: a rule or a route says prohibit' },
        forwarded: { kind: 'refused', why: 'EACCES: a rule or a route says prohibit' },
      }),
      want: 'broken at route',
      why: /no route to 198\.51\.100\.10 \(EACCES: a rule or a route says prohibit\)/,
    },
    {
      name: 'breaks at the route, and not at the Service, where the status tells that another one is taken',
      facts: {
        view: {
          ...view,
          problems: [
            { code: 'eip-shadowed', severity: 'error', subject: 'x', message: 'another wins', advice: 'do' },
          ],
        },
        ...withKernel({
          matched: { kind: 'route', route: { ...route, protocol: 4, nhid: undefined, metric: 10 } },
        }),
      },
      want: 'broken at route',
    },
    {
      name: 'breaks at a rule that refuses what comes in alone',
      facts: withKernel({
        forwarded: { kind: 'refused', why: 'EACCES: a rule or a route says prohibit' },
        sysctls: new Map([...kernel.sysctls, ['net/ipv4/conf/all/rp_filter', '1']]),
      }),
      want: 'broken at forwarding',
      why: /comes in on eth1: EACCES: a rule or a route says prohibit$/,
    },
    {
      name: 'breaks at a blackhole that takes what comes in alone, where rp_filter is 0',
      facts: withKernel({
        forwarded: { kind: 'refused', why: 'EINVAL: a rule or a route says blackhole' },
      }),
      want: 'broken at forwarding',
      why: /comes in on eth1: EINVAL: a rule or a route says blackhole$/,
      advice: /iif eth1; ip rule show; ip route show table all 198\.51\.100\.10$/,
    },
    {
      name: 'breaks at a rule that looks up the announce table',
      facts: withKernel({
        matched: {
          kind: 'route',
          route: { ...route, type: 'blackhole', table: 86, nhid: undefined, hops: [] },
        },
      }),
      want: 'broken at route',
      why: /by another route: blackhole 198\.51\.100\.10 table 86 proto 86$/,
    },
    {
      name: 'breaks without a route over IPv6',
      facts: overIpv6({
        matched: { kind: 'refused', why: 'Network is unreachable' },
        forwarded: { kind: 'refused', why: 'Network is unreachable' },
      }),
      want: 'broken at route',
      why: /no route to 2001:db8:e::10 \(Network is unreachable\)/,
    },
    {
      name: 'works over IPv6 by a route that is there, and that the kernel cannot name',
      facts: overIpv6({ matched: { kind: 'unnamed' }, forwarded: { kind: 'unnamed' } }),
      want: 'works',
    },
    {
      name: 'breaks over IPv6 by a route that the kernel cannot name, and that is none of ours',
      facts: overIpv6({
        nhid: undefined,
        vias: undefined,
        matched: { kind: 'unnamed' },
        forwarded: { kind: 'unnamed' },
      }),
      want: 'broken at route',
      why: /by another route, which it does not name/,
    },
    {
      name: 'breaks at a Service of no class where others are ours',
      facts: {
        view: { ...view, eip: undefined, services: [{ ...web, holds: false }] },
        gateway: { ...well.gateway, allocation },
        kernel: undefined,
      },
      want: 'broken at service',
      why: /has no loadBalancerClass, and .* with loadBalancerClass eiproute.io\/gateway alone here/,
    },
    {
      name: 'breaks at a Service of another class',
      facts: {
        view: {
          ...view,
          eip: undefined,
          services: [{ ...web, holds: false, loadBalancerClass: 'example.com/other' }],
        },
        gateway: { ...well.gateway, allocation: { ...allocation, classless: true } },
        kernel: undefined,
      },
      want: 'broken at service',
      why: /loadBalancerClass example.com\/other, and .* or without one, here/,
    },
    {
      name: 'breaks at a Service that waits, and names no Lease where there is none',
      facts: {
        view: { ...view, eip: undefined, services: [{ ...web, holds: false }] },
        gateway: { ...well.gateway, allocation: { ...allocation, classless: true } },
        kernel: undefined,
      },
      want: 'broken at service',
      why: /^default\/web has no address yet, and no reason is known$/,
    },
    {
      name: 'says of a route what the status says of it',
      facts: {
        needs: [conflict],
        ...withKernel({
          nhid: undefined,
          vias: undefined,
          matched: { kind: 'refused', why: 'No route to host' },
        }),
      },
      want: 'broken at route',
      why: /^CONFLICT: held by/,
    },
    {
      name: 'breaks at a foreign route',
      facts: withKernel({
        nhid: undefined,
        vias: undefined,
        holder: { route: '198.51.100.10 via 10.0.0.99 proto 4', command: 'ip route delete' },
      }),
      want: 'broken at route',
      why: /another program has put/,
    },
    {
      name: 'breaks at a route of ours that leads to no nexthop',
      facts: withKernel({ nhid: undefined, vias: undefined }),
      want: 'broken at route',
    },
    {
      name: 'breaks at a route that wins',
      facts: withKernel({ matched: { kind: 'route', route: { ...route, protocol: 4 } } }),
      want: 'broken at route',
    },
    {
      name: 'breaks at an own address',
      facts: withKernel({ matched: { kind: 'route', route: { ...route, type: 'local' } } }),
      want: 'broken at route',
      why: /of this gateway/,
    },
    {
      name: 'breaks at a route to nodes that do not carry it',
      facts: withKernel({ vias: [parseIp('10.0.0.77')] }),
      want: 'broken at route',
      why: /10\.0\.0\.77/,
    },
    {
      name: 'does not know a kernel that was not asked',
      facts: withKernel({ matched: { kind: 'not asked', why: 'there is no program ip' } }),
      want: 'not known',
    },
    {
      name: 'breaks without the uplink',
      facts: withKernel({ links: [lan] }),
      want: 'broken at forwarding',
      why: /eth1 does not exist/,
    },
    {
      name: 'breaks with ip_forward off',
      facts: sysctl('net/ipv4/ip_forward', '0'),
      want: 'broken at forwarding',
    },
    {
      name: 'breaks with forwarding off on the uplink',
      facts: sysctl('net/ipv4/conf/eth1/forwarding', '0'),
      want: 'broken at forwarding',
      why: /eth1\.forwarding is 0: this host forwards nothing that comes in on eth1$/,
    },
    {
      name: 'breaks with forwarding off on the LAN, where replies come in',
      facts: sysctl('net/ipv4/conf/eth0/forwarding', '0'),
      want: 'broken at forwarding',
      why: /eth0\.forwarding is 0: this host forwards nothing that comes in on eth0, so no reply of a node$/,
    },
    {
      name: 'breaks at rp_filter',
      facts: withKernel({
        forwarded: { kind: 'refused', why: 'EXDEV: rp_filter rejects the source' },
        sysctls: new Map([...kernel.sysctls, ['net/ipv4/conf/all/rp_filter', '1']]),
      }),
      want: 'broken at forwarding',
      why: /rp_filter 1 on eth1 drops what comes from 203\.0\.113\.254/,
    },
    {
      name: 'works with an rp_filter that lets the client in',
      facts: sysctl('net/ipv4/conf/eth1/rp_filter', '1'),
      want: 'works',
    },
    {
      name: 'breaks at the firewall',
      facts: withKernel({ firewall: { kind: 'drops', by: 'chain inet filter forward, rule handle 3' } }),
      want: 'broken at forwarding',
      why: /rule handle 3/,
    },
    {
      name: 'does not know an unclear firewall',
      facts: withKernel({ firewall: { kind: 'unclear', by: 'x' } }),
      want: 'not known',
    },
    {
      name: 'trusts the probe over an unclear firewall',
      facts: { probe: probed, ...withKernel({ firewall: { kind: 'unclear', by: 'x' } }) },
      want: 'works',
    },
    {
      name: 'does not know a firewall that was not asked',
      facts: withKernel({ firewall: { kind: 'not asked', why: 'there is no program nft' } }),
      want: 'not known',
    },
    {
      name: 'breaks at nodes that are all silent',
      facts: withKernel({ neighbours: neighbours('FAILED', 'INCOMPLETE') }),
      want: 'broken at neighbours',
      why: /node1, node3 do not answer/,
    },
    {
      name: 'works when one of two nodes is silent',
      facts: withKernel({ neighbours: neighbours('REACHABLE', 'FAILED') }),
      want: 'works',
    },
    {
      name: 'does not know nodes that the kernel knows nothing of',
      facts: withKernel({ neighbours: neighbours('REACHABLE') }),
      want: 'not known',
    },
    {
      name: 'breaks at the return path without a probe, by what an agent tells',
      facts: {
        probe: undefined,
        view: { ...view, carriers: nodes.map((one, i) => ({ ...one, served: i === 0 })) },
      },
      want: 'broken at return path',
      why: /^the agent of node3 tells that it does not serve 198\.51\.100\.10 through this gateway/,
    },
    {
      name: 'works by what all agents tell, without a probe',
      facts: {
        probe: undefined,
        view: { ...view, carriers: nodes.map((one) => ({ ...one, served: true })) },
      },
      want: 'works',
    },
    {
      name: 'works by a probe, whatever an agent tells',
      facts: { probe: probed, view: { ...view, carriers: nodes.map((one) => ({ ...one, served: false })) } },
      want: 'works',
    },
    {
      name: 'breaks at the return path',
      facts: { probe: { ...probed, fromUplink: { kind: 'failed', code: 'ETIMEDOUT' } } },
      want: 'broken at return path',
      why: /node agent/,
    },
    {
      name: 'does not know the return path without an address to ask from',
      facts: { probe: { ...probed, fromUplink: undefined } },
      want: 'not known',
    },
    {
      name: 'breaks at the probe',
      facts: {
        probe: {
          ...probed,
          fromLan: { kind: 'failed', code: 'ECONNREFUSED' },
          fromUplink: { kind: 'failed', code: 'ECONNREFUSED' },
        },
      },
      want: 'broken at probe',
      why: /refuses/,
    },
    {
      name: 'does not know a probe that was not possible',
      facts: { probe: { kind: 'not asked', why: 'port 53 is not TCP' } },
      want: 'not known',
    },
    {
      name: 'does not know by the last known state',
      facts: { source: { kind: 'saved', why: 'no daemon', at: well.now - 60_000 } },
      want: 'not known',
      why: /as of 2026-01-08T13:43:10/,
    },
    {
      name: 'does not know a frozen cluster',
      facts: { source: { kind: 'daemon', state: 'FROZEN', summary: 'no answer' } },
      want: 'not known',
    },
    {
      name: 'finds a break of the kernel where nothing is known of the cluster',
      facts: {
        source: { kind: 'nothing', why: 'no daemon' },
        view: { ...view, services: [], carriers: [] },
        ...withKernel({
          nhid: undefined,
          vias: undefined,
          matched: { kind: 'refused', why: 'No route to host' },
        }),
      },
      want: 'broken at route',
    },
  ];
  for (const { name, facts, want, why, advice } of cases) {
    it(name, () => {
      const found = trace({ ...well, ...facts });
      const at = found.brokenAt === undefined ? '' : ` at ${found.steps[found.brokenAt - 1]?.name}`;
      expect(`${found.verdict}${at}`).to.equal(want);
      if (want === 'works') expect(found.why).to.equal(undefined);
      else expect(found.why).to.match(why ?? /./);
      if (advice !== undefined) expect(found.advice).to.match(advice);
    });
  }

  it('has the same steps in the same order, whatever it finds', () => {
    const names = trace(well).steps.map(({ name }) => name);
    // These two are there by the configuration, not by what is found.
    const further = ({ gateway: settings }: Partial<TraceFacts>) => [
      ...(settings?.announce?.segment === undefined ? [] : (['layer 2'] as const)),
      ...(settings?.mode === 'nat' ? (['nat'] as const) : []),
    ];
    for (const { facts } of cases)
      expect(trace({ ...well, ...facts }).steps.map(({ name }) => name)).to.deep.equal(
        names.flatMap((name) => (name === 'route' ? [name, ...further(facts)] : [name])),
      );
  });

  it('says how long a node that was left keeps its flows', () => {
    const why = 'its last endpoints end, and it only keeps the flows that it has';
    const until = new Date(well.now + 250_000).toISOString();
    const leftOut = [...view.leftOut, ...['node4', 'node5'].map((node) => ({ node, why, until }))];
    const found = trace({ ...well, view: { ...view, leftOut } });
    expect(found.steps.find(({ name }) => name === 'carriers')?.finding).to.equal(
      `node1, node3 (left out: node2: no ready endpoint; node4, node5: ${why}, for 4 min more at most)`,
    );
  });

  it('shows our own route over IPv6, whichever route over its nexthop the kernel names', () => {
    const finding = (matched: KernelFacts['matched']): string | undefined =>
      trace({ ...well, ...overIpv6({ matched }) }).steps.find(({ name }) => name === 'route')?.finding;
    if (kernel.matched.kind !== 'route') throw new Error('no route');
    const other = { ...kernel.matched.route, dst: '2001:db8:e::99', nhid: 260_000_007 };
    expect(finding({ kind: 'route', route: other })).to.equal(
      '2001:db8:e::10 nhid 260000002 proto 86; ip route get agrees',
    );
    expect(finding({ kind: 'unnamed' })).to.equal(
      '2001:db8:e::10 nhid 260000002 proto 86; the kernel has a route, and cannot name it',
    );
    // A route of another program over a nexthop object of its own is named.
    expect(finding({ kind: 'route', route: { ...other, protocol: 4, nhid: 7, metric: 10 } })).to.match(
      /^another route wins: 2001:db8:e::99 nhid 7 proto 4 metric 10/,
    );
    // Another program's route over our nexthop object leads where ours does.
    expect(finding({ kind: 'route', route: { ...other, protocol: 4 } })).to.match(
      /^2001:db8:e::10 .* agrees$/,
    );
  });

  it('says of a node since when it is silent', () => {
    const step = trace(silentNode).steps.find(({ name }) => name === 'neighbours');
    expect(step?.finding).to.equal('node3 10.0.0.13 FAILED for 41 s');
    expect(step?.advice).to.equal('ping -I eth0 10.0.0.13; kubectl get node node3');
  });

  it('leads on to what the nodes answered to a probe', () => {
    const [, , , , , , , back, probe] = trace({ ...well, probe: probed }).steps;
    expect(back?.state).to.equal('ok');
    expect(probe?.more).to.deep.equal(
      nodes.map(({ node, ip }, i) => `${node} ${ip}:30080 (nodePort) connected in ${0.4 + i / 10} ms`),
    );
  });
});

const page = new URL('../../../docs/trace.md', import.meta.url);
describe('docs/trace.md', () => {
  it('shows what eiproute prints (UPDATE_DOCS=1 writes it anew)', () => {
    const print = (command: string, facts: TraceFacts): string =>
      `$ eiproute trace ${command}\n${traceText(trace(facts), plain)}`;
    const printed = new Map([
      ['works', print('198.51.100.10 --probe', { ...well, probe: probed })],
      ['silent', print('198.51.100.10', silentNode)],
      [
        'saved',
        print('198.51.100.10', {
          ...well,
          source: {
            kind: 'saved',
            why: 'no gateway daemon answers at /run/eiproute/gateway.sock: nothing listens there (ECONNREFUSED)',
            at: well.now - 720_000,
          },
        }),
      ],
    ]);
    expectSamples('docs/trace.md', printed);
  });

  it('names every step', () => {
    const text = readFileSync(page, 'utf8');
    for (const { name } of trace(well).steps) expect(text).to.match(new RegExp(`^\\| \`${name}\` `, 'm'));
  });
});
