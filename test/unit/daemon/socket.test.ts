import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { serve, socketPath } from '../../../src/daemon/socket.ts';

const portions = 64;
const size = 1 << 20;

describe('a long answer', () => {
  let folder: string;
  let server: AsyncDisposable;
  let client: Socket;
  let taken = 0;
  let ended: Promise<void>;

  /** Portions, counted as they are asked for. */
  function* long(end: () => void): Generator<string> {
    try {
      while (taken < portions) {
        taken += 1;
        yield 'x'.repeat(size);
      }
    } finally {
      end();
    }
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eiproute-socket-'));
    const { promise, resolve } = Promise.withResolvers<void>();
    taken = 0;
    ended = promise;
    server = await serve(folder, 'gateway', {
      questions: new Map([['/long', () => long(resolve)]]),
      replies: new Map(),
      commands: new Map(),
      release: () => 0,
    });
    client = connect(socketPath(folder, 'gateway'));
    client.pause();
    client.write('GET /long HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  });

  afterEach(async () => {
    client.destroy();
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** Time enough to write all portions several times over. */
  async function turns(): Promise<void> {
    while (taken === 0) await turn();
    for (let i = 0; i < 10 * portions; i += 1) await turn();
  }

  it('is made as fast as it is read: who does not read fills no memory', async () => {
    await turns();
    expect(taken).to.be.below(8);
    let length = 0;
    client.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    client.resume();
    await once(client, 'close');
    expect(length).to.be.above(portions * size);
  });

  it('ends when who has asked goes away', async () => {
    await turns();
    client.destroy();
    await ended;
    expect(taken).to.be.below(8);
  });
});
