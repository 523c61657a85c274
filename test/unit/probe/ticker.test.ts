import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { Ticker } from '../../../src/probe/ticker.ts';
import { until } from './until.ts';

/** Work that is done after so many ticks. */
class Work implements AsyncDisposable {
  left = 0;
  ticks = 0;
  readonly ticker = new Ticker({
    pace: 1,
    isIdle: () => {
      this.asked += 1;
      return this.left === 0;
    },
    tick: () => {
      this.ticks += 1;
      this.left -= 1;
    },
  });
  asked = 0;
  readonly #stop = new AbortController();
  readonly #running = this.ticker.run(this.#stop.signal);

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('a ticker', () => {
  it('goes on until all is done, and begins again', async () => {
    await using work = new Work();
    for (const want of [3, 6]) {
      work.left = 3;
      work.ticker.begin();
      await until('all is done', () => work.left === 0);
      expect(work.ticks).to.equal(want);
    }
  });

  it('ceases when its work is done, and others go on', async () => {
    await using work = new Work();
    work.left = 2;
    work.ticker.begin();
    await until('all is done', () => work.left === 0);
    await using others = new Work();
    others.left = 20;
    others.ticker.begin();
    await until('the others are done', () => others.left === 0);
    expect(work.ticks).to.equal(2);
  });

  it('neither ticks nor looks for work before it begins', async () => {
    await using work = new Work();
    work.ticker.begin();
    work.left = 1;
    for (let i = 0; i < 10; i += 1) await turn();
    expect(work.ticks, 'nothing has begun').to.equal(0);
    expect(work.asked, 'by the begin alone').to.equal(1);
  });

  it('ends with the signal', async () => {
    const work = new Work();
    work.left = Number.POSITIVE_INFINITY;
    work.ticker.begin();
    await until('it ticks', () => work.ticks > 1);
    await work[Symbol.asyncDispose]();
    const { ticks } = work;
    await turn();
    expect(work.ticks).to.equal(ticks);
  });
});
