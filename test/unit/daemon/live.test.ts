import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { eipsShown, isThisHost, Live } from '../../../src/daemon/live.ts';
import { RecentEvents } from '../../../src/journal/recent-events.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { EipState, EipStatus } from '../../../src/status/eips.ts';
import { degraded } from '../status/samples.ts';

function eip(number: number, state: EipState = 'routed', silent = false): EipStatus {
  return {
    eip: parseIp(`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`),
    state,
    services: [`default/web${number}`],
    nodes: [{ name: `Node${number % 3}`, silent, standing: undefined }],
  };
}

const many = Array.from({ length: 1000 }, (_, i) => eip(i));

describe('the EIPs of the live page', () => {
  it('begin with those that are not as they should be, each part by address', () => {
    const { shown, total } = eipsShown([eip(9), eip(3), eip(7, 'conflict'), eip(2, 'routed', true)], '');
    expect(total).to.equal(4);
    expect(shown.map((one) => one.eip)).to.deep.equal(['10.0.0.2', '10.0.0.7', '10.0.0.3', '10.0.0.9']);
  });

  it('are few of many, all that is wrong before what is well, and counted whole', () => {
    const { shown, total } = eipsShown([...many, eip(5000, 'missing')], '');
    expect(total).to.equal(1001);
    expect(shown).to.have.length(300);
    expect(shown[0]?.eip).to.equal('10.0.19.136');
  });

  it('are searched by a part of an address, a Service or a node, in small letters', () => {
    expect(eipsShown(many, '10.0.3.231').shown.map((one) => one.eip)).to.deep.equal(['10.0.3.231']);
    expect(eipsShown(many, 'web777').total).to.equal(1);
    expect(eipsShown(many, 'node2').total).to.equal(333);
  });
});

describe('the name of this host', () => {
  it('is an address, localhost, or what the host calls itself', () => {
    for (const name of [
      '127.0.0.1:9469',
      '[::1]:9469',
      '[2001:db8::7]',
      'localhost:9469',
      'GW1:9469',
      'gw1.lan',
    ])
      expect(isThisHost(name, 'gw1.lan'), name).to.equal(true);
  });

  it('is no name that somebody else has made', () => {
    for (const name of [undefined, '', 'evil.example', 'gw1.evil.example:9469', 'localhost.evil.example'])
      expect(isThisHost(name, 'gw1.lan'), name).to.equal(false);
  });
});

/** A page that reads all it is sent. */
class Reader extends EventEmitter {
  readonly written: string[] = [];
  writableNeedDrain = false;
  status = 0;
  writeHead(status: number): void {
    this.status = status;
  }
  write(text: string): void {
    this.written.push(text);
    this.emit('written');
  }
  end(): void {}
  /** The names of the messages. */
  get messages(): readonly (string | undefined)[] {
    return this.written.map((text) => /^event: (\w+)\n/.exec(text)?.[1]);
  }
  asResponse(): ServerResponse {
    return this as unknown as ServerResponse;
  }
}

describe('a stream of the live page', () => {
  it('sends the status and the events, and no more where nothing changes', async () => {
    const { status } = await degraded();
    const recent = new RecentEvents();
    recent.write('{"level":"info","time":"2026-01-05T09:00:00.000Z","event":"stopped","msg":"x"}\n');
    recent.write('{"level":"info","time":"2026-01-05T09:00:00.000Z","event":"round","msg":"x"}\n');
    let looks = 0;
    const reader = new Reader();
    const live = new Live({
      recent,
      look: () => {
        looks += 1;
        if (looks === 3) reader.emit('close');
        return Promise.resolve();
      },
      // It says another time whenever it is asked.
      status: () => ({ ...status, now: new Date(looks).toISOString() }),
      eips: () => [eip(1)],
    });
    await live.stream('', reader.asResponse());
    expect(reader.messages.slice(0, 4)).to.deep.equal(['restart', 'time', 'snapshot', 'events']);
    expect(reader.messages.filter((name) => name === 'snapshot')).to.have.length(1);
    const [, events = ''] = /\ndata: (.*)\n\n$/.exec(reader.written[3] ?? '') ?? [];
    expect(JSON.parse(events).map((event: { event: string }) => event.event)).to.deep.equal(['stopped']);
  });

  it('is refused where as many are open as are served', async () => {
    const { status } = await degraded();
    const live = new Live({
      recent: new RecentEvents(),
      look: () => Promise.resolve(),
      status: () => status,
      eips: () => [],
    });
    const readers = Array.from({ length: 17 }, () => new Reader());
    const streams = readers.map((reader) => live.stream('', reader.asResponse()));
    expect(readers.map((reader) => reader.status)).to.deep.equal([...Array(16).fill(200), 503]);
    for (const reader of readers) reader.emit('close');
    await Promise.all(streams);
  });
});
