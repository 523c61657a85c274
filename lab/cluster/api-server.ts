import { randomBytes } from 'node:crypto';
import { createSecureServer, type ServerHttp2Session } from 'node:http2';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import { family, parseIp } from '../../src/model/ip.ts';
import { serverCertificate } from './api/certificate.ts';
import { Defaults } from './api/defaults.ts';
import { discovery } from './api/discovery.ts';
import { Exchange, type Format, type Request, type Response } from './api/exchange.ts';
import { Failure } from './api/failure.ts';
import { Faults } from './api/faults.ts';
import { isObject, type JsonObject } from './api/json.ts';
import { kinds } from './api/kinds.ts';
import { Objects } from './api/objects.ts';
import { type Asked, adminRules, type Rules, reviewed, reviews } from './api/rbac.ts';
import { Resources, type Target, targetOf } from './api/resource.ts';
import { selector } from './api/selector.ts';
import { Watches } from './api/watches.ts';
import { kubeconfigOf } from './kubeconfig.ts';

export interface ApiServerOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0: any free one */
  readonly port: number;
  /** Further addresses it is reached at; they go into the certificate. */
  readonly addresses: readonly string[];
  /** ms between two bookmarks */
  readonly bookmarkEvery: number;
  /** The best it speaks. */
  readonly protocol: 'h2' | 'http/1.1';
  /** What it writes to a client that would take either; 'protobuf': as kube-apiserver does. */
  readonly writes: Format;
  /** Makes the server listen on `port`; instead of on `host`, for one that listens in another namespace. */
  readonly listen: ((server: Server, port: number) => void) | undefined;
}

const standard: ApiServerOptions = {
  host: '127.0.0.1',
  port: 0,
  addresses: [],
  bookmarkEvery: 10_000,
  protocol: 'h2',
  writes: 'protobuf',
  listen: undefined,
};

/** A request as it came in, for tests that count them. */
export interface Seen {
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly agent: string;
  /** Of HTTP: `2.0` */
  readonly version: string;
  /** Counts the connections from 1. */
  readonly connection: number;
}

/**
 * A small API server, all in memory: services, nodes, endpointslices, namespaces, events, leases and a few more, with
 * true list, watch, patch and status semantics over TLS. kubectl works with it. It can be made to misbehave.
 */
export class ApiServer implements AsyncDisposable {
  readonly faults = new Faults();
  readonly objects = new Objects();
  readonly seen: Seen[] = [];
  /** The content types of its answers. */
  readonly answered = new Set<string>();
  readonly #options: ApiServerOptions;
  readonly #certificate;
  readonly #resources = new Resources(this.objects, new Defaults());
  readonly #watches: Watches;
  readonly #sockets = new Set<Socket>();
  /** The number of each connection, by the port it comes from. */
  readonly #connections = new Map<string, number>();
  #waiting: (() => void)[] = [];
  #tokens = new Set([randomBytes(16).toString('hex')]);
  /** What the bearer of a token may do; who is not here may do all. */
  readonly #rules = new Map<string, Rules>();
  #rulesLoaded = true;
  #started = false;
  readonly #sessions = new Set<ServerHttp2Session>();
  #server: Server | undefined;
  #port: number;

