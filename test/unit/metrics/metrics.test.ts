import { expect } from 'chai';
import fc from 'fast-check';
import type { MetricSources } from '../../../src/metrics/family.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { parsePrefix } from '../../../src/model/ip.ts';
import { noCounts, type Route } from '../../../src/model/object.ts';
import type { PlannedChange } from '../../../src/reconcile/report.ts';
import type { Figures } from '../../../src/status/status.ts';
import { degraded, frozen, noLan, well } from '../status/samples.ts';

const process = {
  cpuSeconds: 1.5,
  activeSeconds: 1.25,
  residentBytes: 100_000_000,
  heapBytes: 20_000_000,
  openFiles: 30,
  started: 1_700_000_000_000,
};

function sources(metrics: Metrics, figures: Figures, rest: Partial<MetricSources> = {}): MetricSources {
  return {
    figures,
    tally: metrics.tally,
    reload: { refused: false, taken: 1_700_000_001_000 },
    credentialsEnd: undefined,
    leaseTransitions: 4,
    process,
    clockSet: 0,
    ...rest,
  };
}

/** The lines of one metric, without its help and type. */
async function shows(metrics: Metrics, of: MetricSources, name: string): Promise<readonly string[]> {
  const text = await metrics.text(of);
  return text.split('\n').filter((line) => new RegExp(`^${name}(_bucket|_sum|_count)?[{ ]`).test(line));
}

const route: Route = {
  kind: 'route',
  table: 254,
  dst: parsePrefix('198.51.100.7/32'),
  metric: 0,
  protocol: 86,
  type: 'unicast',
  nhid: 861_000_000,
  hops: [],
  src: undefined,
};

const added: PlannedChange = {
  verb: 'add',
  key: 'route 254 198.51.100.7/32 0',
  want: route,
  why: { text: 'default/web' },
};

