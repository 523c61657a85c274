import { expect } from 'chai';
import fc from 'fast-check';
import { Standings, type StandingsInputs } from '../../../src/daemon/standings.ts';
import type { Node } from '../../../src/model/cluster.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { ProxyHealth, Standing } from '../../../src/model/probed.ts';
import { node } from '../../scene.ts';

const terms = { cordon: 'ignored', drainLimit: 300_000 } as const;

function inputs(rest: Partial<StandingsInputs> = {}): StandingsInputs {
  const nodes = [node('n1', ['10.0.0.11', '2001:db8:10::11']), node('n2', ['10.0.0.12'])];
  return {
    nodes,
    silent: new Set(),
    waiting: new Set(),
    hung: new Set(),
    terms,
    proxy: () => 'serves',
    proxyChanges: 0,
    lead: 0,
    now: 0,
    ...rest,
  };
}

function shown(standings: Standings): string {
  return [...standings.standings].map(([ip, standing]) => `${ip} ${standing}`).join(', ');
}

describe('how the nodes stand', () => {
  it('is told for each address, and is the same map as long as it is the same', () => {
    const standings = new Standings();
    expect(standings.read(inputs())).to.equal(false);
    expect(standings.read(inputs({ silent: new Set([parseIp('2001:db8:10::11')]) }))).to.equal(true);
    expect(shown(standings)).to.equal('2001:db8:10::11 silent');
    const { standings: before } = standings;
    expect(standings.read(inputs({ silent: new Set([parseIp('2001:db8:10::11')]) }))).to.equal(false);
    expect(standings.standings).to.equal(before);
    expect(standings.verdicts.get('n1')?.kind).to.equal('silent');
    expect(standings.verdicts.get('n2')?.kind).to.equal('carries');
  });

  it('changes with the time while a node drains, which begins anew when it drains again', () => {
    const standings = new Standings();
    const drains = (now: number) => inputs({ now, proxy: (name) => (name === 'n2' ? 'refuses' : 'serves') });
    expect(standings.isIdle).to.equal(true);
    standings.read(drains(1000));
    expect(standings.isIdle).to.equal(false);
    expect(shown(standings)).to.equal('10.0.0.12 draining');
    expect(standings.read(drains(300_999))).to.equal(false);
    expect(standings.read(drains(301_000))).to.equal(true);
    expect(shown(standings)).to.equal('10.0.0.12 drained');
    standings.read(inputs({ now: 302_000 }));
    expect([shown(standings), standings.isIdle]).to.deep.equal(['', true]);
    standings.read(drains(303_000));
    expect(shown(standings)).to.equal('10.0.0.12 draining');
    standings.read(inputs({ nodes: [], now: 304_000 }));
    expect(standings.isIdle).to.equal(true);
  });

  it('tells the agents of a drain before its traffic moves, and of its end after that', () => {
    const standings = new Standings();
    const drains = new Set<string>();
    const nodes = [node('n1', ['10.0.0.11', '10.0.0.14']), node('n2', ['10.0.0.12', '2001:db8:10::12'])];
    const at = (now: number, rest: Partial<StandingsInputs> = {}): string => {
      const proxy = (name: string) => (drains.has(name) ? 'refuses' : 'serves');
      const changed = standings.read(inputs({ nodes, proxy, lead: 1000, now, ...rest }));
      return `${changed ? 'new' : 'same'}: told ${standings.handing.join(' ')}; ${shown(standings)}`;
    };
    expect(at(0)).to.equal('same: told ; ');
    drains.add('n2');
    expect(at(10)).to.equal('new: told 10.0.0.12 2001:db8:10::12; ');
    const { handing } = standings;
    expect(at(1009)).to.equal('same: told 10.0.0.12 2001:db8:10::12; ');
    expect(standings.handing).to.equal(handing);
    expect(standings.verdicts.get('n2')?.kind).to.equal('draining');
    const gone = '10.0.0.12 draining, 2001:db8:10::12 draining';
    expect(at(1010)).to.equal(`new: told 10.0.0.12 2001:db8:10::12; ${gone}`);
    drains.delete('n2');
    expect(at(5000)).to.equal('new: told 10.0.0.12 2001:db8:10::12; ');
    expect(standings.isIdle).to.equal(false);
    expect(at(5999)).to.equal('same: told 10.0.0.12 2001:db8:10::12; ');
    expect(at(6000)).to.equal('new: told ; ');
    expect(standings.isIdle).to.equal(true);
    // Its second address is no nexthop.
    drains.add('n1');
    expect(at(7000)).to.equal('new: told 10.0.0.11; ');
    expect(at(8000, { silent: new Set([parseIp('10.0.0.11')]) })).to.equal(
      'new: told ; 10.0.0.11 silent, 10.0.0.14 draining',
    );
    expect(at(307_000)).to.equal('new: told ; 10.0.0.11 drained, 10.0.0.14 drained');
  });

  it('tells the agents for half a second before the traffic of a node that hangs moves', () => {
    const standings = new Standings();
    const at = (now: number, ...hung: readonly string[]): string => {
      standings.read(inputs({ hung: new Set(hung), lead: 1000, now }));
      return `told ${standings.handing.join(' ')}; ${shown(standings)}`;
    };
    expect(at(0)).to.equal('told ; ');
    expect(at(10, 'n2')).to.equal('told 10.0.0.12; ');
    expect(at(509, 'n2')).to.equal('told 10.0.0.12; ');
    expect(at(510, 'n2')).to.equal('told 10.0.0.12; 10.0.0.12 draining');
    expect(at(3000)).to.equal('told 10.0.0.12; ');
    expect(at(3999)).to.equal('told 10.0.0.12; ');
    expect(at(4000)).to.equal('told ; ');
    standings.read(inputs({ hung: new Set(['n2']), lead: 0, now: 5000 }));
    expect(shown(standings), 'where no agents are told').to.equal('10.0.0.12 draining');
  });

  it('asks for nothing again as long as its inputs are the same and no node drains', () => {
    const standings = new Standings();
    let asked = 0;
    let health: ProxyHealth = 'serves';
    const given = inputs({
      proxy: () => {
        asked += 1;
        return health;
      },
    });
    const costs = (rest: Partial<StandingsInputs>): boolean => {
      asked = 0;
      standings.read({ ...given, ...rest });
      return asked > 0;
    };
    expect(costs({})).to.equal(true);
    expect(costs({ now: 10 })).to.equal(false);
    for (const rest of [
      { nodes: [...given.nodes] },
      { silent: new Set<Ip>() },
      { waiting: new Set<Ip>() },
      { hung: new Set<string>() },
      { terms: { ...terms } },
      { proxyChanges: 1 },
    ]) {
      expect(costs(rest), Object.keys(rest).join()).to.equal(true);
      expect(costs({}), 'back').to.equal(true);
      expect(costs({})).to.equal(false);
    }
    health = 'refuses';
    expect(costs({ proxyChanges: 2 })).to.equal(true);
    expect(costs({ proxyChanges: 2, now: 20 }), 'the node drains, and time goes on').to.equal(true);
  });

  it('leaves the traffic of a node that drained before this program started where it is', () => {
    const standings = new Standings();
    standings.read(inputs({ proxy: (name) => (name === 'n2' ? 'refuses' : 'serves'), lead: 1000 }));
    expect(shown(standings)).to.equal('10.0.0.12 draining');
    expect(standings.handing).to.deep.equal(['10.0.0.12']);
  });

  describe('of an address that several Nodes have', () => {
    const living = node('n1', ['10.0.0.11']);
    const stale: readonly { readonly how: string; readonly rest: Partial<Node> }[] = [
      { how: 'is cordoned', rest: { unschedulable: true } },
      { how: 'is about to be deleted by the autoscaler', rest: { autoscalerDeletes: true } },
      { how: 'has the annotation', rest: { drain: 'true' } },
      { how: 'is being deleted', rest: { deleting: true, unschedulable: true } },
      { how: 'is left out', rest: { excludeLabel: '', unschedulable: true } },
      { how: 'is not ready', rest: { notReady: true, unschedulable: true } },
    ];
    for (const { how, rest } of stale)
      for (const name of ['n0', 'n2'])
        it(`is that of the Node that serves while the other one, ${name}, ${how}`, () => {
          const standings = new Standings();
          const nodes = [living, node(name, ['10.0.0.11'], rest)].sort((a, b) => (a.name < b.name ? -1 : 1));
          standings.read(inputs({ nodes, terms: { ...terms, cordon: 'drains' } }));
          expect(shown(standings)).to.equal('');
          expect(standings.handing).to.deep.equal([]);
        });

    it('drains when the last Node that could serve drains, and the agents hear of that before', () => {
      const standings = new Standings();
      const cordoned = new Set(['n2']);
      const at = (now: number, ...names: readonly string[]): string => {
        const nodes = names.map((name) => node(name, ['10.0.0.11'], { unschedulable: cordoned.has(name) }));
        standings.read(inputs({ nodes, terms: { ...terms, cordon: 'drains' }, lead: 1000, now }));
        return `told ${standings.handing.join(' ')}; ${shown(standings)}`;
      };
      expect(at(0, 'n1', 'n2')).to.equal('told ; ');
      cordoned.add('n1');
      expect(at(400_000, 'n1', 'n2')).to.equal('told 10.0.0.11; ');
      expect(at(401_000, 'n1', 'n2')).to.equal('told 10.0.0.11; 10.0.0.11 draining');
      expect(at(402_000, 'n2')).to.equal('told 10.0.0.11; 10.0.0.11 draining');
      cordoned.delete('n2');
      expect(at(403_000, 'n2')).to.equal('told 10.0.0.11; ');
      expect(at(404_000, 'n2')).to.equal('told ; ');
    });

    it('is what the specification says, after every step of random histories', () => {
      const ips = ['10.0.0.11', '10.0.0.12', '2001:db8:10::11'];
      const one = fc.record({
        addresses: fc.subarray(ips, { minLength: 1 }),
        unschedulable: fc.boolean(),
        excludeLabel: fc.option(fc.constant(''), { nil: undefined }),
        autoscalerDeletes: fc.boolean(),
      });
      const step = fc.record({
        nodes: fc.array(one, { maxLength: 4 }),
        silent: fc.subarray(ips),
        waiting: fc.subarray(ips),
        takes: fc.constantFrom(1, 100_000, 300_000),
      });
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
          const standings = new Standings();
          const since = new Map<string, number>();
          let now = 0;
          for (const { nodes: some, silent, waiting, takes } of steps) {
            now += takes;
            const nodes = some.map(({ addresses, ...rest }, at) => node(`n${at}`, addresses, rest));
            const seen = { silent: new Set(silent.map(parseIp)), waiting: new Set(waiting.map(parseIp)) };
            standings.read(inputs({ nodes, ...seen, terms: { ...terms, cordon: 'drains' }, now }));
            for (const ip of ips.map(parseIp))
              expect(standings.standings.get(ip), ip).to.equal(specified(ip, { nodes, ...seen, now, since }));
          }
        }),
        { numRuns: Number(process.env['EIPROUTE_HISTORIES'] ?? 300) },
      );
    });
  });
});

/** How an address stands: as that of the one machine that it is, which drains when every Node that could serve does. */
function specified(
  ip: Ip,
  {
    nodes,
    silent,
    waiting,
    now,
    since,
  }: Pick<StandingsInputs, 'nodes' | 'silent' | 'waiting' | 'now'> & { readonly since: Map<string, number> },
): Standing | undefined {
  const drains = ({ unschedulable, autoscalerDeletes }: Node): boolean => unschedulable || autoscalerDeletes;
  const holders = nodes.filter(({ addresses }) => addresses.includes(ip));
  const able = holders.filter(({ excludeLabel }) => excludeLabel === undefined);
  const asked = able.length > 0 ? able : holders;
  const isDraining = asked.length > 0 && asked.every(drains);
  if (!isDraining) since.delete(ip);
  else if (!since.has(ip)) since.set(ip, now);
  if (able.length === 0) return undefined;
  if (silent.has(ip)) return 'silent';
  if (!isDraining) return waiting.has(ip) ? 'waiting' : undefined;
  return now - (since.get(ip) ?? now) < terms.drainLimit ? 'draining' : 'drained';
}
