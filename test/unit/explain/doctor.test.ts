import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { rulesOf } from '../../../lab/cluster/api/rbac.ts';
import { doctorText } from '../../../src/cli/doctor-text.ts';
import { plain } from '../../../src/cli/paint.ts';
import { neighbourLimit } from '../../../src/daemon/neighbour-limits.ts';
import type { CheckState } from '../../../src/explain/check.ts';
import { doctor } from '../../../src/explain/doctor.ts';
import type { ApiFacts, DoctorFacts } from '../../../src/explain/doctor-facts.ts';
import { neededRights, rightText } from '../../../src/explain/rights.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { NodeAgent } from '../../../src/model/node-agent.ts';
import { expectSamples } from '../../sampled-page.ts';
import { gateway } from '../../scene.ts';
import { links, nodes } from './facts.ts';

const now = Date.UTC(2026, 10, 24, 13, 44, 10);
const day = 24 * 3_600_000;
const [lan, uplink] = links;
const router = parseIp('203.0.113.254');

const api: ApiFacts = {
  server: 'https://10.0.0.10:6443',
  trouble: undefined,
  version: 'v1.31.2',
  latency: 4.2,
  certificateEnds: now + 211 * day,
  ahead: 0,
  credential: { what: 'the token', ends: now + 300 * day },
  rights: neededRights(undefined).map((right) => ({ right, allowed: true })),
  warnings: [],
};

const settings = gateway({
  lan: 'eth0',
  uplink: 'eth1',
  defaultRoutes: [router],
  pools: [{ name: 'public', addresses: [parsePrefix('198.51.100.0/24')] }],
  announce: { table: 86, active: [] },
});

const well: DoctorFacts = {
  now,
  release: '0.1.0',
  configuration: {
    kind: 'gateway',
    file: '/etc/eiproute/gateway.yaml',
    warnings: [],
    gateway: settings,
    addresses: 256,
  },
  links,
  lacks: [],
  kernel: '6.1.0-28-amd64',
  abilities: { kind: 'tried', able: new Set(['nexthop', 'group']), wanted: ['nexthop', 'group'] },
  apis: [api],
  defaultRoutes: [
    {
      family: 4,
      configured: router,
      present: [{ via: router, dev: 'eth1', metric: 0, protocol: 86 }],
      neighbour: 'REACHABLE',
    },
  ],
  managers: { running: [], networkd: new Map(), networkManager: [] },
  firewall: [{ pool: 'public', family: 4, verdict: { kind: 'passes' } }],
  routingDaemons: {
    kind: 'asked',
    asked: [
      {
        daemon: 'BIRD',
        answer: {
          kind: 'tells',
          families: [{ family: 4, has: 70, should: { least: 70, most: 70 } }],
          sessions: [{ name: 'up4', state: 'Established' }],
        },
      },
    ],
  },
  nodes: {
    kind: 'asked',
    known: 'by the API',
    hosts: nodes.map(({ node: name, ip }) => ({ name, ip, state: 'REACHABLE' })),
    total: 2,
    limits: [],
  },
  agents: [
    {
      pool: 'public',
      family: 4,
      asked: {
        kind: 'asked',
        to: '198.51.100.10:80',
        fromLan: { kind: 'connected', ms: 1 },
        fromUplink: { kind: 'connected', ms: 1 },
      },
    },
  ],
  daemon: {
    kind: 'runs',
    state: 'OK',
    summary: '70 of 70 EIPs routed over 3 nodes',
    release: '0.1.0',
    elsewhere: undefined,
  },
};

const hosts = nodes.map(({ node: name, ip }) => ({ name, ip, state: 'REACHABLE' as const }));
const withNodes = (rest: object): Partial<DoctorFacts> => ({
  nodes: { kind: 'asked', known: 'by the API', hosts, total: 2, limits: [], ...rest },
});
const withApi = (rest: Partial<ApiFacts>): Partial<DoctorFacts> => ({ apis: [{ ...api, ...rest }] });
const [route] = well.defaultRoutes;
const withRoute = (rest: Partial<NonNullable<typeof route>>): Partial<DoctorFacts> => ({
  defaultRoutes: route === undefined ? [] : [{ ...route, ...rest }],
});
const [agent] = well.agents;
const failed = { kind: 'failed', code: 'ETIMEDOUT' } as const;
const withAgent = (rest: object): Partial<DoctorFacts> => ({
  agents: agent === undefined ? [] : [{ ...agent, asked: { ...agent.asked, ...rest } }],
});

