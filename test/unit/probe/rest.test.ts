import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { rest } from '../../../src/probe/rest.ts';

const long = 600_000;

describe('a rest', () => {
  it('is over after its time', async () => {
    const { signal } = new AbortController();
    expect(await rest(1, signal)).to.equal(true);
  });

  it('ends with its signal, as all others that wait for it do', async () => {
    const stop = new AbortController();
    const rests = [rest(long, stop.signal), rest(long, stop.signal)];
    stop.abort();
    expect(await Promise.all(rests)).to.deep.equal([false, false]);
    expect(await rest(long, stop.signal), 'one that begins after that').to.equal(false);
  });

  it('does not end with the signal of another one', async () => {
    const [stop, other] = [new AbortController(), new AbortController()];
    const ended: string[] = [];
    const resting = rest(long, stop.signal).then(() => ended.push('one'));
    const alone = rest(long, other.signal).then(() => ended.push('other'));
    other.abort();
    await alone;
    stop.abort();
    await resting;
    expect(ended).to.deep.equal(['other', 'one']);
  });

  it('adds no listener for each', async () => {
    const stop = new AbortController();
    for (let i = 0; i < 3; i += 1) await rest(1, stop.signal);
    const resting = rest(long, stop.signal);
    expect(getEventListeners(stop.signal, 'abort')).to.have.length(1);
    stop.abort();
    await resting;
  });
});
