import type { IncomingMessage } from 'node:http';
import { constants, type Http2ServerRequest, type ServerHttp2Stream } from 'node:http2';
import { parse as parseYaml } from 'yaml';
import { Failure } from './failure.ts';
import type { Json, JsonObject } from './json.ts';
import { decode } from './protobuf.ts';
import { encode, encodeEvent } from './protobuf-writer.ts';

export type Request = Http2ServerRequest | IncomingMessage;
/** What the answers of node:http and node:http2 have in common, and where they differ. */
export interface Response {
  writeHead(status: number, headers: Readonly<Record<string, string>>): unknown;
  write(bytes: string | Buffer): unknown;
  end(bytes: string | Buffer): unknown;
  once(event: 'close', listener: () => void): unknown;
  readonly writableEnded: boolean;
  readonly destroyed: boolean;
  /** HTTP/2 only */
  readonly stream?: ServerHttp2Stream;
  /** HTTP/1.1 only: it keeps the headers back until the first byte of the body. */
  flushHeaders?(): void;
}

/** What a server writes to a client that would take either. */
export type Format = 'protobuf' | 'json';

const protobufType = 'application/vnd.kubernetes.protobuf';

/** One request and its answer, over HTTP/2 or HTTP/1.1. */
export class Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #request: Request;
  readonly #response: Response;
  readonly #writes: Format;
  readonly #answers: (type: string) => void;

  /**
   * @param writes 'json': nothing is answered in protobuf
   * @param answers told the content type
   */
  constructor(request: Request, response: Response, writes: Format, answers: (type: string) => void) {
    this.#request = request;
    this.#response = response;
    this.#writes = writes;
    this.#answers = answers;
    const url = new URL(request.url ?? '/', 'https://api');
    this.method = request.method ?? 'GET';
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
    return this.#request.url ?? '/';
  }

  /** Whatever it is written in; null when there is none. */
  async body(): Promise<Json> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#request) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    if (this.header('content-type').includes('protobuf')) return decode(bytes);
    const text = bytes.toString('utf8');
    if (text === '') return null;
    try {
      return this.header('content-type').includes('yaml') ? parseYaml(text) : JSON.parse(text);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new Failure(400, `the body can not be read: ${error.message}`);
    }
  }

  /** The client would rather have protobuf, and the server writes it. */
  get #wantsProtobuf(): boolean {
    return this.#writes === 'protobuf' && this.header('accept').startsWith(protobufType);
  }

  answer(status: number, body: JsonObject, headers: Readonly<Record<string, string>> = {}): void {
    if (this.closed) return;
    const protobuf = this.#wantsProtobuf ? encode(body) : undefined;
    const type = protobuf === undefined ? 'application/json' : protobufType;
    this.#answers(type);
    this.#response.writeHead(status, { 'content-type': type, ...headers });
    this.#response.end(protobuf ?? JSON.stringify(body));
  }

  /** Sends the headers of a watch. */
  open(): void {
    const type = this.#wantsProtobuf ? `${protobufType};stream=watch` : 'application/json';
    this.#answers(type);
    this.#response.writeHead(200, { 'content-type': type });
    this.#response.flushHeaders?.();
  }

  /** An event of a watch. */
  event(type: string, object: JsonObject): void {
    const bytes = this.#wantsProtobuf ? encodeEvent(type, object) : `${JSON.stringify({ type, object })}\n`;
    if (bytes === undefined) throw new Error(`a ${String(object['kind'])} is not written in protobuf here`);
    this.write(bytes);
  }

  write(bytes: string | Buffer): void {
    if (!this.closed) this.#response.write(bytes);
  }

  end(): void {
    if (!this.closed) this.#response.end('');
  }

  /** Cuts the answer off. */
  break(): void {
    const { stream } = this.#response;
    if (stream === undefined) this.#request.socket.destroy();
    else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  get closed(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /** Calls back once the answer is over, whoever ended it. */
  onClose(listener: () => void): void {
    this.#response.once('close', listener);
  }
}
