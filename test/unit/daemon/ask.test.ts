import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../../../src/daemon/ask.ts';
import { DaemonError } from '../../../src/daemon/daemon-error.ts';
import { socketPath } from '../../../src/daemon/socket.ts';

describe('a question to a daemon', () => {
  let folder: string;
  let server: Server;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eiproute-ask-'));
    server = createServer();
    server.on('connection', (socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(socketPath(folder, 'gateway'), resolve));
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    server.close();
    await rm(folder, { recursive: true });
  });

  async function failure(limit?: number): Promise<unknown> {
    const signal = new AbortController().signal;
    return ask(folder, 'gateway', 'GET', '/status', signal, limit).catch((error: unknown) => error);
  }

  const ends: readonly { name: string; answer: string }[] = [
    { name: 'ends before it answers', answer: '' },
    { name: 'ends in the middle of its answer', answer: 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{' },
  ];
  for (const { name, answer } of ends) {
    it(`that ${name} is one that does not answer, and no bug`, async () => {
      server.on('connection', (socket) => socket.once('data', () => socket.end(answer)));
      const error = await failure();
      expect(error).to.be.instanceOf(DaemonError);
      expect(String(error)).to.match(/it ended before its answer \(ECONNRESET\); is it running\?/);
    });
  }

  it('that says nothing is given up after a while', async () => {
    const error = await failure(100);
    expect(error).to.be.instanceOf(DaemonError);
    expect(String(error)).to.contain('it has said nothing for 0.1 s (ETIMEDOUT)');
  });
});
