import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ListenAddress } from '../config/config.ts';
import { listenText } from '../config/format.ts';
import { DaemonError } from './daemon-error.ts';
import { close } from './lock.ts';
import { nothingAt, type Reply, replyWith } from './socket.ts';

/**
 * The read-only listener of `metrics.listen`: it answers `GET` and `HEAD`, changes nothing and takes no body.
 *
 * @throws DaemonError when the address cannot be listened on
 */
export async function listenReadOnly(
  { host, port }: ListenAddress,
  replies: ReadonlyMap<string, () => Promise<Reply>>,
): Promise<AsyncDisposable> {
  const server = createServer((request, response) => answer(request, response, replies));
  // Whoever connects and says nothing holds a connection for so long at most.
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new DaemonError(`cannot listen on metrics.listen ${listenText({ host, port })}: ${words(cause)}`, {
      cause,
    });
  }
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await close(server);
    },
  };
}

function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  replies: ReadonlyMap<string, () => Promise<Reply>>,
): void {
  response.setHeader('x-content-type-options', 'nosniff');
  const { pathname } = new URL(url ?? '/', 'http://localhost');
  const reply = replies.get(pathname);
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' });
    response.end('this listener only answers questions\n');
  } else if (reply === undefined)
    nothingAt(`${method} ${url}`, `GET ${[...replies.keys()].join(', GET ')}`, response);
  else void replyWith(reply, response);
}

function words(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program listens there (EADDRINUSE): ss -ltnp shows it; take another port';
    case 'EADDRNOTAVAIL':
      return 'this host has no such address (EADDRNOTAVAIL): ip address shows those it has';
    case 'EACCES':
      return 'ports below 1024 need a capability that the daemon does not have (EACCES): take a higher one';
    default:
      return error.message;
  }
}
