import { expect } from 'chai';
import { Pulse } from '../../../src/cluster/pulse.ts';

describe('a pulse', () => {
  it('counts from the call on, before the first look', async () => {
    const pulse = new Pulse();
    const beats = pulse.beats(new AbortController().signal)[Symbol.asyncIterator]();
    pulse.beat();
    expect(await beats.next()).to.include({ done: false });
  });

  it('makes one beat of what comes while the listener is busy, and loses none', async () => {
    const pulse = new Pulse();
    const stop = new AbortController();
    let rounds = 0;
    pulse.beat();
    const beats = pulse.beats(stop.signal);
    pulse.beat();
    for await (const _ of beats) {
      rounds += 1;
      // In the middle of the work, not between two rounds.
      if (rounds === 1) for (let more = 0; more < 3; more += 1) pulse.beat();
      else stop.abort();
    }
    expect(rounds).to.equal(2);
  });

  it('tells every listener', async () => {
    const pulse = new Pulse();
    const { signal } = new AbortController();
    const listeners = [1, 2].map(() => pulse.beats(signal)[Symbol.asyncIterator]());
    pulse.beat();
    for (const listener of listeners) expect((await listener.next()).done).to.equal(false);
  });

  it('ends when the signal is aborted, also while it waits, and before it began', async () => {
    const pulse = new Pulse();
    const stop = new AbortController();
    const waiting = pulse.beats(stop.signal)[Symbol.asyncIterator]().next();
    stop.abort();
    expect((await waiting).done).to.equal(true);
    expect((await pulse.beats(stop.signal)[Symbol.asyncIterator]().next()).done).to.equal(true);
  });
});
