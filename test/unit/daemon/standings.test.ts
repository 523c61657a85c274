import { expect } from 'chai';
import { Standings, type StandingsInputs } from '../../../src/daemon/standings.ts';
import { parseIp } from '../../../src/model/ip.ts';
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

  it('leaves the traffic of a node that drained before this program started where it is', () => {
    const standings = new Standings();
    standings.read(inputs({ proxy: (name) => (name === 'n2' ? 'refuses' : 'serves'), lead: 1000 }));
    expect(shown(standings)).to.equal('10.0.0.12 draining');
    expect(standings.handing).to.deep.equal(['10.0.0.12']);
  });
});
