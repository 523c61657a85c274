import { expect } from 'chai';
import { Standings, type StandingsInputs } from '../../../src/daemon/standings.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { node } from '../../scene.ts';

const terms = { cordon: 'ignored', drainLimit: 300_000 } as const;

function inputs(rest: Partial<StandingsInputs> = {}): StandingsInputs {
  const nodes = [node('n1', ['10.0.0.11', '2001:db8:10::11']), node('n2', ['10.0.0.12'])];
  return { nodes, silent: new Set(), terms, proxy: () => 'serves', now: 0, ...rest };
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
});
