import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import type { NeighbourState } from '../../../src/model/listing.ts';
import { HostTable, steadyAfter } from '../../../src/probe/host-table.ts';

const n2 = parseIp('10.0.0.12');

/** A table with n2, which is looked at in given states at given times in ms. */
class World {
  readonly table = new HostTable();

  constructor() {
    this.table.follow([n2], 'anew');
  }

  saw(now: number, state: NeighbourState | undefined): this {
    this.table.saw(n2, { state, failed: 'unreported', now, since: now, at: 1_000_000 + now });
    return this;
  }

  /** n2 falls silent, and answers from a second later on. */
  falls(now: number): this {
    return this.saw(now, 'FAILED').saw(now + 1000, 'REACHABLE');
  }

  get host(): string {
    const host = this.table.hosts.get(n2);
    return host === undefined ? 'unknown' : `${host.state} ${host.silentSince ?? 'answers'}`;
  }
}

describe('the hosts of the LAN', () => {
  it('are silent from the first look that finds them FAILED, while the kernel asks again', () => {
    const world = new World()
      .saw(0, 'REACHABLE')
      .saw(1000, 'FAILED')
      .saw(2000, 'INCOMPLETE')
      .saw(3000, 'FAILED');
    expect(world.host).to.equal('FAILED 1001000');
    expect(world.table.silent).to.deep.equal([n2]);
    expect(world.table.signals).to.deep.equal([{ ip: n2, silentSince: 1000, isBack: false }]);
  });

  it('are not silent while they are asked for the first time, and unknown when the kernel has no entry', () => {
    expect(new World().saw(0, 'INCOMPLETE').host).to.equal('INCOMPLETE answers');
    expect(new World().saw(0, undefined).host).to.equal('unknown');
    expect(new World().saw(0, 'FAILED').saw(1, undefined).table.silent).to.deep.equal([n2]);
  });

  for (const state of ['REACHABLE', 'STALE', 'DELAY', 'PROBE', 'PERMANENT'] as const) {
    it(`answer once they have been ${state} for a second`, () => {
      const world = new World().falls(0).saw(1000, state).saw(1999, state);
      expect(world.host).to.equal(`${state} 1000000`);
      expect(world.saw(2000, state).host).to.equal(`${state} answers`);
    });
  }

  it('are not asked when somebody has fixed their entries', () => {
    const { table } = new World().saw(0, 'PERMANENT');
    expect([table.asked, table.fixed]).to.deep.equal([[], [n2]]);
    table.follow([n2], 'anew');
    expect([table.asked, table.fixed]).to.deep.equal([[n2], []]);
  });

  it('keep their silence when others come, and lose it with the interface', () => {
    const { table } = new World().saw(0, 'FAILED');
    table.follow([n2, parseIp('10.0.0.13')], 'as they are');
    expect(table.silent).to.deep.equal([n2]);
    table.follow([n2], 'anew');
    expect(table.silent).to.deep.equal([]);
  });

  it('must answer twice as long with each loss, a minute at most', () => {
    expect([1, 2, 3, 4, 7, 20].map(steadyAfter)).to.deep.equal([1000, 2000, 4000, 8000, 60_000, 60_000]);
    const world = new World().falls(0).saw(2000, 'REACHABLE');
    expect(world.table.flapping(2000)).to.deep.equal([]);
    world.falls(10_000).saw(12_999, 'REACHABLE');
    expect(world.table.silent).to.deep.equal([n2]);
    expect(world.table.flapping(12_999)).to.deep.equal([{ ip: n2, losses: 2, steadyFor: 2000 }]);
    expect(world.saw(13_000, 'REACHABLE').table.silent).to.deep.equal([]);
    world.falls(20_000).saw(24_999, 'REACHABLE');
    expect(world.table.silent).to.deep.equal([n2]);
  });

  it('are forgiven after five minutes of answers', () => {
    const world = new World().falls(0).saw(2000, 'REACHABLE').falls(10_000).saw(13_000, 'REACHABLE');
    expect(world.table.flapping(312_999)).to.have.length(1);
    expect(world.table.flapping(313_000)).to.deep.equal([]);
    expect(world.falls(313_000).saw(315_000, 'REACHABLE').table.silent).to.deep.equal([]);
  });

  it('are not forgiven by silence', () => {
    const { table } = new World().falls(0).saw(2000, 'REACHABLE').saw(10_000, 'FAILED');
    expect(table.flapping(900_000)).to.deep.equal([{ ip: n2, losses: 2, steadyFor: 2000 }]);
  });

  describe('when the LAN is back', () => {
    const back = (): World => {
      const world = new World();
      world.table.follow([n2], 'back');
      return world;
    };
    const isSilent = ({ table }: World): boolean => table.silent.length > 0;

    it('are not silent by a failure from before', () => {
      const world = back().saw(0, 'FAILED').saw(1, 'FAILED');
      expect(isSilent(world)).to.equal(false);
      expect(world.table.unheard).to.deep.equal([n2]);
    });

    it('are silent by the first question after it', () => {
      const world = back().saw(0, 'FAILED');
      world.table.asks([n2]);
      expect(isSilent(world.saw(400, 'FAILED'))).to.equal(true);
      expect(isSilent(back().saw(0, 'FAILED').saw(100, 'INCOMPLETE').saw(400, 'FAILED'))).to.equal(true);
      expect(isSilent(back().saw(0, undefined).saw(400, 'FAILED'))).to.equal(true);
    });

    it('are not silent by a question that was under way, but by the next', () => {
      const world = back().saw(0, 'INCOMPLETE');
      world.table.asks([n2]);
      expect(isSilent(world.saw(100, 'FAILED').saw(101, 'FAILED'))).to.equal(false);
      world.table.asks([n2]);
      expect(isSilent(world.saw(400, 'FAILED'))).to.equal(true);
    });

    it('are as always once they have answered', () => {
      expect(isSilent(back().saw(0, 'REACHABLE').saw(400, 'FAILED'))).to.equal(true);
    });
  });
});
