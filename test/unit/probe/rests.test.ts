import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { Rests } from '../../../src/probe/rests.ts';

const long = 600_000;

describe('a rest', () => {
  it('is over after its time', async () => {
    expect(await new Rests(new AbortController().signal).take(1)).to.equal(true);
  });

  it('ends with its signal, as all others that wait for it do', async () => {
    const stop = new AbortController();
    const rests = new Rests(stop.signal);
    const taken = [rests.take(long), rests.take(long), new Rests(stop.signal).take(long)];
    stop.abort();
    expect(await Promise.all(taken)).to.deep.equal([false, false, false]);
    expect(await rests.take(long), 'one that begins after that').to.equal(false);
    expect(await new Rests(stop.signal).take(long), 'one of a loop that begins after that').to.equal(false);
  });

  it('does not end with the signal of another one', async () => {
    const [stop, other] = [new AbortController(), new AbortController()];
    const ended: string[] = [];
    const resting = new Rests(stop.signal).take(long).then(() => ended.push('one'));
    const alone = new Rests(other.signal).take(long).then(() => ended.push('other'));
    other.abort();
    await alone;
    stop.abort();
    await resting;
    expect(ended).to.deep.equal(['other', 'one']);
  });

  it('adds no listener for each', async () => {
    const stop = new AbortController();
    const rests = new Rests(stop.signal);
    for (let i = 0; i < 3; i += 1) await rests.take(1);
    const resting = [rests.take(long), rests.take(long)];
    expect(getEventListeners(stop.signal, 'abort')).to.have.length(1);
    stop.abort();
    await Promise.all(resting);
  });
});
