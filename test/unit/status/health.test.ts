import { expect } from 'chai';
import { type ApiRequest, feedFailure, requestTrouble } from '../../../src/cluster/failure.ts';
import { UnreachableError } from '../../../src/cluster/transport.ts';
import type { AnnounceStates } from '../../../src/desire/announcements.ts';
import type { GatewayDesire } from '../../../src/desire/gateway-desire.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import type { Feed, Snapshot } from '../../../src/model/cluster.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { Route } from '../../../src/model/object.ts';
import type { Problem, ProblemCode } from '../../../src/model/problem.ts';
import { clusterState, eipCounts, type GatewayFacts, gatewayHealth } from '../../../src/status/health.ts';
import type { Need } from '../../../src/status/need.ts';
import { frozenAfter } from '../../../src/status/state.ts';
import { endpoint, node, Scene, service, snapshot, threeNodes } from '../../scene.ts';

const names = (index: number): string => ['', 'lo', 'eth0', 'eth1'][index] ?? `if${index}`;
const now = 10_000_000;
const web = service('web', ['198.51.100.10', '2001:db8:e::10']);
const api = service('api', ['198.51.100.11'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n2')],
});
const idle = service('idle', ['198.51.100.12'], { endpoints: [] });
const feeds: readonly Feed[] = (['services', 'endpointslices', 'nodes'] as const).map((resource) => ({
  resource,
  synced: true,
  heard: now - 2000,
  trouble: undefined,
}));

function desireOf({ role }: Scene): GatewayDesire {
  if (role.gatewayDesire === undefined) throw new Error('a scene without tables');
  return role.gatewayDesire;
}

/** The facts after a round. */
async function facts(scene: Scene, rest: Partial<GatewayFacts> = {}): Promise<GatewayFacts> {
  const report = await scene.round('link');
  const desire = desireOf(scene);
  return {
    now,
    lan: 'eth0',
    report,
    unreadable: undefined,
    counts: desire.paths.counts,
    cluster: scene.cluster,
    source: 'kubernetes',
    dark: [],
    shadowed: 0,
    unrouted: () => desire.unrouted(),
    names,
    announceStates: undefined,
    ...rest,
  };
}

function cluster(services = [api, web], nodes = threeNodes, rest: Partial<Snapshot> = {}): Snapshot {
  return snapshot(nodes, services, { feeds, ...rest });
}

function said(from: GatewayFacts): string {
  const { state, summary } = gatewayHealth(from);
  return `${state}: ${summary}`;
}

function short({ kind, severity, subject, where, why }: Need): string {
  return `${severity} ${kind} ${subject} [${where ?? ''}] ${why}`;
}

function foreignRoute(eip: string): Route {
  return {
    kind: 'route',
    table: 254,
    dst: `${eip}/32` as Route['dst'],
    metric: 0,
    protocol: 4,
    type: 'unicast',
    nhid: undefined,
    hops: [{ via: parseIp('10.0.0.12'), link: 2, weight: 1 }],
    src: undefined,
  };
}

describe('a gateway that announces nothing', () => {
  const cases: readonly [announceStates: AnnounceStates, said: string][] = [
    [{ 4: 'announced', 6: 'announced' }, ''],
    [{ 4: 'draining', 6: 'draining' }, '; drained, nothing is announced'],
    [{ 4: 'standby', 6: 'standby' }, '; standby, nothing is announced'],
    [{ 4: 'announced', 6: 'standby' }, '; IPv6 on standby'],
    // That the LAN is dead is said already.
    [{ 4: 'no LAN', 6: 'no LAN' }, ''],
  ];
  for (const [announceStates, words] of cases)
    it(`is OK and says so: ${announceStates[4]}, ${announceStates[6]}`, async () => {
      const plain = await facts(new Scene(cluster()));
      expect(said({ ...plain, announceStates })).to.equal(`${said(plain)}${words}`);
      expect(gatewayHealth({ ...plain, announceStates }).state).to.equal('OK');
    });
});