  constructor(options: Partial<ApiServerOptions>) {
    this.#options = { ...standard, ...options };
    this.#port = this.#options.port;
    const addresses = new Set(['127.0.0.1', this.#options.host, ...this.#options.addresses]);
    this.#certificate = serverCertificate([...addresses].map(parseIp), ['localhost']);
    this.#watches = new Watches(this.objects, this.#options.bookmarkEvery, () => this.#tell());
    const namespaces = kinds[0];
    if (namespaces === undefined) throw new Error('no kinds');
    for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
      this.objects.create(namespaces, {
        metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
        status: { phase: 'Active' },
      });
    }
  }

  get url(): string {
    const { host } = this.#options;
    return `https://${family(parseIp(host)) === 6 ? `[${host}]` : host}:${this.#port}`;
  }

  /**
   * Listens; after {@link stop} on the same port as before, and with a history that begins anew, as the watch cache of a
   * kube-apiserver does: whoever comes with a version of before gets a 410.
   *
   * @param rules 'loading': all but the administrator are refused until {@link loadRules}, as by a kube-apiserver that
   *   has just started
   */
  async start(rules: 'loaded' | 'loading' = 'loaded'): Promise<void> {
    this.#rulesLoaded = rules === 'loaded';
    if (this.#started) this.objects.compact();
    this.#started = true;
    const { key, certificate } = this.#certificate;
    // An answer that fails is a mistake in here, and must not look like a fault that a test asked for.
    const serve = (request: Request, response: Response): void => void this.#serve(request, response);
    const tls = { key, cert: certificate };
    const server: Server =
      this.#options.protocol === 'h2'
        ? createSecureServer({ ...tls, allowHTTP1: true }, serve)
        : createServer(tls, serve);
    server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      this.#connections.set(`${socket.remotePort}`, this.#connections.size + 1);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    server.on('sessionError', () => {});
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', resolve);
      const { listen, host } = this.#options;
      if (listen === undefined) server.listen(this.#port, host);
      else listen(server, this.#port);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
  }

  loadRules(): void {
    this.#rulesLoaded = true;
  }

  /** Bytes that may be on their way of one response, as the client of each HTTP/2 connection says. */
  get windows(): readonly (number | undefined)[] {
    return [...this.#sessions].map(({ remoteSettings }) => remoteSettings.initialWindowSize);
  }

  /** Sends GOAWAY on every HTTP/2 connection: open requests go on, and new ones need a new connection. */
  goAway(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Closes the port and cuts all connections; what it holds, it keeps. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** The only tokens that are taken from now on; watches that are open stay open, as with Kubernetes. */
  accept(...tokens: readonly string[]): void {
    this.#tokens = new Set(tokens);
  }

  /** A further token, whose bearer may do no more than these rules let it. */
  account(rules: Rules): string {
    const token = randomBytes(16).toString('hex');
    this.#tokens.add(token);
    this.#rules.set(token, rules);
    return token;
  }

  get token(): string {
    return [...this.#tokens][0] ?? '';
  }

  /** The certificate that signed the server's; PEM. */
  get authority(): string {
    return this.#certificate.authority;
  }

  /** A kubeconfig as YAML. @param user instead of the present token, for example `{ tokenFile }` */
  kubeconfig(user: JsonObject = { token: this.token }): string {
    return kubeconfigOf(this.url, this.authority, user);
  }

  /** Creates, or replaces with its status, past all checks that need not hold for a test. */
  put(object: JsonObject): void {
    const { kind, metadata } = object;
    const found = kinds.find((each) => each.kind === kind);
    if (found === undefined) throw new Error(`no kind ${String(kind)}`);
    const { name, namespace } = {
      name: '',
      namespace: '',
      ...(typeof metadata === 'object' ? metadata : {}),
    };
    const key = { namespace: String(namespace), name: String(name) };
    if (this.objects.has(found, key.namespace, key.name)) this.objects.update(found, object);
    else this.objects.create(found, object);
  }

  /** How many are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  breakWatches(): void {
    this.#watches.breakAll();
  }

  /** The watches that are open now hear nothing more and do not end, as if a firewall had forgotten them. */
  muteWatches(): void {
    this.#watches.muteAll();
  }

  /** Watches lag from now on: their events are held back, and answers to writes are not. */
  holdWatches(): void {
    this.#watches.hold();
  }

  /** Sends the oldest event that is held back; false: there is none, and the watches lag no more. */
  releaseWatches(): boolean {
    return this.#watches.release();
  }

  endWatches(): void {
    this.#watches.endAll();
  }

  sendBookmarks(): void {
    this.#watches.bookmarkAll();
  }

  /** Sends an event that never happened to all watches of a resource (its plural), in the format of each. */
  inventEvent(plural: string, type: string, object: JsonObject): void {
    this.#watches.invent(plural, type, object);
  }

  /** Writes this into all watches of a resource (its plural), as it is. */
  injectIntoWatches(plural: string, bytes: string | Buffer): void {
    this.#watches.inject(plural, bytes);
  }

  /** Accepts everything and says nothing any more; or is itself again. */
  beSilent(silent: boolean): void {
    this.faults.silent = silent;
    this.#watches.silent = silent;
  }

  /** Resolves as soon as `count` watches of each of these resources are open. */
  async watched(plurals: readonly string[], count: number, signal: AbortSignal): Promise<void> {
    await this.#until(() => plurals.every((plural) => this.#watches.count(plural) >= count), signal);
  }

  /** Resolves as soon as a request that matches has come in, counted from the start. */
  async asked(target: RegExp, times: number, signal: AbortSignal): Promise<void> {
    await this.#until(() => this.seen.filter((each) => target.test(each.target)).length >= times, signal);
  }

  async #until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    while (!holds()) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async #serve(request: Request, response: Response): Promise<void> {
    const exchange = new Exchange(request, response, this.#options.writes, (type) => this.answered.add(type));
    const { method, target } = exchange;
    const agent = exchange.header('user-agent');
    const connection = this.#connections.get(`${request.socket.remotePort}`) ?? 0;
    this.seen.push({ method, target, agent, version: request.httpVersion, connection });
    if (this.seen.length > 10_000) this.seen.splice(0, 5000);
    this.#tell();
    if (this.faults.silent) return;
    try {
      const refusal = this.faults.take(exchange.target);
      if (refusal !== undefined) {
        throw new Failure(refusal.status, refusal.message ?? 'as you wished', undefined, refusal.retryAfter);
      }
      const token = this.#authenticate(exchange);
      const rules = this.#rules.get(token);
      if (rules !== undefined && !this.#rulesLoaded) throw new Failure(403, 'RBAC: rules are not loaded yet');
      await this.#answer(exchange, rules ?? adminRules);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const wait = error.retryAfter === undefined ? {} : { 'retry-after': String(error.retryAfter) };
      exchange.answer(error.status, error.toStatus(), wait);
    }
  }

  /** @returns the token */
  #authenticate(exchange: Exchange): string {
    const [, token = ''] = /^Bearer (.*)$/.exec(exchange.header('authorization')) ?? [];
    if (!this.#tokens.has(token)) throw new Failure(401, 'Unauthorized');
    return token;
  }

  async #answer(exchange: Exchange, rules: Rules): Promise<void> {
    const { method, path, query } = exchange;
    const found = method === 'GET' ? discovery(path) : undefined;
    if (found !== undefined) {
      exchange.answer(200, found);
      return;
    }
    if (path === '/healthz' || path === '/readyz' || path === '/livez') {
      exchange.answer(200, { status: 'ok' });
      return;
    }
    if (method === 'POST' && path === reviews) {
      const review = await exchange.body();
      if (!isObject(review)) throw new Failure(400, 'no SelfSubjectAccessReview');
      exchange.answer(201, { ...review, status: { allowed: this.#allows(reviewed(review), rules) } });
      return;
    }
    const target = targetOf(path);
    if (target === undefined) throw new Failure(404, 'the server could not find the requested resource');
    const watches = query.get('watch') === 'true' || query.get('watch') === '1';
    this.#authorize(
      { ...target, name: target.name || nameIn(query) },
      verbOf(method, target, watches),
      rules,
    );
    switch (method) {
      case 'GET':
        if (watches) this.#watches.open(target.kind, target.namespace, selector(query), exchange);
        else if (target.name === '') exchange.answer(200, this.#resources.list(target, exchange));
        else exchange.answer(200, this.#resources.get(target, exchange));
        break;
      case 'POST':
        exchange.answer(201, this.#resources.create(target, await exchange.body()));
        break;
      case 'PUT':
        exchange.answer(200, this.#resources.update(target, await exchange.body()));
        break;
      case 'PATCH':
        exchange.answer(200, await this.#resources.patch(target, exchange));
        break;
      case 'DELETE':
        exchange.answer(200, this.#resources.delete(target, await exchange.body()));
        break;
      default:
        throw new Failure(405, `the method ${method} is not known here`);
    }
  }

  #allows(asked: Asked, rules: Rules): boolean {
    return !this.faults.forbids(asked.verb, asked.resource) && rules(asked);
  }

  #authorize({ kind, namespace, name, subresource }: Target, verb: string, rules: Rules): void {
    const resource = subresource === '' ? kind.plural : `${kind.plural}/${subresource}`;
    const asked = { verb, group: kind.group, resource, namespace, name };
    if (this.#allows(asked, rules)) return;
    throw new Failure(
      403,
      `${kind.plural}${kind.group === '' ? '' : `.${kind.group}`} is forbidden: User "eiproute" cannot ${verb} resource "${resource}" in API group "${kind.group}" ${namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`}`,
    );
  }
}

/** The name that a list or watch is restricted to: RBAC takes it for the name of the object. */
function nameIn(query: URLSearchParams): string {
  return /^metadata\.name=([^,]+)$/.exec(query.get('fieldSelector') ?? '')?.[1] ?? '';
}

function verbOf(method: string, { name }: Target, watches: boolean): string {
  switch (method) {
    case 'GET':
      return watches ? 'watch' : name === '' ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    default:
      return method.toLowerCase();
  }
}

/** Starts one that listens. */
export async function startApiServer(options: Partial<ApiServerOptions> = {}): Promise<ApiServer> {
  const server = new ApiServer(options);
  await server.start();
  return server;
}
