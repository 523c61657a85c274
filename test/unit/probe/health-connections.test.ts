import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import { HealthConnections } from '../../../src/probe/health-connections.ts';

const here = parseIp('127.0.0.1');

/** A server of this process, with its connections. */
class Stage implements AsyncDisposable {
  readonly health = new HealthConnections(200);
  readonly sockets: Socket[] = [];
  #server: Server | TcpServer | undefined;
  #port = 0;

  /** Serves at the same port as before. */
  async serve(server: Server | TcpServer): Promise<void> {
    await this.stop();
    this.#server = server.on('connection', (socket: Socket) => this.sockets.push(socket));
    this.#server.listen(this.#port, here);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    this.#port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  }

  http(answer: RequestListener): Promise<void> {
    return this.serve(createServer({ keepAliveTimeout: 0 }, answer));
  }

  /** Answers each question with these bytes. */
  raw(text: string): Promise<void> {
    return this.serve(
      createTcpServer((socket) => socket.on('error', () => undefined).on('data', () => socket.write(text))),
    );
  }

  async stop(): Promise<void> {
    if (this.#server === undefined) return;
    const ended = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.sockets.splice(0)) socket.destroy();
    await ended;
    this.#server = undefined;
  }

  async ask(): Promise<string> {
    const answer = await this.health.ask(here, this.#port);
    return answer.kind === 'serves' ? answer.kind : `${answer.kind}: ${answer.why}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.health.close();
    await this.stop();
  }
}

describe('questions to health checks over kept connections', () => {
  it('that are put at once to one address, which two Nodes may have, are one, and all are answered', async () => {
    await using stage = new Stage();
    let asked = 0;
    await stage.http((_request, response) => {
      asked += 1;
      response.end('{}');
    });
    expect(await Promise.all([stage.ask(), stage.ask()])).to.deep.equal(['serves', 'serves']);
    expect(asked).to.equal(1);
    expect(await Promise.all([stage.ask(), stage.ask()])).to.deep.equal(['serves', 'serves']);
    expect(asked).to.equal(2);
  });

  it('share one connection, whatever the answer is', async () => {
    await using stage = new Stage();
    const codes = [200, 200, 503, 200];
    await stage.http((_, response) =>
      response.writeHead(codes.shift() ?? 404, { 'Content-Length': 2 }).end('{}'),
    );
    const said = [];
    for (let i = 0; i < 4; i += 1) said.push(await stage.ask());
    expect(said).to.deep.equal(['serves', 'serves', 'not yet: it answers 503', 'serves']);
    expect(stage.sockets).to.have.length(1);
  });

  it('take another one when the server was started again, and miss no answer', async () => {
    await using stage = new Stage();
    for (let i = 0; i < 3; i += 1) {
      await stage.http((_, response) => response.end('{}'));
      expect(await stage.ask()).to.equal('serves');
      expect(await stage.ask()).to.equal('serves');
      expect(stage.sockets).to.have.length(1);
    }
    await stage.stop();
    expect(await stage.ask()).to.equal('no answer: ECONNREFUSED');
    await stage.http((_, response) => response.end('{}'));
    expect(await stage.ask()).to.equal('serves');
  });

  it('come to an end when nobody answers, and another connection is tried', async () => {
    await using stage = new Stage();
    await stage.serve(createTcpServer());
    expect(await stage.ask()).to.equal('no answer: no answer within 200 ms');
    expect(await stage.ask()).to.equal('no answer: no answer within 200 ms');
    expect(stage.sockets).to.have.length(2);
  });

  const strange: readonly (readonly [what: string, text: string, says: string])[] = [
    ['an answer without a length', 'HTTP/1.1 200 OK\r\n\r\n{}', 'serves'],
    [
      'an answer in chunks',
      'HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'not yet: it answers 503',
    ],
    ['an answer of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}', 'serves'],
    [
      'an answer that closes',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
      'serves',
    ],
    ['more than it says', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 503 No\r\n\r\n', 'serves'],
    ['something else', 'SSH-2.0-OpenSSH\r\n\r\n', 'no answer: what it says is no HTTP'],
    ['no end of the head', 'x'.repeat(100_000), 'no answer: what it says is no HTTP'],
  ];
  for (const [what, text, says] of strange) {
    it(`have a connection each with ${what}`, async () => {
      await using stage = new Stage();
      await stage.raw(text);
      for (let i = 0; i < 3; i += 1) expect(await stage.ask()).to.equal(says);
      expect(stage.sockets).to.have.length(3);
    });
  }

  it('close the connection to a node that is not asked any more', async () => {
    await using stage = new Stage();
    await stage.http((_, response) => response.end('{}'));
    expect(await stage.ask()).to.equal('serves');
    const [socket] = stage.sockets;
    if (socket === undefined) throw new Error('nobody connected');
    stage.health.keep(new Set([here]));
    expect(await stage.ask()).to.equal('serves');
    expect(stage.sockets).to.have.length(1);
    const closed = once(socket, 'close');
    stage.health.keep(new Set());
    await closed;
  });

  it('are none once all is closed', async () => {
    await using stage = new Stage();
    await stage.serve(createTcpServer());
    const asked = stage.ask();
    while (stage.sockets.length === 0) await turn();
    stage.health.close();
    expect(await asked).to.equal('no answer: the connection was closed');
    expect(await stage.ask()).to.equal('no answer: nobody is asked');
  });
});