describe('the state of a gateway', () => {
  it('is OK when all that should be there is in the kernel', async () => {
    const found = await facts(new Scene(cluster()));
    expect(said(found)).to.equal('OK: 3 of 3 EIPs routed over 3 nodes');
    expect(gatewayHealth(found).needs()).to.deep.equal([]);
    expect(said(await facts(new Scene(cluster([], [], {}))))).to.equal('OK: 0 of 0 EIPs routed over 0 nodes');
  });

  it('counts what no node can serve, which is no fault of the gateway', async () => {
    expect(said(await facts(new Scene(cluster([api, idle]))))).to.equal(
      'OK: 1 of 1 EIP routed over 1 node; 1 that no node can serve',
    );
  });

  it('is DEGRADED without its LAN: what should be routed counts, and not what can be', async () => {
    const scene = new Scene(cluster());
    scene.settings = { ...scene.settings, lan: 'enp9s0' };
    const found = await facts(scene, { lan: 'enp9s0' });
    expect(said(found)).to.equal('DEGRADED: interface enp9s0 does not exist: 0 of 3 EIPs are routed');
    const needs = gatewayHealth(found).needs();
    expect(needs.map(({ kind, subject }) => `${kind} ${subject}`)).to.deep.equal([
      'INTERFACE interface enp9s0',
    ]);
  });

  it('is DEGRADED while the LAN that it had is down', async () => {
    const scene = new Scene(cluster());
    await scene.round();
    scene.world.linkDown('eth0');
    expect(said(await facts(scene))).to.equal('DEGRADED: interface eth0 is down: 0 of 3 EIPs are routed');
  });

  it('is DEGRADED without its uplink, and says so before the EIPs that are routed', async () => {
    const scene = new Scene(cluster());
    await scene.round();
    scene.world.linkDown('eth1');
    expect(said(await facts(scene))).to.equal(
      'DEGRADED: interface eth1 is down; 3 of 3 EIPs routed over 3 nodes',
    );
    scene.world.linkDown('eth0');
    expect(said(await facts(scene))).to.equal(
      'DEGRADED: interface eth1 is down; interface eth0 is down: 0 of 3 EIPs are routed',
    );
  });

  it('is DEGRADED with a foreign route in the place of an EIP, which is not routed', async () => {
    const scene = new Scene(cluster());
    scene.world.add(foreignRoute('198.51.100.10'));
    const found = await facts(scene);
    expect(said(found)).to.equal('DEGRADED: 2 of 3 EIPs routed over 3 nodes; 1 in conflict');
    expect(eipCounts(found)).to.deep.include({ wanted: 3, routed: 2, conflict: 1 });
    const [need] = gatewayHealth(found).needs();
    expect(need).to.deep.equal({
      kind: 'CONFLICT',
      code: 'conflict',
      severity: 'error',
      subject: '198.51.100.10',
      where: 'default/web',
      why: 'held by "via 10.0.0.12 dev eth0 proto 4"',
      advice: 'delete it: ip route delete 198.51.100.10 via 10.0.0.12 dev eth0 proto 4',
      eip: '198.51.100.10',
    });
  });

  it('is DEGRADED with what the kernel refuses, and what is held for it', async () => {
    const scene = new Scene(cluster([api]));
    scene.kernel.failNext((change) => change.verb === 'add' && change.want.kind === 'route', 'EPERM');
    const found = await facts(scene);
    expect(said(found)).to.equal('DEGRADED: 1 of 1 EIP routed over 1 node; 1 refused by the kernel');
    const held = new Scene(cluster([web, api]));
    await held.round();
    held.cluster = cluster([]);
    const waiting = await facts(held);
    expect(said(waiting)).to.match(/^DEGRADED: 0 of 0 EIPs routed over 0 nodes; \d+ held$/);
    expect(gatewayHealth(waiting).needs().map(short)).to.deep.equal([
      'error HELD 198.51.100.10, 2001:db8:e::10, 198.51.100.11 [] 3 changes held: too much would vanish at once',
    ]);
  });

  it('is DEGRADED with two Services on one address and port', async () => {
    const twins = [service('web0', ['198.51.100.10']), service('dup', ['198.51.100.10'])];
    const found = await facts(new Scene(cluster(twins)));
    expect(said(found)).to.equal('DEGRADED: 1 of 1 EIP routed over 3 nodes; 1 problem');
    expect(gatewayHealth(found).needs().map(short)).to.deep.equal([
      'error EIP 198.51.100.10 TCP/80 [] Services default/dup and default/web0 hold 198.51.100.10 with the same port TCP/80: kube-proxy serves one of them, and clients of the others reach the wrong one',
    ]);
  });

  it('is DEGRADED with an EIP whose nodes the kernel all refuses', async () => {
    const far = cluster([service('web', ['198.51.100.10'])], [node('far', ['10.9.9.9'])]);
    const found = await facts(new Scene(far));
    expect(said(found)).to.equal(
      'DEGRADED: 0 of 1 EIP routed over 1 node; 1 refused by the kernel; 1 problem',
    );
    expect(
      gatewayHealth(found)
        .needs()
        .map(({ kind, subject }) => `${kind} ${subject}`),
    ).to.include('MISSING 198.51.100.10');
  });

  it('is DEGRADED with an EIP that leads to no node that answers', async () => {
    const found = await facts(new Scene(cluster()), { dark: [parseIp('198.51.100.11')] });
    expect(said(found)).to.equal('DEGRADED: 3 of 3 EIPs routed over 3 nodes; 1 without a node that answers');
    expect(
      gatewayHealth(found)
        .needs()
        .map(({ kind, subject }) => `${kind} ${subject}`),
    ).to.deep.equal(['DARK 198.51.100.11']);
  });

  it('stays OK with what only a person may want to look at', async () => {
    const outside = service('outside', ['203.0.113.77']);
    const found = await facts(new Scene(cluster([api, outside])));
    expect(said(found)).to.equal('OK: 1 of 1 EIP routed over 1 node; 1 warning');
    expect(
      gatewayHealth(found)
        .needs()
        .map(({ severity, kind }) => `${severity} ${kind}`),
    ).to.deep.equal(['warn EIP']);
  });

  describe('by its clocks', () => {
    const silent = (
      ms: number,
      trouble?: string,
      of: readonly string[] = feeds.map(({ resource }) => resource),
    ) => feeds.map((feed) => (of.includes(feed.resource) ? { ...feed, heard: now - ms, trouble } : feed));

    it('is FROZEN once the API has not answered for too long, however well all is routed', async () => {
      const quiet = cluster([api, web], threeNodes, { feeds: silent(48_900, 'connect ETIMEDOUT') });
      const found = await facts(new Scene(quiet));
      expect(said(found)).to.equal('FROZEN: no answer from the API for 48 s; 3 EIPs stay as they were');
      expect(gatewayHealth(found).needs().map(short)).to.deep.equal([
        'error API services, endpointslices, nodes [] connect ETIMEDOUT; last heard 48 s ago',
      ]);
    });

    it('is FROZEN without a trouble as well: a clock needs no error', async () => {
      const found = await facts(new Scene(cluster([api], threeNodes, { feeds: silent(frozenAfter + 1) })));
      expect(said(found)).to.equal('FROZEN: no answer from the API for 45 s; 1 EIP stays as it was');
    });

    it('names the resource when the others are heard', async () => {
      const deaf = silent(60_000, 'HTTP 403', ['nodes']);
      const found = await facts(new Scene(cluster([api], threeNodes, { feeds: deaf })));
      expect(said(found)).to.equal(
        'FROZEN: no answer from the API about nodes for 1 min; 1 EIP stays as it was',
      );
    });

    it('is not FROZEN before', async () => {
      const brief = cluster([api], threeNodes, { feeds: silent(frozenAfter, 'connect ECONNREFUSED') });
      const found = await facts(new Scene(brief));
      expect(said(found)).to.equal(
        'OK: 1 of 1 EIP routed over 1 node; no answer about services, endpointslices, nodes',
      );
      expect(
        gatewayHealth(found)
          .needs()
          .map(({ severity, kind }) => `${severity} ${kind}`),
      ).to.deep.equal(['warn API']);
    });

    it('is not FROZEN by a file that nobody writes, but by one that cannot be read', async () => {
      const old = silent(3_600_000);
      const found = await facts(new Scene(cluster([api], threeNodes, { feeds: old })), { source: 'file' });
      expect(said(found)).to.equal('OK: 1 of 1 EIP routed over 1 node');
      const gone = silent(3_600_000, 'ENOENT');
      const lost = await facts(new Scene(cluster([api], threeNodes, { feeds: gone })), { source: 'file' });
      expect(said(lost)).to.equal('FROZEN: no answer from the source file for 1 h; 1 EIP stays as it was');
    });
  });

  describe('is NOT SYNCED', () => {
    const error = new KernelError('EIO', 'dump interrupted');

    it('before the first round', async () => {
      expect(said(await facts(new Scene(cluster()), { report: undefined }))).to.equal('NOT SYNCED: starting');
    });

    it('while the kernel cannot be read', async () => {
      const found = await facts(new Scene(cluster()), { unreadable: { error, failures: 2, retryIn: 5 } });
      expect(said(found)).to.equal(
        'NOT SYNCED: cannot read the kernel: EIO: dump interrupted; routes stay as they are',
      );
      expect(
        gatewayHealth(found)
          .needs()
          .map(({ kind }) => kind),
      ).to.deep.equal(['KERNEL']);
    });

    it('while a list is missing, in the round or since', async () => {
      const some = feeds.map((feed) => (feed.resource === 'nodes' ? { ...feed, synced: false } : feed));
      const missing = cluster([api], threeNodes, { complete: false, feeds: some });
      expect(said(await facts(new Scene(missing)))).to.equal(
        'NOT SYNCED: no complete list of nodes yet; 1 EIP stays as it was',
      );
      const since = await facts(new Scene(cluster([api])), { cluster: missing });
      expect(said(since)).to.match(/^NOT SYNCED: no complete list of nodes yet/);
      const just = await facts(new Scene(missing), { cluster: cluster([api]) });
      expect(said(just)).to.equal('NOT SYNCED: the lists of the cluster are just in; 1 EIP stays as it was');
    });

    it('and says why a list is missing', async () => {
      const refused = feeds.map((feed) => ({
        ...feed,
        synced: false,
        heard: undefined,
        trouble: 'connect ECONNREFUSED',
      }));
      const found = await facts(new Scene(cluster([], [], { complete: false, feeds: refused })));
      expect(said(found)).to.equal(
        'NOT SYNCED: no complete list of services, endpointslices, nodes yet: connect ECONNREFUSED',
      );
      expect(gatewayHealth(found).needs().map(short)).to.deep.equal([
        'error API services, endpointslices, nodes [] connect ECONNREFUSED; never heard',
      ]);
    });
  });
});

