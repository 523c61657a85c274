import { expect } from 'chai';
import { Signal } from '../../../src/cluster/signal.ts';

const forever = new AbortController().signal;

/** A signal whose values are lists that are joined. */
const joining = () => new Signal<number, number[]>((held = [], next) => [...held, next]);

describe('a signal', () => {
  it('counts from the call on, before the first look', async () => {
    const signal = joining();
    signal.notify(1);
    const values = signal.listen(forever)[Symbol.asyncIterator]();
    signal.notify(2);
    expect(await values.next()).to.deep.equal({ done: false, value: [2] });
  });

  it('merges what comes while a listener is busy, and loses nothing', async () => {
    const signal = joining();
    const stop = new AbortController();
    const seen: number[][] = [];
    const values = signal.listen(stop.signal);
    signal.notify(0);
    for await (const value of values) {
      seen.push(value);
      // In the middle of the work, not between two rounds.
      if (seen.length === 1) for (const more of [1, 2, 3]) signal.notify(more);
      else stop.abort();
    }
    expect(seen).to.deep.equal([[0], [1, 2, 3]]);
  });

  it('merges for each listener what that listener has not seen', async () => {
    const signal = joining();
    const [quick, slow] = [1, 2].map(() => signal.listen(forever)[Symbol.asyncIterator]());
    signal.notify(1);
    expect((await quick?.next())?.value).to.deep.equal([1]);
    signal.notify(2);
    expect((await quick?.next())?.value).to.deep.equal([2]);
    expect((await slow?.next())?.value).to.deep.equal([1, 2]);
  });

  it('keeps nothing for a listener that has broken off', async () => {
    let merged = 0;
    const signal = new Signal<number, number>((_, next) => {
      merged += 1;
      return next;
    });
    const values = signal.listen(forever);
    signal.notify(1);
    for await (const value of values) {
      expect(value).to.equal(1);
      break;
    }
    signal.notify(2);
    expect(merged).to.equal(1);
  });

  it('ends when the signal is aborted, also while it waits, and before it began', async () => {
    const signal = new Signal(() => {});
    const stop = new AbortController();
    const waiting = signal.listen(stop.signal)[Symbol.asyncIterator]().next();
    stop.abort();
    expect((await waiting).done).to.equal(true);
    expect((await signal.listen(stop.signal)[Symbol.asyncIterator]().next()).done).to.equal(true);
  });
});