describe('the metrics of a gateway', () => {
  it('say the state that the status says', async () => {
    for (const [sample, state] of [
      [await well(), 'ok'],
      [await degraded(), 'degraded'],
      [await frozen(), 'frozen'],
    ] as const) {
      const metrics = new Metrics('gateway');
      const of = sources(metrics, sample.figures);
      expect(await shows(metrics, of, 'eiproute_state')).to.deep.equal(
        ['ok', 'degraded', 'frozen', 'not_synced'].map(
          (one) => `eiproute_state{state="${one}"} ${one === state ? 1 : 0}`,
        ),
      );
      expect(await shows(metrics, of, 'eiproute_synced')).to.deep.equal([
        `eiproute_synced ${sample.status.synced ? 1 : 0}`,
      ]);
    }
  });

  it('count EIPs by state, and name none of them', async () => {
    const metrics = new Metrics('gateway');
    const of = sources(metrics, (await degraded()).figures);
    expect(await shows(metrics, of, 'eiproute_eips_wanted')).to.deep.equal(['eiproute_eips_wanted 71']);
    expect(await shows(metrics, of, 'eiproute_eips')).to.deep.equal([
      'eiproute_eips{state="routed"} 69',
      'eiproute_eips{state="conflict"} 2',
      'eiproute_eips{state="refused"} 0',
      'eiproute_eips{state="held"} 0',
      'eiproute_eips{state="dark"} 0',
      'eiproute_eips{state="shadowed"} 0',
      'eiproute_eips{state="idle"} 1',
    ]);
    expect(await metrics.text(of)).not.to.match(/198\.51\.100|default\/web/);
  });

  it('have a series for each node that is known, and none for one that was never asked', async () => {
    const metrics = new Metrics('gateway');
    const { figures } = await degraded();
    expect(await shows(metrics, sources(metrics, figures), 'eiproute_node_up')).to.deep.equal([
      'eiproute_node_up{node="node1"} 1',
      'eiproute_node_up{node="node2"} 1',
      'eiproute_node_up{node="node3"} 0',
    ]);
    expect(await shows(metrics, sources(metrics, figures), 'eiproute_node_neighbour_state')).to.deep.equal([
      'eiproute_node_neighbour_state{node="node1",state="REACHABLE"} 1',
      'eiproute_node_neighbour_state{node="node2",state="REACHABLE"} 1',
      'eiproute_node_neighbour_state{node="node3",state="FAILED"} 1',
    ]);
    const unknown = figures.gateway && {
      ...figures,
      gateway: {
        ...figures.gateway,
        nodes: figures.gateway.nodes.map((node) => ({ ...node, answers: 'unknown' as const })),
      },
    };
    if (unknown === undefined) throw new Error('no figures of a gateway');
    // Also after a scrape that had them: a node that is gone must not stay.
    expect(await shows(metrics, sources(metrics, unknown), 'eiproute_node_up')).to.deep.equal([]);
  });

  it('leave out what is not known, and say it once it is', async () => {
    const metrics = new Metrics('gateway');
    const { figures } = await well();
    const name = 'eiproute_credentials_expiry_timestamp_seconds';
    const end = 1_800_000_000_000;
    expect(await shows(metrics, sources(metrics, figures), name)).to.deep.equal([]);
    expect(await shows(metrics, sources(metrics, figures, { credentialsEnd: end }), name)).to.deep.equal([
      `${name} 1800000000`,
    ]);
    expect(await shows(metrics, sources(metrics, figures), name)).to.deep.equal([]);
  });

  it('have every counter from the start, at 0: a rate needs a sample from before the first', async () => {
    for (const role of ['gateway', 'node'] as const) {
      const metrics = new Metrics(role);
      const { figures } = await well();
      const text = await metrics.text(sources(metrics, figures));
      const of = (name: string, rest = ''): readonly string[] =>
        text
          .split('\n')
          .filter((line) => line.startsWith(`${name}${rest}{`) || line.startsWith(`${name}${rest} `));
      for (const [, name = '', type] of text.matchAll(/^# TYPE (\S+) (counter|histogram)$/gm)) {
        const isOfProcess = /^(process|nodejs)_/.test(name);
        const samples = of(name, type === 'histogram' ? '_count' : '');
        expect(samples, name).to.not.deep.equal([]);
        if (!isOfProcess && name !== 'eiproute_lease_transitions_total')
          expect(
            samples.every((line) => line.endsWith(' 0')),
            name,
          ).to.equal(true);
      }
      const kinds = Object.keys(noCounts).sort();
      const kindsOf = (name: string): readonly string[] =>
        [...new Set(of(name).map((line) => /kind="([-\w]+)"/.exec(line)?.[1] ?? ''))].sort();
      expect(kindsOf('eiproute_repairs_total')).to.deep.equal(kinds);
      expect(kindsOf('eiproute_kernel_changes_total')).to.deep.equal(kinds);
      expect(of('eiproute_kernel_changes_total')).to.have.length(kinds.length * 3);
      expect(of('eiproute_round_duration_seconds', '_count')).to.have.length(2);
    }
  });

  it('are written as if for the first time, whatever was asked before, and by how many at once', async () => {
    const histories = await Promise.all([well(), degraded(), frozen(), noLan()]);
    const asked = fc.array(
      fc.record({
        sample: fc.constantFrom(...histories),
        nodes: fc.array(fc.constantFrom('a', 'b', 'c"\\'), { maxLength: 3 }),
        end: fc.option(fc.constantFrom(1000, 2000), { nil: undefined }),
        open: fc.integer({ min: 3, max: 5 }),
      }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(asked, async (questions) => {
        const metrics = new Metrics('gateway');
        const all = questions.map(({ sample: { figures }, nodes, end, open }) => {
          const [node] = figures.gateway?.nodes ?? [];
          const gateway = figures.gateway && {
            ...figures.gateway,
            nodes: nodes.flatMap((name) => (node ? [{ ...node, name }] : [])),
          };
          return sources(
            metrics,
            { ...figures, gateway },
            { credentialsEnd: end, process: { ...process, openFiles: open } },
          );
        });
        const first = await Promise.all(all.map((of) => new Metrics('gateway').text(of)));
        for (const [i, of] of all.entries()) expect(await metrics.text(of)).to.equal(first[i]);
        expect(await Promise.all(all.map((of) => metrics.text(of)))).to.deep.equal(first);
      }),
      { numRuns: 30 },
    );
  });

  it('let events go first while they are written', async () => {
    const metrics = new Metrics('gateway');
    const { figures } = await well();
    const [node] = figures.gateway?.nodes ?? [];
    if (figures.gateway === undefined || node === undefined) throw new Error('no nodes');
    const nodes = Array.from({ length: 5000 }, (_, i) => ({ ...node, name: `n${i}` }));
    let turns = 0;
    const count = (): void => {
      turns += 1;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    await metrics.text(sources(metrics, { ...figures, gateway: { ...figures.gateway, nodes } }));
    clearImmediate(next);
    expect(turns).to.be.above(1);
  });

  it('add up what rounds have changed and repaired', async () => {
    const metrics = new Metrics('gateway');
    const { figures } = await well();
    const round = { duration: 3, dumped: false };
    metrics.rounded({ ...round, done: [added], repaired: new Set() }, 4);
    metrics.rounded({ ...round, done: [added], repaired: new Set([added.key]) }, undefined);
    metrics.rounded({ ...round, dumped: true, done: [], repaired: new Set() }, 700);
    const of = sources(metrics, figures);
    // Asked twice: a sum that is read must not be added again.
    await metrics.text(of);
    const counted = async (name: string): Promise<readonly string[]> =>
      (await shows(metrics, of, name)).filter((line) => !line.endsWith(' 0'));
    expect(await counted('eiproute_kernel_changes_total')).to.deep.equal([
      'eiproute_kernel_changes_total{kind="route",verb="add"} 2',
    ]);
    expect(await counted('eiproute_repairs_total')).to.deep.equal(['eiproute_repairs_total{kind="route"} 1']);
    const rounds = await shows(metrics, of, 'eiproute_round_duration_seconds');
    expect(rounds).to.include('eiproute_round_duration_seconds_count{dump="no"} 2');
    expect(rounds).to.include('eiproute_round_duration_seconds_bucket{le="0.0025",dump="no"} 0');
    expect(rounds).to.include('eiproute_round_duration_seconds_bucket{le="0.005",dump="no"} 2');
    // A round that changes nothing is no way of an event to the kernel.
    expect(await shows(metrics, of, 'eiproute_event_to_kernel_seconds')).to.include.members([
      'eiproute_event_to_kernel_seconds_count 1',
      'eiproute_event_to_kernel_seconds_sum 0.004',
    ]);
  });

  it('write names of strangers so that they stay labels', async () => {
    const metrics = new Metrics('gateway');
    const { figures } = await well();
    const { gateway } = figures;
    const [node] = gateway?.nodes ?? [];
    if (gateway === undefined || node === undefined) throw new Error('no nodes');
    const odd = { ...figures, gateway: { ...gateway, nodes: [{ ...node, name: 'a"} 7\nup{x="\\' }] } };
    expect(await shows(metrics, sources(metrics, odd), 'eiproute_node_ready')).to.deep.equal([
      'eiproute_node_ready{node="a\\"} 7\\nup{x=\\"\\\\"} 1',
    ]);
  });
});

describe('every metric of a gateway', () => {
  const none = noCounts;

  /** What Prometheus reads, without help, types and the two histograms: each figure is another number. */
  async function everything(of: 'as it is' | 'unknown', clockSet = 0): Promise<readonly string[]> {
    const metrics = new Metrics('gateway');
    metrics.rounded({ duration: 3, dumped: false, done: [added], repaired: new Set([added.key]) }, 4);
    const { figures } = await degraded();
    const { gateway } = figures;
    const [node] = gateway?.nodes ?? [];
    if (gateway === undefined || node === undefined) throw new Error('no figures of a gateway');
    const nodes = [
      { ...node, name: 'n1', answers: 'yes', ready: false, neighbour: 'STALE' },
      { ...node, name: 'n2', answers: 'no', ready: true, neighbour: undefined },
    ] as const;
    const figured: Figures = {
      ...figures,
      state: 'FROZEN',
      release: '1.2.3',
      round: 1_700_000_002_000,
      wanted: { ...none, route: 11, rule: 12 },
      installed: { ...none, route: 13, nft: 14 },
      conflicts: 15,
      refused: 16,
      held: 17,
      problems: { error: 18, warn: 19 },
      gateway: {
        eips: {
          wanted: 21,
          routed: 22,
          conflict: 23,
          refused: 24,
          held: 25,
          dark: 26,
          shadowed: 28,
          idle: 27,
        },
        nodes,
        heard: [
          { resource: 'services', at: 1_700_000_003_000 },
          { resource: 'nodes', at: undefined },
        ],
        pools: [
          { name: 'public', family: 4, size: 31, used: 32 },
          { name: 'vast', family: 6, size: null, used: 33 },
        ],
        waiting: 34,
        leases: [{ leads: true }],
        conntrack: { entries: 38, limit: 39 },
        announce: {
          table: 87,
          segment: 'eth1',
          claimed: 1,
          claims: 37,
          ipv4: { state: 'announced', eips: 35 },
          ipv6: { state: 'draining', eips: 36 },
          drainingSince: undefined,
        },
      },
    };
    const unknown: Figures = {
      ...figures,
      round: undefined,
      gateway: {
        ...gateway,
        nodes: [],
        heard: [],
        pools: [],
        waiting: undefined,
        leases: [],
        announce: undefined,
      },
    };
    const text = await metrics.text(
      sources(metrics, of === 'unknown' ? unknown : figured, {
        reload: { refused: true, taken: 1_700_000_001_000 },
        credentialsEnd: of === 'unknown' ? undefined : 1_800_000_000_000,
        leaseTransitions: of === 'unknown' ? undefined : 37,
        clockSet,
      }),
    );
    return text.split('\n').filter(
      (line) =>
        /^\w/.test(line) &&
        !/_(bucket|sum|count)[{ ]/.test(line) &&
        // Every kind of object has its figures, most of them 0.
        !/kind="[-\w]+"(,\w+="\w+")?} 0$/.test(line),
    );
  }

  it('says its own figure', async () => {
    expect(await everything('as it is')).to.deep.equal([
      'eiproute_build_info{version="1.2.3",role="gateway"} 1',
      'eiproute_synced 0',
      'eiproute_state{state="ok"} 0',
      'eiproute_state{state="degraded"} 0',
      'eiproute_state{state="frozen"} 1',
      'eiproute_state{state="not_synced"} 0',
      'eiproute_problems{severity="error"} 18',
      'eiproute_problems{severity="warn"} 19',
      'eiproute_conflicts 15',
      'eiproute_refused_changes 16',
      'eiproute_held_changes 17',
      'eiproute_kernel_objects{kind="route",state="wanted"} 11',
      'eiproute_kernel_objects{kind="rule",state="wanted"} 12',
      'eiproute_kernel_objects{kind="nft",state="installed"} 14',
      'eiproute_kernel_objects{kind="route",state="installed"} 13',
      'eiproute_eips_wanted 21',
      'eiproute_eips{state="routed"} 22',
      'eiproute_eips{state="conflict"} 23',
      'eiproute_eips{state="refused"} 24',
      'eiproute_eips{state="held"} 25',
      'eiproute_eips{state="dark"} 26',
      'eiproute_eips{state="shadowed"} 28',
      'eiproute_eips{state="idle"} 27',
      'eiproute_node_up{node="n1"} 1',
      'eiproute_node_up{node="n2"} 0',
      'eiproute_node_ready{node="n1"} 0',
      'eiproute_node_ready{node="n2"} 1',
      'eiproute_node_neighbour_state{node="n1",state="STALE"} 1',
      'eiproute_announced_eips{family="4"} 35',
      'eiproute_announced_eips{family="6"} 36',
      'eiproute_announcing{family="4"} 1',
      'eiproute_announcing{family="6"} 0',
      'eiproute_claimed_eips 1',
      'eiproute_eip_claims_total 37',
      'eiproute_conntrack_entries 38',
      'eiproute_conntrack_limit 39',
      'eiproute_pool_addresses{pool="public",family="4"} 31',
      'eiproute_pool_addresses_in_use{pool="public",family="4"} 32',
      'eiproute_pool_addresses_in_use{pool="vast",family="6"} 33',
      'eiproute_pool_waiting_services 34',
      'eiproute_leader 1',
      'eiproute_lease_transitions_total 37',
      'eiproute_api_last_heard_timestamp_seconds{resource="services"} 1700000003',
      'eiproute_credentials_expiry_timestamp_seconds 1800000000',
      'eiproute_config_reload_success 0',
      'eiproute_config_reload_timestamp_seconds 1700000001',
      'eiproute_repairs_total{kind="route"} 1',
      'eiproute_kernel_changes_total{kind="route",verb="add"} 1',
      'eiproute_last_round_timestamp_seconds 1700000002',
      'process_cpu_seconds_total 1.5',
      'process_resident_memory_bytes 100000000',
      'process_open_fds 30',
      'process_start_time_seconds 1700000000',
      'nodejs_heap_size_used_bytes 20000000',
      'nodejs_eventloop_active_seconds_total 1.25',
    ]);
  });

  it('says when something was by the clock of the machine, also where this was set since the start', async () => {
    const times = (lines: readonly string[]): readonly (string | undefined)[] =>
      ['last_round', 'api_last_heard'].map((name) =>
        lines.find((line) => line.startsWith(`eiproute_${name}_`))?.replace(/^.* /, ''),
      );
    expect(times(await everything('as it is'))).to.deep.equal(['1700000002', '1700000003']);
    expect(times(await everything('as it is', -3_600_000))).to.deep.equal(['1699996402', '1699996403']);
  });

  it('is absent as long as its figure is not known', async () => {
    const names = new Set((await everything('unknown')).map((line) => /^\w+/.exec(line)?.[0]));
    const known = new Set((await everything('as it is')).map((line) => /^\w+/.exec(line)?.[0]));
    expect([...known.difference(names)]).to.deep.equal([
      'eiproute_node_up',
      'eiproute_node_ready',
      'eiproute_node_neighbour_state',
      'eiproute_announced_eips',
      'eiproute_announcing',
      'eiproute_claimed_eips',
      'eiproute_conntrack_entries',
      'eiproute_conntrack_limit',
      'eiproute_pool_addresses',
      'eiproute_pool_addresses_in_use',
      'eiproute_pool_waiting_services',
      'eiproute_leader',
      'eiproute_lease_transitions_total',
      'eiproute_api_last_heard_timestamp_seconds',
      'eiproute_credentials_expiry_timestamp_seconds',
      'eiproute_last_round_timestamp_seconds',
    ]);
  });
});

describe('the metrics of a node agent', () => {
  it('say which gateways answer, and nothing of EIPs', async () => {
    const metrics = new Metrics('node');
    const { figures } = await well();
    const agent: Figures = {
      ...figures,
      role: 'node',
      gateway: undefined,
      gateways: [
        { address: '10.0.0.1', mac: '02:00:5e:00:53:01', table: 101, mark: '0x00100000' },
        { address: '10.0.0.2', mac: undefined, table: 102, mark: '0x00200000' },
      ],
    };
    const of = sources(metrics, agent);
    expect(await shows(metrics, of, 'eiproute_node_gateway_up')).to.deep.equal([
      'eiproute_node_gateway_up{gateway="10.0.0.1"} 1',
      'eiproute_node_gateway_up{gateway="10.0.0.2"} 0',
    ]);
    expect(await metrics.text(of)).not.to.match(/eiproute_eips|eiproute_pool/);
  });
});
