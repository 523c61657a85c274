import type { Dispatcher } from 'undici';
import { abortable } from '../abortable.ts';
import { openSession, type Session } from './credentials.ts';
import { errorOf } from './failure.ts';
import { jsonWire, parseJson } from './json-wire.ts';
import type { ClusterEntry } from './kubeconfig.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { protobufType, protobufWire } from './protobuf-wire.ts';
import { request } from './request.ts';
import {
  ApiError,
  CredentialsError,
  type Listed,
  type Page,
  ProtocolError,
  type Transport,
  UnreachableError,
} from './transport.ts';
import type { Wire } from './wire.ts';

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

/**
 * kube-apiserver writes protobuf for its own types; what it does not know in protobuf, and other servers, write JSON. One
 * ConfigMap is not worth a reader of its own.
 */
function acceptOf(of: Listed): string {
  return typeof of === 'string' ? `${protobufType}, application/json` : 'application/json';
}

/** A transport over HTTP/2, or HTTP/1.1, with one connection pool for all resources. */
export class HttpTransport implements Transport, AsyncDisposable {
  readonly #access: KubernetesAccess;
  readonly #read: ((cluster: ClusterEntry) => void) | undefined;
  #session: Promise<Session> | undefined;
  #server: string | undefined;
  #expires: number | undefined;
  /** Ends all that is on its way now. */
  #connections = new AbortController();

  /** @param read called each time the kubeconfig was read, with its cluster */
  constructor(access: KubernetesAccess, read?: (cluster: ClusterEntry) => void) {
    this.#access = access;
    this.#read = read;
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
      const { body, wire } = await get(session, listPath(of, query), acceptOf(of), within);
      const bytes = await body.arrayBuffer();
      const page = wire.page(Buffer.from(bytes), of);
      // The next page has its place in the same memory; V8 would give it back with the next collection of the whole heap.
      return { ...page, release: () => void bytes.transfer(0) };
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
      const { body, wire } = await get(session, path, acceptOf(of), within);
      return this.#events(wire.events(body, of), session, opened);
    });
  }

  async probe(signal: AbortSignal): Promise<number> {
    return this.#within(signal, async (session, _, within) => {
      const headers = await abortable(session.headers(), within);
      const answer = await request(session, '/readyz', { headers, signal: within });
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
      const options = {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        // Every write names the resourceVersion it is made for, so a repetition is refused; undici may pipeline it.
        idempotent: true,
        signal: within,
      };
      const answer = await request(session, path, options);
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      if (answer.statusCode >= 200 && answer.statusCode < 300) return parseJson(bytes.toString('utf8'));
      throw errorOf(jsonWire.status(bytes), answer.statusCode, retryAfter(answer.headers['retry-after']));
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

  async *#events(batches: AsyncIterable<readonly unknown[]>, session: Session, opened: Promise<Session>) {
    try {
      yield* batches;
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
    this.#session ??= openSession(this.#access, this.#read);
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
  accept: string,
  signal: AbortSignal,
): Promise<{ readonly body: Dispatcher.ResponseData['body']; readonly wire: Wire }> {
  const headers = { ...(await abortable(session.headers(), signal)), accept };
  const answer = await request(session, path, { headers, signal });
  const type = String(answer.headers['content-type'] ?? '');
  const wire = type.startsWith(protobufType) ? protobufWire : jsonWire;
  if (answer.statusCode === 200) return { body: answer.body, wire };
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  throw errorOf(wire.status(bytes), answer.statusCode, retryAfter(answer.headers['retry-after']));
}

function retryAfter(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds) * 1000;
  const until = Date.parse(value);
  return Number.isNaN(until) ? undefined : Math.max(0, until - Date.now());
}
