import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import { PortQuestion, type PortState } from '../../../src/probe/port-question.ts';
import { until } from './until.ts';

const here = parseIp('127.0.0.1');

/** A server of this process that does this with each connection. */
class Stage implements AsyncDisposable {
  readonly #server = createServer();
  readonly #sockets: Socket[] = [];
  readonly #questions: PortQuestion[] = [];

  static async open(hold: (socket: Socket) => void): Promise<Stage> {
    const stage = new Stage();
    stage.#server.on('connection', (socket) => {
      stage.#sockets.push(socket);
      hold(socket.on('error', () => undefined));
    });
    stage.#server.listen(0, here);
    await once(stage.#server, 'listening');
    return stage;
  }

  ask(): PortQuestion {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('it does not listen');
    const question = new PortQuestion(here, address.port);
    this.#questions.push(question);
    return question;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const question of this.#questions) question.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

describe('a question to a port', () => {
  const cases: readonly (readonly [what: string, hold: (socket: Socket) => void, want: PortState])[] = [
    [
      'is answered by a server that wants TLS',
      (socket) => socket.once('data', () => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n')),
      'answers',
    ],
    ['is answered by whoever speaks first', (socket) => socket.write('SSH-2.0-x\r\n'), 'answers'],
    ['is silent while the kernel alone has taken the connection', () => undefined, 'silent'],
    ['is closed by a program that ends the connection', (socket) => socket.end(), 'closed'],
    ['is closed by a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'closed'],
  ];
  for (const [what, hold, want] of cases)
    it(what, async () => {
      await using stage = await Stage.open(hold);
      const question = stage.ask();
      expect(question.state).to.equal('unreached');
      await until(want, () => question.state === want);
    });

  it('is put in plain HTTP, without credentials', async () => {
    let heard = '';
    await using stage = await Stage.open((socket) =>
      socket.on('data', (data) => {
        heard += data.toString('latin1');
        socket.end('x');
      }),
    );
    const question = stage.ask();
    await until('it answers', () => question.state === 'answers');
    expect(heard).to.equal('GET /healthz HTTP/1.0\r\n\r\n');
  });

  it('is closed where nobody listens', async () => {
    // The port of a server that is gone.
    const server = createServer().listen(0, here);
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (typeof address !== 'object' || address === null) throw new Error('it had no port');
    const question = new PortQuestion(here, address.port);
    await until('it is closed', () => question.state === 'closed');
  });
});
