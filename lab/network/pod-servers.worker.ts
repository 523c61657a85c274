import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:http';
import { parentPort } from 'node:worker_threads';
import { inside } from '../process/namespace.ts';

export type Order =
  | { readonly verb: 'open'; readonly name: string; readonly namespace: string; readonly port: number }
  | { readonly verb: 'close'; readonly name: string };

export interface Answer {
  readonly number: number;
  /** undefined: done */
  readonly error: string | undefined;
}

interface Pod {
  readonly http: Server;
  readonly udp: Socket;
}

const pods = new Map<string, Pod>();

parentPort?.on('message', async ({ number, order }: { number: number; order: Order }) => {
  const answer = (error?: unknown): void =>
    parentPort?.postMessage({ number, error: error === undefined ? undefined : String(error) });
  try {
    if (order.verb === 'open') await open(order.name, order.namespace, order.port);
    else await close(order.name);
    answer();
  } catch (error) {
    answer(error);
  }
});

/** Every answer is a line: who answered, and whom it saw. */
async function open(name: string, namespace: string, port: number): Promise<void> {
  const http = createServer((request, response) => {
    response.setHeader('connection', 'close');
    response.end(`${name} ${plain(request.socket.remoteAddress)}\n`);
  });
  const udp = createSocket({ type: 'udp6', lookup: atOnce }, (_message, from) => {
    udp.send(`${name} ${plain(from.address)}\n`, from.port, from.address);
  });
  // Without a host to look up both sockets are made within the call, that is, in the namespace.
  const listening = inside(namespace, () => {
    const both = Promise.all([opened(http), opened(udp)]);
    http.listen(port);
    udp.bind(port);
    return both;
  });
  await listening;
  pods.set(name, { http, udp });
}

async function close(name: string): Promise<void> {
  const pod = pods.get(name);
  pods.delete(name);
  if (!pod) throw new Error(`no pod ${name}`);
  pod.udp.close();
  pod.http.closeAllConnections();
  await new Promise<void>((resolve) => pod.http.close(() => resolve()));
}

function opened(socket: Server | Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('listening', () => resolve());
    socket.once('error', reject);
  });
}

/** dgram looks even `::` up, and would open its socket only after that. All our addresses are numbers. */
function atOnce(
  address: string,
  _options: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, 6);
}

function plain(address = ''): string {
  return address.replace(/^::ffff:/, '');
}
