import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { DatagramReceiver } from '../../../lab/process/datagram-receiver.ts';
import { openDatagrams } from '../../../src/journal/datagram.ts';
import { journalSink, sinkTo } from '../../../src/journal/sink.ts';
import { createLog } from '../../../src/log.ts';

/** ms */
const patience = 30;

/** How often this thread has waited for something, and not merely for its turn on a busy processor. */
function timesAsleep(): number {
  const status = readFileSync(`/proc/self/task/${process.pid}/status`, 'utf8');
  return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)?.[1]);
}

describe('the way to journald', () => {
  it('carries every record as one datagram', () => {
    using receiver = new DatagramReceiver();
    using datagrams = openDatagrams(receiver.path, patience);
    const stream = { write: () => expect.fail('nothing goes to the stream') };
    const log = createLog({ level: 'info', format: 'auto', stream, env: {}, journal: sinkTo(datagrams) });
    log.info({ event: 'stopped' }, 'stopped');
    log.warn({ why: 'link down' }, 'round');
    expect(receiver.texts().map((text) => text.split('\n').slice(0, 2))).to.deep.equal([
      ['MESSAGE=stopped; routes and settings stay as they are', 'PRIORITY=6'],
      ['MESSAGE=round: why link down', 'PRIORITY=4'],
    ]);
  });

  it('is not taken where another format is asked for', () => {
    const lines: string[] = [];
    const journal = (): never => expect.fail('nothing goes to journald');
    const stream = { write: (text: string) => lines.push(text) };
    createLog({ level: 'info', format: 'json', stream, env: {}, journal }).info('one');
    expect(lines).to.have.length(1);
  });

  it('waits for a full journald once, then drops records, and reports how many', () => {
    using receiver = new DatagramReceiver();
    using datagrams = openDatagrams(receiver.path, patience);
    let last: string | undefined;
    const sink = sinkTo({
      send: (bytes) => {
        last = datagrams.send(bytes);
        return last;
      },
      [Symbol.dispose]: () => {},
    });
    let sent = 0;
    const record = (): void => {
      sent += 1;
      sink(`{"level":"info","msg":"number ${sent}"}`);
    };
    while (last === undefined) record();
    const before = timesAsleep();
    for (let i = 0; i < 100; i += 1) record();
    // To wait for each would be to sleep for each.
    expect(timesAsleep() - before).to.be.below(50);
    const kept = receiver.texts().length;
    expect(kept).to.be.below(sent);
    record();
    const [words, priority] = receiver.take()?.toString().split('\n') ?? [];
    expect(words).to.equal(`MESSAGE=${sent - 1 - kept} records of the journal were lost: EAGAIN`);
    expect(priority).to.equal('PRIORITY=4');
    expect(receiver.take()?.toString()).to.match(new RegExp(`^MESSAGE=number ${sent}\n`));
    record();
    expect(receiver.take()?.toString(), 'told once').to.match(new RegExp(`^MESSAGE=number ${sent}\n`));
  });

  it('says why it cannot send to a receiver that is gone', () => {
    const receiver = new DatagramReceiver();
    using datagrams = openDatagrams(receiver.path, patience);
    receiver[Symbol.dispose]();
    expect(datagrams.send(Buffer.from('x'))).to.equal('ENOENT');
  });

  it('is there only when stderr is the very stream that systemd made', () => {
    expect(journalSink({})).to.equal(undefined);
    expect(journalSink({ JOURNAL_STREAM: '1:1' })).to.equal(undefined);
  });

  it('refuses what is no address of a socket', () => {
    expect(() => openDatagrams('run/socket', patience)).to.throw(
      '"run/socket" is no address of a unix socket',
    );
    expect(() => openDatagrams(`/${'x'.repeat(108)}`, patience)).to.throw('no address');
  });
});
