import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { NodeLan } from './node-lan.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

/** Receives datagrams on a unix socket and prints them: Node itself cannot. */
const receiver = `
  const koffi = require('koffi');
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int, int, int)');
  const bind = libc.func('int bind(int, const void *, uint32_t)');
  const recv = libc.func('intptr_t recv(int, void *, size_t, int)');
  const fd = socket(1, 2, 0);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1);
  address.write(process.argv[1], 2);
  if (bind(fd, address, address.length) < 0) throw new Error('bind');
  console.log('listening');
  const bytes = Buffer.alloc(65536);
  const next = () => recv.async(fd, bytes, bytes.length, 0, (error, length) => {
    console.log(bytes.toString('utf8', 0, length));
    next();
  });
  next();
`;

describe('a node agent under systemd', () => {
  const stack = new AsyncDisposableStack();
  let lan: NodeLan;
  before(async function () {
    needRoot(this);
    lan = stack.use(await NodeLan.lay());
  });
  after(() => stack.disposeAsync());

  it('is ready once it has read the kernel, says how it stands, stays alive, and says when it stops', async () => {
    const agent = await lan.agent('node1');
    const path = join(agent.folder, 'notify');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, '-e', receiver, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    stack.defer(() => {
      child.kill('SIGKILL');
    });
    let heard = '';
    child.stdout.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    const hears = (pattern: RegExp): Promise<string> =>
      until(
        `systemd hears ${pattern}`,
        () => heard,
        (now) => pattern.test(now),
      );
    await hears(/listening/);
    await using daemon = agent.launch({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '600000' });
    await hears(/^READY=1$/m);
    await hears(/^STATUS=OK: answering for 198\.51\.100\.0\/24, 2001:db8:e::\/64 through 4 of 4 gateways$/m);
    // The configuration has a round a minute; the watchdog wants several in 0.6 s.
    await hears(/WATCHDOG=1\nWATCHDOG=1\nWATCHDOG=1/);
    daemon.signal('SIGHUP');
    await hears(/^RELOADING=1$[\s\S]*^READY=1$/m);
    expect(await daemon.stop()).to.equal(0);
    await hears(/^STOPPING=1$/m);
  });
});
