import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { parse as parseYaml } from 'yaml';
import { Failure } from './failure.ts';
import type { Json, JsonObject } from './json.ts';

/** One request and its answer, over HTTP/2 or HTTP/1.1. */
export class Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #request: Http2ServerRequest;
  readonly #response: Http2ServerResponse;

  constructor(request: Http2ServerRequest, response: Http2ServerResponse) {
    this.#request = request;
    this.#response = response;
    const url = new URL(request.url, 'https://api');
    this.method = request.method;
    this.path = url.pathname;
    this.query = url.searchParams;
  }

  header(name: string): string {
    const value = this.#request.headers[name];
    return typeof value === 'string' ? value : '';
  }

  get wantsTable(): boolean {
    return /as=Table/.test(this.header('accept')) && /g=meta\.k8s\.io/.test(this.header('accept'));
  }

  /** The path with its query. */
  get target(): string {
    return this.#request.url;
  }

  /** JSON or YAML; null when there is none. */
  async body(): Promise<Json> {
    if (this.header('content-type').includes('protobuf')) {
      throw new Failure(
        415,
        'the body of the request was in an unknown format - accepted media types: application/json',
      );
    }
    const chunks: Buffer[] = [];
    for await (const chunk of this.#request) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks).toString('utf8');
    if (text === '') return null;
    try {
      return this.header('content-type').includes('yaml') ? parseYaml(text) : JSON.parse(text);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new Failure(400, `the body can not be read: ${error.message}`);
    }
  }

  answer(status: number, body: JsonObject, headers: Readonly<Record<string, string>> = {}): void {
    if (this.closed) return;
    this.#response.writeHead(status, { 'content-type': 'application/json', ...headers });
    this.#response.end(JSON.stringify(body));
  }

  /** Sends the headers of an answer that goes on. */
  open(): void {
    this.#response.writeHead(200, { 'content-type': 'application/json' });
    // HTTP/1.1 keeps the headers back until the first byte of the body; HTTP/2 does not.
    if ('flushHeaders' in this.#response && typeof this.#response.flushHeaders === 'function') {
      this.#response.flushHeaders();
    }
  }

  write(text: string): void {
    if (!this.closed) this.#response.write(text);
  }

  end(): void {
    if (!this.closed) this.#response.end();
  }

  /** Cuts the answer off. */
  break(): void {
    // Over HTTP/1.1 there is no stream, only the socket.
    if (this.#request.httpVersionMajor < 2) this.#request.socket.destroy();
    else this.#response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  get closed(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /** Calls back once the answer is over, whoever ended it. */
  onClose(listener: () => void): void {
    this.#response.once('close', listener);
  }
}
