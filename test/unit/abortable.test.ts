import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { abortable } from '../../src/abortable.ts';

describe('abortable work', () => {
  const endless = new Promise<never>(() => {});

  async function reasonOf(work: Promise<unknown>): Promise<unknown> {
    return await work.then(
      () => 'no error',
      (reason: unknown) => reason,
    );
  }

  it('gives its result, and leaves no listener behind', async () => {
    const { signal } = new AbortController();
    expect(await abortable(Promise.resolve(42), signal)).to.equal(42);
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });

  it('fails with its own error, and leaves no listener behind', async () => {
    const { signal } = new AbortController();
    const error = new Error('broken');
    expect(await reasonOf(abortable(Promise.reject(error), signal))).to.equal(error);
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });

  it('ends with the reason as soon as the signal is aborted', async () => {
    const stop = new AbortController();
    const ending = reasonOf(abortable(endless, stop.signal));
    stop.abort('too late');
    expect(await ending).to.equal('too late');
  });

  it('does not begin under an aborted signal', async () => {
    expect(await reasonOf(abortable(endless, AbortSignal.abort('over')))).to.equal('over');
  });

  it('leaves no rejection unhandled when work that was not waited for fails', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const failing = Promise.withResolvers<never>();
      expect(await reasonOf(abortable(failing.promise, AbortSignal.abort('over')))).to.equal('over');
      failing.reject(new Error('broken'));
      // Node tells it before it goes on to the next phase.
      await setImmediate();
    } finally {
      process.removeListener('unhandledRejection', note);
    }
    expect(unhandled).to.deep.equal([]);
  });
});
