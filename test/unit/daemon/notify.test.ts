import { expect } from 'chai';
import { DatagramReceiver } from '../../../lab/process/datagram-receiver.ts';
import { notifier, openNotify, watchdogPace } from '../../../src/daemon/notify.ts';

describe('what systemd is told', () => {
  function told(): { readonly notify: ReturnType<typeof notifier>; readonly texts: string[] } {
    const texts: string[] = [];
    return { notify: notifier((text) => texts.push(text)), texts };
  }

  it('reaches the socket of NOTIFY_SOCKET', () => {
    using receiver = new DatagramReceiver();
    openNotify({ NOTIFY_SOCKET: receiver.path }, expect.fail).ready();
    expect(receiver.texts()).to.deep.equal(['READY=1']);
  });

  it('is nothing where nobody asked', () => {
    openNotify({}, expect.fail).ready();
  });

  it('is complained about once when it cannot be told', () => {
    const errors: string[] = [];
    const notify = openNotify({ NOTIFY_SOCKET: '/nowhere/notify' }, (error) => errors.push(error));
    notify.ready();
    notify.alive();
    expect(errors).to.deep.equal(['ENOENT']);
  });

  it('is a status only when it has changed', () => {
    const { notify, texts } = told();
    for (const sentence of ['starting', 'starting', '2 routes\nover 1']) notify.status(() => sentence);
    expect(texts).to.deep.equal(['STATUS=starting', 'STATUS=2 routes over 1']);
  });

  it('is the time of a reload in the same datagram', () => {
    const { notify, texts } = told();
    const before = process.hrtime.bigint() / 1000n;
    notify.reloading();
    const after = process.hrtime.bigint() / 1000n;
    const [, usec] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(texts[0] ?? '') ?? [];
    expect(Number(usec)).to.be.within(Number(before), Number(after));
  });

  it('is neither life nor the end of a reload before the first round', () => {
    const { notify, texts } = told();
    notify.alive();
    notify.reloaded();
    expect(texts).to.deep.equal([]);
    notify.ready();
    notify.alive();
    notify.reloaded();
    expect(texts).to.deep.equal(['READY=1', 'WATCHDOG=1', 'READY=1']);
  });

  it('is life once a second, however many rounds there are', () => {
    const texts: string[] = [];
    let now = 0;
    const notify = notifier(
      (text) => texts.push(text),
      () => now,
    );
    notify.ready();
    for (; now < 2500; now += 10) notify.alive();
    expect(texts).to.deep.equal(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  });
});

describe('the watchdog', () => {
  it('asks for three rounds within its time', () => {
    expect(watchdogPace({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7)).to.equal(10_000);
    expect(watchdogPace({ WATCHDOG_USEC: '30000000' }, 7)).to.equal(10_000);
  });

  it('asks for nothing when there is none, or for another process', () => {
    expect(watchdogPace({}, 7)).to.equal(Number.POSITIVE_INFINITY);
    expect(watchdogPace({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7)).to.equal(
      Number.POSITIVE_INFINITY,
    );
  });
});
