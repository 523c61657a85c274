import { type Dispatcher, request } from 'undici';
import { abortable } from '../abortable.ts';
import { openSession, type Session } from './credentials.ts';
import { errorOf } from './failure.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { jsonLines } from './lines.ts';
import {
  ApiError,
  CredentialsError,
  type Listed,
  type Page,
  ProtocolError,
  type Transport,
  UnreachableError,
} from './transport.ts';

const paths = {
  services: '/api/v1/services',
  endpointslices: '/apis/discovery.k8s.io/v1/endpointslices',
  nodes: '/api/v1/nodes',
} as const;

/** The path of a collection with a query. */
function listPath(of: Listed, query: URLSearchParams): string {
  if (typeof of === 'string') return `${paths[of]}?${query}`;
  // A Role can allow list and watch of this one name, for requests with this selector.
  query.set('fieldSelector', `metadata.name=${of.name}`);
  return `/api/v1/namespaces/${of.namespace}/configmaps?${query}`;
}

/** A transport over HTTP/2, or HTTP/1.1, with one connection pool for all resources. */
export class HttpTransport implements Transport, AsyncDisposable {
  readonly #access: KubernetesAccess;
  #session: Promise<Session> | undefined;
  #server: string | undefined;
  #expires: number | undefined;
  /** Ends all that is on its way now. */
  #connections = new AbortController();

  constructor(access: KubernetesAccess) {
    this.#access = access;
  }

  /** The address of the API server, as of the kubeconfig that was read last; undefined: none was. */
  get server(): string | undefined {
    return this.#server;
  }

  /** When the credentials end, in ms since the epoch; undefined: not known. */
  get credentialsEnd(): number | undefined {
    return this.#expires;
  }

  async list(of: Listed, limit: number, from: string | undefined, signal: AbortSignal): Promise<Page> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (from !== undefined) query.set('continue', from);
    return this.#within(signal, async (session, _, within) => {
      const body = await get(session, listPath(of, query), within);
      const text = await body.text();
      return pageOf(parse(text), typeof of === 'string' ? of : 'configmaps');
    });
  }

  async watch(
    of: Listed,
    resourceVersion: string,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly unknown[]>> {
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
    });
    const path = listPath(of, query);
    return this.#within(signal, async (session, opened, within) => {
      const body = await get(session, path, within);
      return this.#events(body, session, opened);
    });
  }

  async probe(signal: AbortSignal): Promise<number> {
    return this.#within(signal, async (session, _, within) => {
      const headers = await abortable(session.headers(), within);
      const { dispatcher, server } = session;
      const answer = await request(`${server}/readyz`, { dispatcher, headers, signal: within });
      await answer.body.dump();
      return answer.statusCode;
    });
  }

  disconnect(error: Error): void {
    const session = this.#session;
    this.#session = undefined;
    this.#connections.abort(error);
    this.#connections = new AbortController();
    session?.then(({ dispatcher }) => dispatcher.destroy(error)).catch(nothing);
  }

  /**
   * Sends any other request and parses the answer as JSON.
   *
   * @param path with its query
   * @param body sent as JSON of this content type; undefined: none
   */
  async send(
    method: 'GET' | 'PATCH' | 'POST',
    path: string,
    type: string | undefined,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<unknown> {
    return this.#within(signal, async (session, _, within) => {
      const headers = {
        // An exec plugin may hang.
        ...(await abortable(session.headers(), within)),
        ...(type === undefined ? {} : { 'content-type': type }),
      };
      const { dispatcher, server } = session;
      const options = {
        method,
        dispatcher,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        // Every write names the resourceVersion it is made for, so a repetition is refused; undici may pipeline it.
        idempotent: true,
        signal: within,
      };
      // undici looks at the signal once it has begun to send. A request that it holds for a connection which the server
      // is closing (GOAWAY) would wait for ever, and with it the Service that it is for.
      const answer = await abortable(request(`${server}${path}`, options), within);
      const text = await answer.body.text();
      if (answer.statusCode >= 200 && answer.statusCode < 300) return parse(text);
      throw errorOf(statusOf(text), answer.statusCode, retryAfter(answer.headers['retry-after']));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    // A session that failed to open has nothing to close; one that is still opening is not awaited.
    session?.then(({ dispatcher }) => dispatcher.destroy()).catch(nothing);
    this.#connections.abort(new Error('the transport is closed'));
    await Promise.resolve();
  }

  async *#events(body: Dispatcher.ResponseData['body'], session: Session, opened: Promise<Session>) {
    try {
      yield* jsonLines(body);
    } catch (error) {
      // The stream broke or timed out, so the connection may be dead.
      this.#drop(opened);
      throw reached(error, session);
    }
  }

  async #within<T>(
    signal: AbortSignal,
    work: (session: Session, opened: Promise<Session>, within: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    this.#session ??= openSession(this.#access);
    const opened = this.#session;
    let session: Session | undefined;
    try {
      session = await abortable(opened, signal);
      this.#server = session.server;
      this.#expires = session.expires;
      return await work(session, opened, AbortSignal.any([signal, this.#connections.signal]));
    } catch (error) {
      // An API error other than 401 does not invalidate the session.
      if (!(error instanceof ApiError) || error.status === 401) this.#drop(opened);
      throw session === undefined || signal.aborted ? error : reached(error, session);
    }
  }

  /** Makes the next request open a new session. Open watches keep the old one until they end. */
  #drop(opened: Promise<Session>): void {
    if (this.#session !== opened) return;
    this.#session = undefined;
    opened.then(({ dispatcher }) => dispatcher.close()).catch(nothing);
  }
}

/** The error of a socket with the server that it was to reach; any other error as it is. */
function reached(error: unknown, { server, from }: Session): unknown {
  const isOther =
    error instanceof ApiError ||
    error instanceof ProtocolError ||
    error instanceof CredentialsError ||
    error instanceof TypeError ||
    error instanceof ReferenceError;
  return isOther || !(error instanceof Error) ? error : new UnreachableError(server, from, error);
}

function nothing(): void {}

async function get(
  session: Session,
  path: string,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData['body']> {
  const headers = await abortable(session.headers(), signal);
  const { dispatcher, server } = session;
  const answer = await request(`${server}${path}`, { dispatcher, headers, signal });
  if (answer.statusCode === 200) return answer.body;
  const text = await answer.body.text();
  throw errorOf(statusOf(text), answer.statusCode, retryAfter(answer.headers['retry-after']));
}

/** Parses a Status; an intermediate proxy may send a page of its own instead. */
function statusOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { message: text.trim().slice(0, 200) };
  }
}

function retryAfter(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds) * 1000;
  const until = Date.parse(value);
  return Number.isNaN(until) ? undefined : Math.max(0, until - Date.now());
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ProtocolError(`the API server sent an answer that is no JSON: ${error.message}`, {
      cause: error,
    });
  }
}

function pageOf(list: unknown, resource: string): Page {
  if (typeof list === 'object' && list !== null && 'items' in list && 'metadata' in list) {
    const { items, metadata } = list;
    if (typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata) {
      const { resourceVersion } = metadata;
      const next = 'continue' in metadata ? metadata.continue : undefined;
      // Go encodes a nil slice as null.
      const all: unknown = items ?? [];
      if (Array.isArray(all) && typeof resourceVersion === 'string') {
        return {
          items: all,
          resourceVersion,
          next: typeof next === 'string' && next !== '' ? next : undefined,
        };
      }
    }
  }
  throw new ProtocolError(`what the API server sent for ${resource} is no list of Kubernetes`);
}
