import { expect } from 'chai';
import { rawService } from '../../../lab/cluster/manifests.ts';
import { memoryCluster } from '../../../lab/fake/memory-cluster.ts';
import type { Clock } from '../../../src/cluster/clock.ts';
import { needsState } from '../../../src/cluster/state-need.ts';

/** A clock with which a test plays what happens before each look. */
function looking(before: (look: number, ms: number) => void): Clock & { readonly looks: () => number } {
  let looks = 0;
  return {
    now: () => 0,
    time: () => 0,
    random: () => 0,
    looks: () => looks,
    sleep: async (ms, signal) => {
      looks += 1;
      if (looks > 1000) throw new Error('it looks for ever');
      before(looks, ms);
      signal.throwIfAborted();
    },
  };
}

describe('the last known state', () => {
  const signal = new AbortController().signal;

  it('is needed after a second without a word', async () => {
    let waited = 0;
    const clock = looking((_, ms) => {
      waited += ms;
    });
    expect(await needsState(memoryCluster(), clock, signal)).to.equal(true);
    expect(waited).to.equal(1000);
  });

  for (const resource of ['services', 'endpointslices', 'nodes'] as const) {
    it(`is needed at the first look that finds the list of ${resource} in trouble`, async () => {
      let now = 0;
      const source = memoryCluster(() => now);
      const clock = looking((look) => {
        now = look;
        source.set(rawService('web'));
        if (look === 3) source.trouble(resource, 'connect ECONNREFUSED');
      });
      expect(await needsState(source, clock, signal)).to.equal(true);
      expect(clock.looks()).to.equal(3);
    });
  }

  it('is not needed while lists come in, and is a second after they have stopped', async () => {
    let now = 0;
    const source = memoryCluster(() => now);
    const clock = looking((look) => {
      now = look;
      // A page every 0.9 s.
      if (look % 9 === 0 && look <= 90) source.set(rawService('web'));
    });
    expect(await needsState(source, clock, signal)).to.equal(true);
    expect(clock.looks()).to.equal(100);
  });

  it('is not needed once all lists are in', async () => {
    const source = memoryCluster();
    const clock = looking((look) => {
      if (look === 10) source.complete();
    });
    expect(await needsState(source, clock, signal)).to.equal(false);
    expect(clock.looks()).to.equal(10);
  });

  it('is not needed by a program that ends', async () => {
    const stop = new AbortController();
    const clock = looking((look) => {
      if (look === 2) stop.abort();
    });
    expect(await needsState(memoryCluster(), clock, stop.signal)).to.equal(false);
  });
});
