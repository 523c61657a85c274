import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ListenAddress } from '../config/config.ts';
import { listenText } from '../config/format.ts';
import { isLoopback } from '../model/special-use.ts';
import type { Page } from '../page/page.ts';
import { DaemonError } from './daemon-error.ts';
import { isThisHost, type Live } from './live.ts';
import { close } from './lock.ts';
import { nothingAt, type Reply, replyWith, targetOf } from './socket.ts';

/** What the listener answers. */
export interface ReadOnlyAnswers {
  readonly replies: ReadonlyMap<string, () => Promise<Reply>>;
  readonly page: Page;
  readonly live: Pick<Live, 'stream'>;
}

/** They say how many EIPs are routed, and no more: a load balancer may ask for them by any name. */
const healthChecks: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** In ms. A client that sends nothing holds a connection for 12 s at most. Node's default is to look every 30 s. */
const limits = { headersTimeout: 10_000, requestTimeout: 10_000, connectionsCheckingInterval: 2000 };

/**
 * The read-only listener of `metrics.listen`: it answers `GET` and `HEAD`, changes nothing and takes no body.
 *
 * @throws DaemonError when the address cannot be listened on
 */
export async function listenReadOnly(
  { host, port }: ListenAddress,
  answers: ReadOnlyAnswers,
): Promise<AsyncDisposable> {
  const reach = isLoopback(host) ? 'this host' : 'a network';
  const server = createServer(limits, (request, response) => answer(request, response, answers, reach));
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

/**
 * Who reads from a network may ask for the metrics by any name, as a Prometheus does. What listens on loopback is read by
 * programs of this host alone, and by a browser for whoever makes a name of his own point here (DNS rebinding).
 *
 * @param reach from where the listener is reached
 */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  answers: ReadOnlyAnswers,
  reach: 'this host' | 'a network',
): void {
  const { method, url, headers } = request;
  const { replies, page, live } = answers;
  response.setHeader('x-content-type-options', 'nosniff');
  const { pathname, searchParams } = targetOf(request);
  const reply = replies.get(pathname);
  // HTTP/1.0 has no Host; every browser sends one.
  const isHarmless = reach === 'a network' || headers.host === undefined || healthChecks.has(pathname);
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' });
    response.end('this listener only answers questions\n');
  } else if (reply !== undefined && (isHarmless || isThisHost(headers.host))) void replyWith(reply, response);
  else if (reply === undefined && pathname !== '/' && pathname !== '/stream') {
    nothingAt(`${method} ${url}`, `GET /, GET ${[...replies.keys()].join(', GET ')}`, response);
  } else if (!isThisHost(headers.host)) {
    response.writeHead(421);
    response.end('ask by the address of this host, or by its own name\n');
  } else if (pathname === '/') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...page.headers });
    response.end(page.html);
  } else void live.stream(searchParams.get('of') ?? '', response);
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