/** What the agents of three nodes tell, as the daemon judges it. */
const withTold = (messages: readonly string[]): Partial<DoctorFacts> => ({
  daemon: {
    kind: 'runs',
    state: 'OK',
    summary: 's',
    release: '0.1.0',
    elsewhere: undefined,
    agents: {
      told: 3,
      nodes: 3,
      problems: messages.map((message) => ({
        code: 'agent-lacks-pool',
        severity: 'error',
        subject: 's',
        message,
        advice: 'a',
      })),
    },
  },
});

interface Case {
  readonly name: string;
  readonly facts: Partial<DoctorFacts>;
  readonly check: string;
  readonly state: CheckState;
  readonly finding: RegExp;
}

const answering = (addresses: string, segment = 'eth1'): DoctorFacts['configuration'] => ({
  kind: 'gateway',
  file: '/etc/eiproute/gateway.yaml',
  warnings: [],
  addresses: 16,
  gateway: {
    ...settings,
    pools: [{ name: 'public', addresses: [parsePrefix(addresses)], announce: 'layer2' }],
    announce: { table: undefined, segment, active: [] },
  },
});

describe('doctor', () => {
  describe('looks at layer 2', () => {
    const found = (configuration: DoctorFacts['configuration']) =>
      doctor({ ...well, configuration }).find(({ name }) => name === 'layer 2');

    it('where a pool is announced by it', () => {
      expect(found(well.configuration)).to.equal(undefined);
      expect(found(answering('203.0.113.64/28'))).to.deep.include({
        state: 'ok',
        finding: 'answers on eth1, where 203.0.113.64/28 is on-link',
      });
    });

    it('and warns of EIPs that nobody on the segment would ask for', () => {
      const check = found(answering('198.51.100.0/24'));
      expect(check?.state).to.equal('warn');
      expect(check?.finding).to.match(/^198\.51\.100\.0\/24 is in no network of eth1:/);
    });

    it('and fails without its interface', () => {
      expect(found(answering('203.0.113.64/28', 'vrrp.51'))).to.deep.include({
        state: 'FAIL',
        finding: 'vrrp.51 does not exist',
      });
    });
  });

  it('finds nothing wrong when all is well, and has nothing to advise', () => {
    const checks = doctor(well);
    expect(checks.filter(({ state }) => state !== 'ok')).to.deep.equal([]);
    expect(checks.filter(({ advice }) => advice !== undefined)).to.deep.equal([]);
  });

  const cases: readonly Case[] = [
    {
      name: 'a configuration that is refused',
      facts: { configuration: { kind: 'refused', file: 'f', errors: ['f:1:1 lan: is missing'] } },
      check: 'configuration',
      state: 'FAIL',
      finding: /^f:1:1 lan/,
    },
    {
      name: 'an interface that is missing',
      facts: { links: [uplink] },
      check: 'interfaces',
      state: 'FAIL',
      finding: /^lan: eth0 does not exist; there are: eth1$/,
    },
    {
      name: 'an interface without a carrier',
      facts: { links: [lan, { ...uplink, carrier: false }] },
      check: 'interfaces',
      state: 'FAIL',
      finding: /^uplink: eth1 has no carrier/,
    },
    {
      name: 'a kernel that cannot be read',
      facts: { links: undefined },
      check: 'interfaces',
      state: '?',
      finding: /cannot be read/,
    },
    {
      name: 'no CAP_NET_ADMIN',
      facts: {
        lacks: [
          { code: 'no-cap-net-admin', severity: 'error', subject: '', message: 'may not', advice: 'root' },
        ],
      },
      check: 'capability',
      state: 'FAIL',
      finding: /may not/,
    },
    {
      name: 'an old kernel',
      facts: {
        lacks: [
          {
            code: 'kernel-too-old',
            severity: 'error',
            subject: '',
            message: 'Linux 4.19 is too old',
            advice: 'boot',
          },
        ],
      },
      check: 'kernel',
      state: 'FAIL',
      finding: /too old/,
    },
    {
      name: 'a kernel without nexthop groups',
      facts: { abilities: { kind: 'tried', able: new Set(['nexthop']), wanted: ['nexthop', 'group'] } },
      check: 'kernel',
      state: 'FAIL',
      finding: /lacks nexthop groups$/,
    },
    {
      name: 'a host without nft',
      facts: { abilities: { kind: 'tried', able: new Set(['nexthop']), wanted: ['nexthop', 'nft'] } },
      check: 'kernel',
      state: 'warn',
      finding: /lacks nf_tables$/,
    },
    {
      name: 'a kernel that was not tried',
      facts: { abilities: { kind: 'not asked', why: 'no unshare' } },
      check: 'kernel',
      state: '?',
      finding: /no unshare/,
    },
    {
      name: 'an API that does not answer',
      facts: withApi({ trouble: 'cannot reach it; check: curl' }),
      check: 'API',
      state: 'FAIL',
      finding: /^cannot reach it$/,
    },
    {
      name: 'a certificate of the server that ends',
      facts: withApi({ certificateEnds: now + 3 * day }),
      check: 'API',
      state: 'warn',
      finding: /certificate good for 3 d \(2026-11-27\)$/,
    },
    {
      name: 'a certificate of the server that has ended',
      facts: withApi({ certificateEnds: now - day }),
      check: 'API',
      state: 'FAIL',
      finding: /certificate ended on 2026-11-23$/,
    },
    {
      name: 'a token that ends',
      facts: withApi({ credential: { what: 'the token', ends: now + 13 * day } }),
      check: 'credentials',
      state: 'warn',
      finding: /^the token is good for 13 d \(2026-12-07\)$/,
    },
    {
      name: 'a token that has ended',
      facts: withApi({ credential: { what: 'the token', ends: now - 1 } }),
      check: 'credentials',
      state: 'FAIL',
      finding: /ended on 2026-11-24$/,
    },
    {
      name: 'a kubeconfig that others read',
      facts: withApi({
        warnings: [
          {
            code: 'kubeconfig-mode',
            severity: 'warn',
            subject: 'f',
            message: 'f has mode 0644',
            advice: 'chmod',
          },
        ],
      }),
      check: 'credentials',
      state: 'warn',
      finding: /^the token is good for/,
    },
    {
      name: 'a right that is missing',
      facts: withApi({ rights: neededRights(undefined).map((right, i) => ({ right, allowed: i > 0 })) }),
      check: 'rights',
      state: 'FAIL',
      finding: /^may not list services$/,
    },
    {
      name: 'rights that were not asked',
      facts: withApi({ rights: { kind: 'not asked', why: 'no answer' } }),
      check: 'rights',
      state: '?',
      finding: /no answer/,
    },
    {
      name: 'a clock that is ahead',
      facts: withApi({ ahead: 3100 }),
      check: 'time',
      state: 'warn',
      finding: /^this clock is 3\.1 s ahead of the API server$/,
    },
    {
      name: 'a clock that is far behind',
      facts: withApi({ ahead: -60_000 }),
      check: 'time',
      state: 'FAIL',
      finding: /60\.0 s behind/,
    },
    {
      name: 'no default route',
      facts: withRoute({ configured: undefined, present: [], neighbour: undefined }),
      check: 'default route',
      state: 'warn',
      finding: /there is no default route of IPv4/,
    },
    {
      name: 'a default route that is shadowed',
      facts: withRoute({
        present: [{ via: parseIp('192.168.1.1'), dev: 'eth0', metric: 100, protocol: 4 }],
      }),
      check: 'default route',
      state: 'warn',
      finding:
        /^via 203\.0\.113\.254 dev eth1, answers; it wins over the present one via 192\.168\.1\.1 dev eth0 metric 100$/,
    },
    {
      name: 'a router that does not answer',
      facts: withRoute({ neighbour: 'FAILED' }),
      check: 'default route',
      state: 'FAIL',
      finding: /the router 203\.0\.113\.254 does not answer/,
    },
    {
      name: 'a default route of another program',
      facts: withRoute({ configured: undefined }),
      check: 'default route',
      state: 'ok',
      finding: /^via 203\.0\.113\.254 dev eth1; answers$/,
    },
    {
      name: 'a router that could not be asked',
      facts: withRoute({ neighbour: undefined }),
      check: 'default route',
      state: '?',
      finding: /^via 203\.0\.113\.254 dev eth1; whether it answers could not be found out$/,
    },
    {
      name: 'a default route without a router',
      facts: withRoute({
        configured: undefined,
        present: [{ via: undefined, dev: 'ppp0', metric: 0, protocol: 4 }],
        neighbour: undefined,
      }),
      check: 'default route',
      state: 'ok',
      finding: /^dev ppp0$/,
    },
    {
      name: 'systemd-networkd that was told nothing',
      facts: {
        managers: {
          running: ['systemd-networkd'],
          networkd: new Map([['ManageForeignRoutes', 'no']]),
          networkManager: [],
        },
      },
      check: 'foreign',
      state: 'warn',
      finding: /ManageForeignRoutingPolicyRules, ManageForeignNextHops not set to no$/,
    },
    {
      name: 'systemd-networkd that was told all',
      facts: {
        managers: {
          running: ['systemd-networkd'],
          networkd: new Map(
            ['ManageForeignRoutes', 'ManageForeignRoutingPolicyRules', 'ManageForeignNextHops'].map((key) => [
              key,
              'no',
            ]),
          ),
          networkManager: [],
        },
      },
      check: 'foreign',
      state: 'ok',
      finding: /systemd-networkd runs/,
    },
    {
      name: 'NetworkManager on the LAN',
      facts: {
        managers: { running: ['NetworkManager'], networkd: new Map(), networkManager: ['eth0', 'eth7'] },
      },
      check: 'foreign',
      state: 'warn',
      finding: /NetworkManager manages eth0:/,
    },
    {
      name: 'a firewall that drops',
      facts: {
        firewall: [
          { pool: 'public', family: 4, verdict: { kind: 'drops', by: 'chain inet filter forward' } },
        ],
      },
      check: 'firewall',
      state: 'FAIL',
      finding: /TCP to pool public \(IPv4\) is dropped by chain/,
    },
    {
      name: 'a firewall that depends',
      facts: { firewall: [{ pool: 'public', family: 4, verdict: { kind: 'unclear', by: 'a mark' } }] },
      check: 'firewall',
      state: '?',
      finding: /depends on a mark/,
    },
    {
      name: 'a silent node',
      facts: withNodes({ hosts: hosts.map((one, i) => (i === 0 ? { ...one, state: 'FAILED' } : one)) }),
      check: 'nodes',
      state: 'warn',
      finding: /^1 of 2 answer .*; not node1 \(10\.0\.0\.11\)$/,
    },
    {
      name: 'nodes that are all silent',
      facts: withNodes({ hosts: hosts.map((one) => ({ ...one, state: 'FAILED' })) }),
      check: 'nodes',
      state: 'FAIL',
      finding: /^0 of 2/,
    },
    {
      name: 'more nodes than are asked',
      facts: withNodes({ total: 1000 }),
      check: 'nodes',
      state: 'ok',
      finding: /^2 of 2 answer ARP or NDP on eth0, of 1000, by the API$/,
    },
    {
      name: 'a neighbour table that is too small',
      facts: withNodes({ limits: neighbourLimit(4, 1000, 512) }),
      check: 'nodes',
      state: 'warn',
      finding: /^2 of 2 answer/,
    },
    {
      name: 'nodes that are not known',
      facts: { nodes: { kind: 'not asked', why: 'no cluster' } },
      check: 'nodes',
      state: '?',
      finding: /no cluster/,
    },
    {
      name: 'a node agent that lacks the pool',
      facts: withAgent({ fromUplink: failed }),
      check: 'node agents',
      state: 'FAIL',
      finding: /its replies beyond the LAN do not come back/,
    },
    {
      name: 'a node of a pool with NAT that answers past this gateway',
      facts: withAgent({ fromUplink: failed, node: '10.0.0.11:30080' }),
      check: 'node agents',
      state: 'FAIL',
      finding: /replies of 10\.0\.0\.11:30080 to an address beyond it do not come back by eth0 \(ETIMEDOUT\)/,
    },
    {
      name: 'a node agent that tells that it lacks a pool, whatever a connection says',
      facts: withTold(['the agent of n1']),
      check: 'node agents',
      state: 'FAIL',
      finding: /^the agent of n1$/,
    },
    {
      name: 'agents that all tell, where nobody could connect',
      facts: { ...withAgent({ fromLan: failed }), ...withTold([]) },
      check: 'node agents',
      state: 'ok',
      finding: /^all 3 tell that they serve all pools through this gateway$/,
    },
    {
      name: 'an EIP that does not answer',
      facts: withAgent({ fromLan: failed }),
      check: 'node agents',
      state: '?',
      finding: /198\.51\.100\.10:80 does not answer \(ETIMEDOUT\)/,
    },
    {
      name: 'a daemon that does not run',
      facts: { daemon: { kind: 'silent', why: 'no daemon' } },
      check: 'daemon',
      state: '-',
      finding: /no daemon/,
    },
    {
      name: 'a daemon that is degraded',
      facts: {
        daemon: { kind: 'runs', state: 'DEGRADED', summary: 's', release: '0.1.0', elsewhere: undefined },
      },
      check: 'daemon',
      state: 'warn',
      finding: /^DEGRADED: s$/,
    },
    {
      name: 'a daemon of another release',
      facts: { daemon: { kind: 'runs', state: 'OK', summary: 's', release: '0.0.9', elsewhere: undefined } },
      check: 'daemon',
      state: 'warn',
      finding: /it is 0\.0\.9, and this is 0\.1\.0/,
    },
    {
      name: 'a cluster that is read from a file',
      facts: { apis: [] },
      check: 'rights',
      state: '-',
      finding: /from a file/,
    },
  ];
  it('tells of a daemon in another network namespace, and of nothing that is seen from here', () => {
    const { daemon } = well;
    if (daemon.kind !== 'runs') throw new Error('no daemon');
    const checks = doctor({ ...well, links: [], daemon: { ...daemon, elsewhere: { pid: 142 } } });
    expect(checks.map(({ name, state }) => `${name} ${state}`)).to.deep.equal([
      'configuration ok',
      'namespace FAIL',
      'daemon ok',
    ]);
    expect(checks[1]?.advice).to.equal('run it there: nsenter --net=/proc/142/ns/net eiproute ...');
  });

  for (const { name, facts, check, state, finding } of cases) {
    it(`tells of ${name}`, () => {
      const checks = doctor({ ...well, ...facts });
      const found = checks.find((one) => one.name === check);
      expect(found?.finding).to.match(finding);
      expect(found?.state).to.equal(state);
      if (state === 'FAIL' || state === 'warn')
        expect(found?.advice ?? found?.more.join(), 'what to do').to.match(/./);
      // Each check looks at its own facts.
      const others = checks.filter((one) => one.name !== check && !['ok', '-'].includes(one.state));
      expect(others).to.deep.equal([]);
    });
  }
});

