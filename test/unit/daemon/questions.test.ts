import { expect } from 'chai';
import type { DaemonState } from '../../../src/daemon/daemon-role.ts';
import { type QuestionSources, questionsOf } from '../../../src/daemon/questions.ts';
import { RecentEvents } from '../../../src/journal/recent-events.ts';

const state: DaemonState = {
  release: '1.0.0',
  host: 'gw1',
  pid: 7,
  started: 0,
  now: 1000,
  config: undefined,
  repairs: { count: 0, last: undefined },
  names: (index) => `if${index}`,
  links: [],
  neighbours: [],
  report: undefined,
  unreadable: undefined,
  actual: undefined,
  desired: undefined,
};

/** A daemon before its first round, which notes in what order it is called. */
function fresh() {
  const calls: string[] = [];
  const recent = new RecentEvents();
  const answers: QuestionSources['answers'] = {
    health: () => {
      calls.push('health');
      return { state: 'NOT SYNCED', summary: 'no round yet', needs: () => [] };
    },
    status: () => expect.fail('nobody asks for it here'),
    questions: new Map([['/pools', ({ host }, query) => JSON.stringify({ host, of: query.get('of') })]]),
  };
  const look = async (): Promise<void> => {
    await Promise.resolve();
    calls.push('look');
  };
  const questions = questionsOf({ answers, state: () => state, recent, look });
  const ask = async (path: string, query = ''): Promise<unknown> => {
    const answer = await questions.get(path)?.(new URLSearchParams(query));
    return JSON.parse(String(answer));
  };
  return { ask, calls, recent };
}

describe('questionsOf', () => {
  it('looks anew before it answers', async () => {
    const { ask, calls } = fresh();
    expect(await ask('/synced')).to.deep.equal({
      version: 2,
      state: 'NOT SYNCED',
      synced: false,
      summary: 'no round yet',
    });
    expect(calls).to.deep.equal(['look', 'health']);
  });

  it('names no object before the first round, and says why by the state', async () => {
    const { ask } = fresh();
    const answer = await ask('/objects');
    expect(answer).to.deep.include({ state: 'NOT SYNCED', objects: [] });
  });

  it('passes the query on to the questions of the role, with the state of the daemon', async () => {
    const { ask, calls } = fresh();
    expect(await ask('/pools', 'of=web')).to.deep.equal({ host: 'gw1', of: 'web' });
    expect(calls).to.deep.equal(['look']);
  });

  it('answers with the events after a number, and with all of them without one', async () => {
    const { ask, calls, recent } = fresh();
    for (const reason of ['first', 'second'])
      recent.write(JSON.stringify({ level: 'info', time: 0, event: 'started', reason, msg: 'started' }));
    expect(await ask('/events'))
      .to.have.property('events')
      .with.lengthOf(2);
    expect(await ask('/events', 'after=1')).to.deep.include({ version: 1, last: 2 });
    expect(await ask('/events', 'after=1')).to.have.nested.property('events[0].number', 2);
    expect(calls, 'of these the journal alone knows').to.deep.equal([]);
  });
});
