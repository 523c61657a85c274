import { createConnection } from 'node:net';
import { type BoundEnds, connectBound } from '../kernel/bound-connection.ts';
import type { Ip } from '../model/ip.ts';
import type { Attempt } from './trace-facts.ts';

/** ms */
const patience = 2000;

/** Opens a TCP connection and closes it. A reset means that somebody is there and nothing listens. */
export function connect(to: Ip, port: number, from: Ip | undefined, signal: AbortSignal): Promise<Attempt> {
  const { promise, resolve, reject } = Promise.withResolvers<Attempt>();
  const start = performance.now();
  const socket = createConnection({
    host: to,
    port,
    ...(from === undefined ? {} : { localAddress: from }),
    signal,
  });
  socket.setTimeout(patience, () => {
    socket.destroy();
    resolve({ kind: 'failed', code: 'ETIMEDOUT' });
  });
  socket.once('connect', () => {
    socket.destroy();
    resolve({ kind: 'connected', ms: Math.round((performance.now() - start) * 10) / 10 });
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    if (signal.aborted) reject(signal.reason);
    else resolve({ kind: 'failed', code: error.code ?? error.message });
  });
  return promise;
}

/** As {@link connect}, by one interface: a reply that comes in by another one is lost. */
export async function connectBy(ends: BoundEnds, signal: AbortSignal): Promise<Attempt> {
  const start = performance.now();
  const code = await connectBound(ends, patience, signal);
  if (code !== undefined) return { kind: 'failed', code };
  return { kind: 'connected', ms: Math.round((performance.now() - start) * 10) / 10 };
}