describe('what needs a person', () => {
  it('comes the most urgent first, and then by address', async () => {
    const services = ['198.51.100.9', '198.51.100.10', '198.51.100.100', '2001:db8:e::1'].map((eip, i) =>
      service(`s${i}`, [eip]),
    );
    const scene = new Scene(cluster([...services, service('outside', ['203.0.113.77'])]));
    for (const eip of ['198.51.100.100', '198.51.100.9', '198.51.100.10']) scene.world.add(foreignRoute(eip));
    const needs = gatewayHealth(await facts(scene)).needs();
    expect(needs.map(({ kind, subject }) => `${kind} ${subject}`)).to.deep.equal([
      'CONFLICT 198.51.100.9',
      'CONFLICT 198.51.100.10',
      'CONFLICT 198.51.100.100',
      'EIP 203.0.113.77 of Service default/outside',
    ]);
  });

  it('is one entry for an API that cannot be reached, whatever follows from it', async () => {
    const unreachable = new UnreachableError(
      'https://10.0.0.10:6443',
      'kc',
      Object.assign(new Error(), { code: 'ECONNREFUSED' }),
    );
    const trouble = feedFailure(unreachable, 'nodes', 'silent');
    const follows = (code: ProblemCode, request: ApiRequest): Problem => ({
      code,
      severity: 'error',
      subject: code,
      message: `the API takes no writes: ${requestTrouble(unreachable, request, 'ready').message}`,
      advice: 'wait',
    });
    const scene = new Scene(
      cluster([api, web], threeNodes, { feeds: feeds.map((feed) => ({ ...feed, trouble })) }),
    );
    const of = await facts(scene);
    const { report } = of;
    if (report === undefined) throw new Error('no report');
    const problems = [
      follows('allocation-refused', 'patch services/status'),
      follows('lease-trouble', 'get leases'),
      { ...follows('status-refused', 'patch services'), service: 'default/web' },
    ];
    const needs = gatewayHealth({ ...of, report: { ...report, problems } }).needs();
    expect(needs.map(({ kind }) => kind)).to.deep.equal(['API', 'STATUS']);
    expect(needs[0]?.advice).to.equal(
      'all that is routed stays as it is; no Service gets an address meanwhile; it is tried again by itself',
    );
  });

  it('is one entry for an API that says nothing, in whatever words its requests ended', async () => {
    const lost: Problem = {
      code: 'lease-trouble',
      severity: 'warn',
      subject: 'Lease',
      message: 'the Lease cannot be held: get leases: no answer within 5 s',
      advice: 'check: curl',
      unanswered: true,
    };
    const trouble = 'the API server has been silent for 30 s';
    const needsOf = async (all: readonly Feed[], problem: Problem) => {
      const of = await facts(new Scene(cluster([api, web], threeNodes, { feeds: all })));
      if (of.report === undefined) throw new Error('no report');
      const health = gatewayHealth({ ...of, report: { ...of.report, problems: [problem] } });
      return health.needs().map(({ kind }) => kind);
    };
    const failing = feeds.map((feed) => ({ ...feed, trouble }));
    expect(await needsOf(failing, lost)).to.deep.equal(['API']);
    const { unanswered: _, ...told } = lost;
    expect(await needsOf(failing, told)).to.deep.equal(['API', 'LEASE']);
    // Nobody else tells it.
    expect(await needsOf(feeds, lost)).to.deep.equal(['LEASE']);
  });

  it('always says what, why, and what to do', async () => {
    const scene = new Scene(cluster([...['a', 'b'].map((name) => service(name, ['198.51.100.10'])), web]));
    scene.world.add(foreignRoute('198.51.100.10'));
    const needs = gatewayHealth(await facts(scene, { dark: [parseIp('2001:db8:e::10')] })).needs();
    expect(needs.length).to.be.greaterThan(2);
    for (const need of needs)
      for (const text of [need.kind, need.subject, need.why, need.advice]) expect(text).not.to.equal('');
  });
});