describe('doctor on a node that names no interface', () => {
  const interfaces = (address: string): string => {
    const agent: NodeAgent = {
      eips: [parsePrefix('198.51.100.0/24')],
      gateways: [{ address: parseIp(address), table: 101, mark: 0x100000 }],
      interface: undefined,
      localTable: 255,
      priorities: { marks: 1001, local: 1100, replies: 1200 },
      markMask: 0xff00000,
      protocol: 87,
      literalLocal: false,
    };
    const configuration = { kind: 'node', file: 'node.yaml', warnings: [], agent } as const;
    const found = doctor({ ...well, configuration }).find(({ name }) => name === 'interfaces');
    return `${found?.state} ${found?.finding}`;
  };

  it('finds the one whose network holds a gateway, or says that there is none', () => {
    expect(interfaces('10.0.0.254')).to.equal('ok eth0, toward the gateways');
    expect(interfaces('10.9.9.1')).to.equal(
      'FAIL no gateway (10.9.9.1) is on a directly connected network of this node',
    );
  });
});

describe('neededRights', () => {
  const granted = rulesOf(readFileSync(new URL('../../../docs/rbac.yaml', import.meta.url), 'utf8'));
  const lease = { namespace: 'kube-system', name: 'eiproute' };
  const all = { class: '', classless: true, finalizer: true, lease };

  it('are granted by docs/rbac.yaml', () => {
    for (const right of neededRights(all)) {
      const { verb, group, resource, subresource, namespace = '', name = '' } = right;
      const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
      expect(granted({ verb, group, resource: whole, namespace, name }), rightText(right)).to.equal(true);
    }
  });

  it('are fewer without an allocation, a finalizer, or a Lease', () => {
    const texts = (allocation: typeof all | undefined) => neededRights(allocation).map(rightText);
    expect(texts(undefined)).to.have.length(6);
    expect(texts(all)).to.include.members([
      'patch services',
      'get leases.coordination.k8s.io kube-system/eiproute',
    ]);
    expect(texts({ ...all, finalizer: false })).not.to.include('patch services');
  });
});

const page = new URL('../../../docs/doctor.md', import.meta.url);
describe('docs/doctor.md', () => {
  it('shows what eiproute prints (UPDATE_DOCS=1 writes it anew)', () => {
    const about = 'eiproute 0.1.0 on gw1, Debian GNU/Linux 12 (bookworm), Linux 6.1.0-28-amd64';
    const ill: DoctorFacts = {
      ...well,
      links: [uplink],
      ...withApi({ credential: { what: 'the token', ends: now + 13 * day }, ahead: 3100 }),
      managers: { running: ['systemd-networkd'], networkd: new Map(), networkManager: [] },
      firewall: [
        {
          pool: 'public',
          family: 4,
          verdict: { kind: 'drops', by: 'chain inet filter forward, its policy drop' },
        },
      ],
      ...withAgent({ fromUplink: failed }),
    };
    const printed = new Map([['ill', `$ eiproute doctor\n${doctorText(about, doctor(ill), plain)}`]]);
    expectSamples('docs/doctor.md', printed);
  });

  it('names every check', () => {
    const text = readFileSync(page, 'utf8');
    for (const { name } of doctor(well)) expect(text).to.match(new RegExp(`^\\| \`${name}\` `, 'm'));
  });
});
