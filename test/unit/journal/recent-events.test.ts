import { expect } from 'chai';
import { RecentEvents, type RecentLimits } from '../../../src/journal/recent-events.ts';
import { createLog, type Log } from '../../../src/log.ts';

/** A log whose records also go to the events in memory. */
function logged(limits?: RecentLimits): { readonly log: Log; readonly recent: RecentEvents } {
  const recent = new RecentEvents(limits);
  const log = createLog({
    level: 'debug',
    format: 'json',
    stream: { write: () => undefined },
    env: {},
    recent: recent.write,
  });
  return { log, recent };
}

describe('the recent events', () => {
  it('are the records of the log, with their sentence and what they are about', () => {
    const { log, recent } = logged();
    log.info(
      { event: 'eip-moved', eip: '198.51.100.7', service: ['a/web'], node: ['n2'], from: ['n1'] },
      'moved',
    );
    const [event] = [...recent.after(0)];
    const { at, ...rest } = event ?? { at: '' };
    expect(rest).to.deep.equal({
      number: 1,
      level: 'info',
      event: 'eip-moved',
      text: '198.51.100.7 (a/web) is now routed to n2; before, to n1',
      eips: ['198.51.100.7'],
      services: ['a/web'],
      nodes: ['n2'],
      facts: { from: ['n1'] },
    });
    expect(at).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('leave out what is no event, also where its text looks like one', () => {
    const { log, recent } = logged();
    log.debug({ round: 7 }, 'nothing to do');
    log.info({ odd: { event: 'stopped' } }, 'not an event');
    expect([...recent.after(0)]).to.deep.equal([]);
  });

  it('are asked for from a number on', () => {
    const { log, recent } = logged();
    for (let number = 1; number <= 5; number += 1) log.info({ event: 'round', round: number }, 'round');
    expect([...recent.after(3)].map(({ number, facts }) => [number, facts['round']])).to.deep.equal([
      [4, 4],
      [5, 5],
    ]);
    expect([...recent.after(recent.last)]).to.deep.equal([]);
  });

  it('are bounded in number and in size; the oldest go', () => {
    const few = logged({ events: 3, size: 100_000 });
    for (let number = 1; number <= 5; number += 1) few.log.info({ event: 'stopped' }, 'stopped');
    expect([...few.recent.after(0)].map(({ number }) => number)).to.deep.equal([3, 4, 5]);
    const small = logged({ events: 100, size: 2500 });
    for (let number = 1; number <= 5; number += 1)
      small.log.info({ event: 'problem', problem: 'x'.repeat(1000) }, 'x');
    expect([...small.recent.after(0)].map(({ number }) => number)).to.deep.equal([4, 5]);
  });

  it('call who listens, until it is over', () => {
    const { log, recent } = logged();
    let heard = 0;
    const hear = (): void => {
      heard += 1;
    };
    const first = recent.listen(hear);
    {
      using _second = recent.listen(hear);
      log.info({ event: 'stopped' }, 'stopped');
      expect(heard).to.equal(2);
    }
    log.info({ event: 'stopped' }, 'stopped');
    expect(heard).to.equal(3);
    first[Symbol.dispose]();
    log.info({ event: 'stopped' }, 'stopped');
    expect(heard).to.equal(3);
  });
});