describe('the state of a gateway before two clusters', () => {
  const of = (name: string, rest: Partial<Feed> = {}): readonly Feed[] =>
    feeds.map((feed) => ({ ...feed, cluster: name, ...rest }));
  const two = (east: readonly Feed[], complete: boolean) =>
    cluster(undefined, undefined, {
      feeds: [...east, ...of('west')],
      complete,
      clusters: [
        { name: 'east', complete, remembered: false },
        { name: 'west', complete: true, remembered: false },
      ],
    });

  it('is FROZEN for the one that is silent, and says that the other goes on', async () => {
    const old = of('east', { heard: now - frozenAfter - 1, trouble: 'no answer in time' });
    const from = await facts(new Scene(two(old, true)));
    expect(said(from)).to.match(
      /^FROZEN: no answer from the API of cluster east for .*: what it has stays as it was, west goes on; 3 of 3 EIPs routed$/,
    );
    expect(['east', 'west'].map((name) => clusterState(from, name))).to.deep.equal(['FROZEN', 'OK']);
    const [need] = gatewayHealth(from).needs();
    expect(need && short(need)).to.match(
      /^error API services, endpointslices, nodes \[cluster east\] no answer in time/,
    );
  });

  it('is NOT SYNCED while one was never listed, and names it', async () => {
    const missing = of('east', { synced: false, heard: undefined, trouble: 'connection refused' });
    const from = await facts(new Scene(two(missing, false)));
    expect(said(from)).to.equal(
      'NOT SYNCED: no complete list of services, endpointslices, nodes of cluster east yet: connection refused; 3 of 3 EIPs routed',
    );
    expect(['east', 'west'].map((name) => clusterState(from, name))).to.deep.equal(['NOT SYNCED', 'OK']);
  });
});
