import { connect, type Socket } from 'node:net';
import type { Ip } from '../model/ip.ts';
import type { Health } from './health-port.ts';

/** Characters of an answer; kube-proxy's has some three hundred. */
const longest = 65_536;

interface Answer {
  /** undefined: none came. */
  readonly status: number | undefined;
  /** Why none came. */
  readonly why: string;
}

/**
 * Asks `/healthz` of many nodes again and again, over a connection to each that stays open. A connection for each question
 * costs 0.4 ms of processor time, most of it for the objects around it; kube-proxy closes none by itself.
 */
export class HealthConnections {
  readonly #patience: number;
  readonly #open = new Map<Ip, Connection>();
  #isClosed = false;

  /** @param patience ms; who takes longer is asked again, over another connection */
  constructor(patience = 1000) {
    this.#patience = patience;
  }

  /** One question to an address at a time. */
  async ask(ip: Ip, port: number): Promise<Health> {
    let known = this.#open.get(ip);
    if (known?.port !== port) {
      known?.close();
      known = undefined;
    }
    let answer = await known?.ask();
    // What was kept may have been closed by the other end just now: that says nothing of the node.
    if (answer?.status === undefined && !this.#isClosed) answer = await this.#connect(ip, port).ask();
    if (answer?.status === undefined) return { kind: 'no answer', why: answer?.why ?? 'nobody is asked' };
    return answer.status === 200
      ? { kind: 'serves' }
      : { kind: 'not yet', why: `it answers ${answer.status}` };
  }

  /** Closes the connections to all others. */
  keep(ips: ReadonlySet<Ip>): void {
    for (const [ip, connection] of this.#open) if (!ips.has(ip)) connection.close();
  }

  /** Nobody is asked after that. */
  close(): void {
    this.#isClosed = true;
    this.keep(new Set());
  }

  #connect(ip: Ip, port: number): Connection {
    const connection = new Connection(ip, port, this.#patience, () => {
      if (this.#open.get(ip) === connection) this.#open.delete(ip);
    });
    this.#open.set(ip, connection);
    return connection;
  }
}

class Connection {
  readonly port: number;
  readonly #request: string;
  readonly #patience: number;
  readonly #socket: Socket;
  #asked: PromiseWithResolvers<Answer> | undefined;
  #text = '';
  #why = 'the connection was closed';

  constructor(ip: Ip, port: number, patience: number, closed: () => void) {
    this.port = port;
    this.#patience = patience;
    this.#request = `GET /healthz HTTP/1.1\r\nHost: ${ip.includes(':') ? `[${ip}]` : ip}:${port}\r\n\r\n`;
    this.#socket = connect({ host: ip, port, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket
      .on('data', (text: string) => this.#read(text))
      .on('timeout', () => {
        this.#why = `no answer within ${patience} ms`;
        this.close();
      })
      .on('error', (error: NodeJS.ErrnoException) => {
        this.#why = error.code ?? error.message;
      })
      .on('close', () => {
        closed();
        this.#answer(undefined);
      });
  }

  ask(): Promise<Answer> {
    const asked = Promise.withResolvers<Answer>();
    this.#asked = asked;
    this.#text = '';
    this.#socket.setTimeout(this.#patience);
    this.#socket.write(this.#request);
    return asked.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #answer(status: number | undefined): void {
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.resolve({ status, why: this.#why });
  }

  /** The connection is used again where the end of the answer is known, and closed otherwise. */
  #read(text: string): void {
    this.#text += text;
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0 && this.#text.length < longest) return;
    const head = this.#text.slice(0, end + 2);
    const [, minor, status] = /^HTTP\/1\.([01]) (\d{3})/.exec(head) ?? [];
    const [, length] = /\r\ncontent-length: *(\d+) *\r\n/i.exec(head) ?? [];
    const isLast = minor !== '1' || length === undefined || /\r\nconnection: *close *\r\n/i.test(head);
    if (!isLast && this.#text.length < end + 4 + Number(length) && this.#text.length < longest) return;
    const isWhole = !isLast && this.#text.length === end + 4 + Number(length);
    if (status === undefined) this.#why = 'what it says is no HTTP';
    this.#socket.setTimeout(0);
    if (!isWhole || this.#asked === undefined) this.close();
    if (status !== undefined) this.#answer(Number(status));
  }
}
