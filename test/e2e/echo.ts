import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { within } from '../../lab/process/run.ts';

/** Connections that stay open; each round sends a line over every one of them and waits for its echo. */
export class Echo implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  /** @param namespace of the client */
  constructor(namespace: string, port: number) {
    const argv = within(namespace, [process.execPath, '-e', client, String(port)]);
    const [file = '', ...args] = ['setpriv', '--pdeathsig', 'KILL', ...argv];
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('no pipe from the clients');
    this.#reader = createInterface({ input: stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async open(to: readonly string[], each: number): Promise<void> {
    this.#child.stdin?.write(`open ${each} ${to.join(' ')}\n`);
    await this.#lines.next();
  }

  /** @returns how many connections echoed within two seconds */
  async round(): Promise<number> {
    this.#child.stdin?.write('round\n');
    const { value } = await this.#lines.next();
    return Number(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close();
    this.#child.kill('SIGKILL');
  }
}

const client = `
  const net = require('node:net');
  const sockets = [];
  const all = (work) => Promise.all(work).then((done) => done.filter(Boolean).length);
  const once = (socket, event, ms) => new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    socket.once(event, () => { clearTimeout(timer); resolve(true); });
  });
  require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
    const [verb, each, ...to] = line.split(' ');
    if (verb === 'open') {
      const opening = to.flatMap((host) => Array.from({ length: Number(each) }, () => {
        const socket = net.connect({ host, port: Number(process.argv[1]) });
        socket.on('error', () => {});
        sockets.push(socket);
        return once(socket, 'connect', 2000);
      }));
      console.log(await all(opening));
    } else {
      console.log(await all(sockets.map((socket) => {
        const answered = once(socket, 'data', 2000);
        socket.write('.');
        return answered;
      })));
    }
  });
`;

/** The server's side: for `node -e`. */
export const echoServer =
  "require('node:net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(7000, '::')";
