import { expect } from 'chai';
import { encodeEntry, fieldsOf } from '../../../src/journal/entry.ts';
import { events } from '../../../src/journal/event.ts';

function fields(record: Readonly<Record<string, unknown>>): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {};
  for (const [name, value] of fieldsOf(record)) {
    found[name] ??= [];
    found[name].push(value);
  }
  return found;
}

describe('an entry of the journal', () => {
  it('is a sentence for people and fields for searching', () => {
    const record = {
      level: 'info',
      time: '2026-01-01T00:00:00Z',
      msg: 'EIP routed',
      event: 'eip-routed',
      eip: '198.51.100.10',
      service: ['default/web', 'default/api'],
      node: ['n1', 'n2'],
      route: '198.51.100.10 nhid 7',
    };
    expect(fields(record)).to.deep.equal({
      MESSAGE: ['198.51.100.10 (default/web, default/api) is routed to n1, n2'],
      MESSAGE_ID: [events['eip-routed'].id],
      PRIORITY: ['5'],
      SYSLOG_IDENTIFIER: ['eiproute'],
      EIP: ['198.51.100.10'],
      EIPROUTE_EVENT: ['eip-routed'],
      EIPROUTE_SERVICE: ['default/web', 'default/api'],
      EIPROUTE_NODE: ['n1', 'n2'],
      EIPROUTE_ROUTE: ['198.51.100.10 nhid 7'],
    });
  });

  for (const [level, priority] of [
    ['debug', '7'],
    ['info', '6'],
    ['warn', '4'],
    ['error', '3'],
    ['fatal', '2'],
  ]) {
    it(`has priority ${priority} for ${level}`, () => {
      expect(fields({ level, msg: 'x' })).to.deep.include({ PRIORITY: [priority] });
    });
  }

  it('has the number of an errno, and none for a code that is no errno', () => {
    expect(fields({ level: 'error', msg: 'x', code: 'EEXIST' })).to.deep.include({
      ERRNO: ['17'],
      EIPROUTE_CODE: ['EEXIST'],
    });
    expect(fields({ level: 'error', msg: 'x', code: 'eip-outside-pools' })).not.to.have.property('ERRNO');
  });

  it('counts repetitions', () => {
    const record = { level: 'warn', event: 'object-repaired', msg: 'x', object: 'nexthop 7' };
    expect(fields({ ...record, times: 12, seconds: 60 })).to.deep.include({
      MESSAGE: ['nexthop 7 was changed or removed by another program; it is restored (12 times in 60 s)'],
    });
  });

  it('says a record without an event in its own words and facts', () => {
    expect(
      fields({ level: 'error', msg: 'boom', lastHeard: 'never', err: { message: 'no', stack: 'at x' } }),
    ).to.deep.include({ MESSAGE: ['boom: lastHeard never, err no'], EIPROUTE_LAST_HEARD: ['never'] });
  });

  it('keeps a message in one line, whatever a stranger put into it', () => {
    const forged = 'x\nPRIORITY=0\u2028y';
    expect(fields({ level: 'info', msg: forged })).to.deep.include({ MESSAGE: ['x PRIORITY=0 y'] });
  });

  it('gives a value of several lines its length, so that no line of it becomes a field', () => {
    const bytes = Buffer.from(
      encodeEntry([
        ['A', 'b'],
        ['C', 'd\nPRIORITY=0'],
        ['E', ''],
      ]),
    );
    expect(bytes.toString('latin1')).to.equal('A=b\nC\n\x0c\0\0\0\0\0\0\0d\nPRIORITY=0\nE=\n');
  });

  it('has an identity of its own for every event', () => {
    const ids = Object.values(events).map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const id of ids) expect(id).to.match(/^[0-9a-f]{32}$/);
  });
});
