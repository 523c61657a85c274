import { connect, createServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { enter } from '../process/namespace.ts';
import type { GateRoute } from './gate.ts';

// A thread of its own, since a socket is made where its thread is: this one listens at home, and then moves into the
// namespace to connect from there.
const { namespace, host, port }: GateRoute = workerData;

const server = createServer({ noDelay: true }, (outer) => {
  const inner = connect({ port, host, noDelay: true });
  for (const [socket, peer] of [
    [outer, inner],
    [inner, outer],
  ] as const) {
    socket.pipe(peer);
    socket.on('error', () => peer.destroy());
    socket.on('close', () => peer.destroy());
  }
});
server.listen(0, '127.0.0.1', () => {
  enter(namespace);
  const address = server.address();
  parentPort?.postMessage(typeof address === 'object' ? address?.port : undefined);
});
