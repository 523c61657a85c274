import type { ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { within } from '../../lab/process/run.ts';
import { tied } from './tied.ts';

/** TCP connections of a client with many addresses, to the servers of {@link flowServer}. */
export class Flows implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;

  /** @param namespace of the client */
  constructor(namespace: string) {
    this.#child = tied(within(namespace, [process.execPath, '-e', client]), {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('no pipe from the client');
    this.#reader = createInterface({ input: stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /**
   * Opens connections and closes those before.
   *
   * @param from the addresses that they start at, in turn
   * @returns the pod that each is connected to
   */
  open(to: string, count: number, from: readonly string[]): Promise<readonly string[]> {
    return this.#ask({ verb: 'open', to, count, from });
  }

  /** Sends a byte over each connection. */
  async send(): Promise<void> {
    await this.#ask({ verb: 'send' });
  }

  /** How many connections have echoed every byte, and how many are broken. */
  count(): Promise<{ readonly live: number; readonly broken: number }> {
    return this.#ask({ verb: 'count' });
  }

  /** Which connections, in the order in which they were opened, are broken or have not echoed every byte. */
  stuck(): Promise<readonly number[]> {
    return this.#ask({ verb: 'stuck' });
  }

  /** @returns how many downloads did not come to their end */
  download(to: string, count: number, from: readonly string[]): Promise<number> {
    return this.#ask({ verb: 'download', to, count, from });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close();
    this.#child.kill('SIGKILL');
  }

  async #ask<T>(order: object): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const { value } = await this.#lines.next();
    return JSON.parse(value);
  }
}

/** bytes; many segments, so that one that is too long for the path is among them */
const size = 300_000;
export const echoPort = 7000;
export const downloadPort = 7001;

/** For `node -e` in a pod: tells its name and echoes; or sends a file and closes. */
export function flowServer(name: string): string {
  return `
  const net = require('node:net');
  const serve = (port, work) =>
    net.createServer((socket) => work(socket.on('error', () => {}))).listen(port, '::');
  serve(${echoPort}, (socket) => { socket.write('${name}\\n'); socket.pipe(socket); });
  serve(${downloadPort}, (socket) => socket.end(Buffer.alloc(${size})));
  `;
}

const client = `
  const net = require('node:net');
  let flows = [];
  const connect = (to, port, localAddress) => net.connect({ host: to, port, localAddress });
  const open = (to, localAddress) => new Promise((resolve) => {
    const flow = { socket: connect(to, ${echoPort}, localAddress), pod: '', sent: 0, echoed: 0, broken: false };
    flow.socket.on('error', ({ code }) => {
      if (flow.pod === '') console.error('  no connection from ' + localAddress + ' to ' + to + ': ' + code);
      flow.broken = true;
      resolve(flow);
    });
    flow.socket.on('data', (bytes) => {
      if (flow.pod === '') { flow.pod = String(bytes).trim(); resolve(flow); } else flow.echoed += bytes.length;
    });
  });
  const download = (to, localAddress) => new Promise((resolve) => {
    let got = 0;
    const socket = connect(to, ${downloadPort}, localAddress);
    const end = () => resolve(got === ${size});
    socket.on('data', (bytes) => { got += bytes.length; }).on('error', end).on('close', end);
    socket.setTimeout(10_000, () => socket.destroy());
  });
  const verbs = {
    open: async ({ to, count, from }) => {
      for (const { socket } of flows) socket.destroy();
      flows = await Promise.all(Array.from({ length: count }, (_, i) => open(to, from[i % from.length])));
      return flows.map(({ pod }) => pod);
    },
    send: async () => {
      for (const flow of flows) { flow.socket.write('.'); flow.sent += 1; }
      return null;
    },
    count: async () => ({
      live: flows.filter(({ broken, sent, echoed }) => !broken && sent === echoed).length,
      broken: flows.filter(({ broken }) => broken).length,
    }),
    stuck: async () => [...flows.entries()]
      .filter(([, { broken, sent, echoed }]) => broken || sent !== echoed)
      .map(([i]) => i),
    download: async ({ to, count, from }) => {
      const all = await Promise.all(Array.from({ length: count }, (_, i) => download(to, from[i % from.length])));
      return all.filter((whole) => !whole).length;
    },
  };
  require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
    const order = JSON.parse(line);
    console.log(JSON.stringify(await verbs[order.verb](order)));
  });
`;
