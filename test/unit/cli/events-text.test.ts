import { expect } from 'chai';
import { type EventFilter, eventLine, isWanted } from '../../../src/cli/events-text.ts';
import { plain } from '../../../src/cli/paint.ts';
import { type RecentEvent, RecentEvents } from '../../../src/journal/recent-events.ts';
import { expectSamples } from '../../sampled-page.ts';

const at = new Date(2026, 0, 8, 13, 44, 22, 216);

function event(rest: Partial<RecentEvent>): RecentEvent {
  return {
    number: 1,
    at: at.toISOString(),
    level: 'info',
    event: 'eip-moved',
    text: 'it moved',
    eips: ['198.51.100.7'],
    services: ['default/web'],
    nodes: ['n2'],
    facts: { from: ['n1'] },
    ...rest,
  };
}

describe('isWanted', () => {
  const cases: readonly (readonly [filter: EventFilter, wanted: boolean])[] = [
    [{}, true],
    [{ eip: '198.51.100.7' }, true],
    [{ eip: '198.51.100.77' }, false],
    [{ service: 'default/web' }, true],
    [{ service: 'web' }, true],
    [{ service: 'eb' }, false],
    [{ service: 'other/web' }, false],
    [{ node: 'n2' }, true],
    [{ node: 'n1' }, true],
    [{ node: 'n3' }, false],
    [{ eip: '198.51.100.7', service: 'web', node: 'n1' }, true],
    [{ eip: '198.51.100.7', node: 'n3' }, false],
  ];
  for (const [filter, wanted] of cases) {
    it(`says ${wanted ? 'yes' : 'no'} to ${JSON.stringify(filter)}`, () => {
      expect(isWanted(event({}), filter)).to.equal(wanted);
    });
  }

  it('leaves rounds out, but for who wants all', () => {
    const round = event({ event: 'round', eips: [], services: [], nodes: [] });
    expect(isWanted(round, {})).to.equal(false);
    expect(isWanted(round, { all: true })).to.equal(true);
  });
});

describe('eventLine', () => {
  const now = at.getTime() + 60_000;
  const cases: readonly (readonly [rest: Partial<RecentEvent>, line: string])[] = [
    [{}, '13:44:22.216  ~  it moved\n'],
    [{ event: 'eip-routed' }, '13:44:22.216  +  it moved\n'],
    [{ event: 'eip-withdrawn' }, '13:44:22.216  -  it moved\n'],
    [{ event: 'eip-repaired', level: 'warn' }, '13:44:22.216  !  it moved\n'],
    [{ event: 'held', level: 'error' }, '13:44:22.216  x  it moved\n'],
    [{ event: 'started' }, '13:44:22.216     it moved\n'],
    [{ text: 'a\u001b[8m' }, '13:44:22.216  ~  a\\u001b[8m\n'],
    [{ at: new Date(2026, 0, 7, 3, 4, 5, 6).toISOString() }, '2026-01-07 03:04:05.006  ~  it moved\n'],
  ];
  for (const [rest, line] of cases) {
    it(`prints ${JSON.stringify(line)}`, () => {
      expect(eventLine(event(rest), now, plain)).to.equal(line);
    });
  }
});

describe('docs/events.md', () => {
  it('shows what eiproute prints (UPDATE_DOCS=1 writes it anew)', () => {
    const records = [
      {
        level: 'info',
        event: 'eip-routed',
        eip: '198.51.100.7',
        service: ['default/s6'],
        node: ['node1', 'node3'],
      },
      {
        level: 'info',
        event: 'eip-moved',
        eip: '198.51.100.11',
        service: ['default/shop'],
        node: ['node3'],
        from: ['node1'],
      },
      {
        level: 'info',
        event: 'node-drains',
        node: 'node2',
        why: 'annotation eiproute.io/drain is set ("root@gw1")',
      },
      {
        level: 'warn',
        event: 'eip-repaired',
        eip: '198.51.100.10',
        service: ['default/web'],
        node: ['node1'],
      },
      {
        level: 'warn',
        event: 'state-changed',
        state: 'FROZEN',
        summary: 'no answer from the API for 45 s; 70 EIPs stay as they were',
      },
      {
        level: 'error',
        event: 'held',
        held: 6,
        first: '198.51.100.14 nhid 260000001 proto 86',
        until: '2026-01-08T12:57:12.400Z',
      },
    ];
    const recent = new RecentEvents();
    records.forEach((record, i) => {
      recent.write(
        JSON.stringify({ time: new Date(at.getTime() + i * 29_443).toISOString(), ...record, msg: '' }),
      );
    });
    const lines = [...recent.after(0)].map((one) => eventLine(one, at.getTime(), plain)).join('');
    expect(lines.split('\n')).to.have.length(records.length + 1);
    expectSamples('docs/events.md', new Map([['events', `$ eiproute events\n${lines}`]]));
  });
});
